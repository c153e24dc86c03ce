"""Zarr's view of objects: whole objects are read once and kept for a while, and every part is cut from what is kept.

A shard is asked for several times, to be checked and then chunk by chunk. Read once, what was checked is what is
decoded, and a shard of an array costs one request.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

from csist_bench.datasets.layout import ROOT
from csist_bench.files.objects import Objects

KEPT_BYTES = 64 * 2**20  # of shards; metadata are kept all
AHEAD = 4  # shards of an array that are on their way while one is decoded


class ObjectStore(Store):  # type: ignore[misc]  # zarr's types are not followed
    """Objects of a data set, to be read."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(read_only=True)
        self.objects = objects
        self._metadata: dict[str, bytes] = {}
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._coming: dict[str, Future[bytes | None]] = {}
        self._lock = threading.Lock()
        self._readers = ThreadPoolExecutor(AHEAD)

    def __eq__(self, value: object) -> bool:
        return isinstance(value, ObjectStore) and value.objects == self.objects

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(self.objects)

    def whole(self, key: str) -> bytes | None:
        """Return the content of an object; None where there is none."""
        with self._lock:
            if (data := self._metadata.get(key)) is not None:
                return data
            if (data := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return data
            coming = self._coming.pop(key, None)
            data = self.objects.read(key) if coming is None else coming.result()
            if data is not None:
                self._keep(key, data)
            return data

    def ahead(self, keys: Iterable[str]) -> None:
        """Begin to read the first few objects of those that will be asked for."""
        with self._lock:
            for key in islice(keys, AHEAD):
                if key not in self._kept and key not in self._coming:
                    self._coming[key] = self._readers.submit(self.objects.read, key)

    def _keep(self, key: str, data: bytes) -> None:
        if key.endswith(ROOT):
            self._metadata[key] = data
            return
        self._kept[key] = data
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT_BYTES:
            self._kept.popitem(last=False)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return an object or a part of it as Zarr's buffer; None where there is none."""
        data = await asyncio.to_thread(self.whole, key)
        return None if data is None else prototype.buffer.from_bytes(_part(data, byte_range))

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """Return parts of objects."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Tell whether there is an object of this name."""
        return await asyncio.to_thread(self.whole, key) is not None

    @property
    def supports_writes(self) -> bool:
        """False: shards are put whole, by `object_sets`."""
        return False

    async def set(self, key: str, value: Any) -> None:
        """Refuse."""
        self._check_writable()  # raises

    @property
    def supports_deletes(self) -> bool:
        """False."""
        return False

    async def delete(self, key: str) -> None:
        """Refuse."""
        self._check_writable()  # raises

    @property
    def supports_listing(self) -> bool:
        """Whether names can be listed."""
        return True

    async def list(self) -> AsyncIterator[str]:
        """Yield all names."""
        for name in await asyncio.to_thread(self.objects.names):
            yield name

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names that begin so."""
        async for name in self.list():
            if name.startswith(prefix):
                yield name

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names right under a prefix, of objects and of prefixes."""
        under = f"{prefix.rstrip('/')}/" if prefix else ""
        seen = dict.fromkeys(name[len(under) :].partition("/")[0] for name in self.objects.names(under))
        for name in seen:
            yield name


def _part(data: bytes, wanted: Any) -> bytes:
    if wanted is None:
        return data
    if isinstance(wanted, RangeByteRequest):
        return data[wanted.start : wanted.end]
    if isinstance(wanted, OffsetByteRequest):
        return data[wanted.offset :]
    if isinstance(wanted, SuffixByteRequest):
        return data[-wanted.suffix :] if wanted.suffix else b""
    raise TypeError(wanted)
