"""Is a shard whole? Asked once, when a part of it is first read, before anything of it is decoded.

What is asked depends on the schema. In schema 2 every chunk is there and ends in a crc32c checksum, which the codec
checks. In schema 1 chunks of fill values were left out and nothing else has a checksum, so the decoded arrays of the
shard are held against the digest in its done-marker. In both, the frame of every Blosc chunk is checked before Blosc
sees it, since Blosc trusts the offsets in it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import posixpath
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.layout import ARRAYS, PROGRESS, SCHEMA, marker_name, plain_bytes
from csist_bench.errors import InputError, show

ABSENT = np.iinfo(np.uint64).max  # offset and length of an inner chunk that a shard lacks
CRC_BYTES = 4
HELD_BYTES = 64 * 2**20  # of one array of a shard that was decoded for its digest, and is about to be read
BLOSC_HEADER, BLOSC_VERSION, BLOSC_MEMCPY, BLOSC_WHOLE_BLOCKS, BLOSC_ZSTD = 16, 2, 0x02, 0x10, 4


@dataclass(frozen=True, eq=False)
class Guard:
    """Checks the shards of one split.

    `location` is that of the set, `remedy` what to do about damage, `complete` whether the set claims to be whole.
    """

    location: str
    split: str
    group: Any
    arrays: dict[str, Any]
    schema: str
    complete: bool
    remedy: str
    _passed: set[tuple[str, int]] = field(default_factory=set)
    _held: dict[tuple[str, int], NDArray[Any]] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    @property
    def shard_length(self) -> int:
        """Trajectories of a shard."""
        frames = self.arrays["frames"]
        return int((frames.shards or frames.chunks)[0])

    @property
    def where(self) -> str:
        """Place of the split, for errors."""
        return f"{self.location}/{self.split}"

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read trajectories start..stop-1 of an array without asking first whether their shards are whole."""
        try:
            return np.asarray(self.arrays[name][start:stop])
        except (OSError, InputError):  # InputError: of an object store
            raise
        except Exception as error:  # zarr and its codecs raise many types on damaged chunks
            length = self.shard_length
            for index in range(start // length, -(-stop // length)):
                self._require_bytes(name, index, sums=True)  # says which shard it is, where a checksum does
            said = show(str(error))
            raise InputError(f"array {name!r} of {self.where} cannot be read ({said}); {self.remedy}") from None

    def fetch(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read trajectories start..stop-1 of an array; an InputError names array, shard and remedy of damage."""
        length = self.shard_length
        shards = range(start // length, -(-stop // length) if stop > start else 0)
        if self.schema == SCHEMA and not hasattr(self.group.store, "ahead"):
            for index in shards:
                self._require_once(name, index)
            return self.read(name, start, stop)
        bounds = [(index, max(start, index * length), min(stop, (index + 1) * length)) for index in shards]
        pieces = []
        for index, first, last in bounds:
            self.announce(name, range(index, shards.stop))
            pieces.append((self._piece if self.schema != SCHEMA else self._fetched)(name, index, first, last))
        return np.concatenate(pieces) if len(pieces) > 1 else pieces[0] if pieces else self.read(name, start, stop)

    def announce(self, name: str, shards: Iterable[int]) -> None:
        """Let an object store begin to read the first few of shards that will be asked for; of folders, nothing."""
        if hasattr(self.group.store, "ahead"):
            path = self.group.store_path.path
            self.group.store.ahead(f"{path}/{name}/{self._key(name, index)}" for index in shards)

    def _key(self, name: str, index: int) -> str:
        array = self.arrays[name]
        return str(array.metadata.encode_chunk_key((index, *(0,) * (array.ndim - 1))))

    def _fetched(self, name: str, index: int, start: int, stop: int) -> NDArray[Any]:
        """Read a part of one shard of an object store, while those after it are on their way."""
        self._require_once(name, index)
        return self.read(name, start, stop)

    def _require_once(self, name: str, index: int) -> None:
        with self._lock:
            if (name, index) not in self._passed:
                self._require_bytes(name, index)
                self._passed.add((name, index))

    def _piece(self, name: str, index: int, start: int, stop: int) -> NDArray[Any]:
        """Read a part of one shard of schema 1; what was decoded for its digest is kept until the next shard's."""
        with self._lock:
            if (name, index) not in self._passed:
                if fault := self.shard_fault(index):
                    raise InputError(fault)
                self._passed.update((other, index) for other in ARRAYS)
            held = self._held.get((name, index))
        if held is None:
            return self.read(name, start, stop)
        first, _ = self._bounds(index)
        return held[start - first : stop - first].copy()

    def shard_fault(self, index: int) -> str | None:
        """Say what is wrong with a shard, its bytes and its decoded contents; None where all of it is whole."""
        try:
            for name in ARRAYS:
                self._require_bytes(name, index)
            fault = self.digest_fault(index)
        except InputError as error:
            return str(error)
        return fault and str(self._damage(f"shard {index} of {self.where}", index, fault))

    def digest_fault(self, index: int) -> str | None:
        """Say how the decoded arrays of a shard depart from its done-marker; None where they do not."""
        marked = self.marker(index).get("sha256")
        if marked is None:
            done = "its done-marker is missing or damaged" if self.complete else "it is not written yet"
            return f"{done} ({PROGRESS}/{marker_name(self.split, index)})"
        if marked != self.digest(index):
            return "its contents differ from the digest taken when they were written"
        return None

    def digest(self, index: int) -> str:
        """Return sha256 over the decoded arrays of a shard."""
        state = hashlib.sha256()
        first, last = self._bounds(index)
        self._held.clear()
        for name in ARRAYS:
            array = self.arrays[name]
            small = (last - first) * int(np.prod(array.shape[1:])) * array.dtype.itemsize <= HELD_BYTES
            step = last - first if small else int(array.chunks[0])
            for start in range(first, last, step):
                values = self.read(name, start, min(start + step, last))
                state.update(plain_bytes(values))
                if small:
                    self._held[name, index] = values
        return state.hexdigest()

    def marker(self, index: int) -> dict[str, Any]:
        """Return the done-marker of a shard ({} where there is none that can be read)."""
        try:
            marker = json.loads(bytes(_stored(self.group, f"../{PROGRESS}/{marker_name(self.split, index)}") or b""))
        except ValueError:
            return {}
        return marker if isinstance(marker, dict) and isinstance(marker.get("sha256"), str) else {}

    def _require_bytes(self, name: str, index: int, sums: bool = False) -> None:
        """Raise unless the stored bytes of one array's shard are there and framed as this program writes them.

        Checksums are left to the codec that checks them anyway, unless `sums` asks for them.
        """
        absent_allowed = self.schema != SCHEMA
        array, key = self.arrays[name], self._key(name, index)
        raw = _stored(self.group, f"{name}/{key}")
        if raw is None:
            if absent_allowed:
                return
            missing = "is missing" if self.complete else "is not written yet"
            raise self._damage(f"array {name!r} of {self.where}: chunk {key}", index, missing)
        first, last = self._bounds(index)
        size, tail = int(np.prod(array.chunks)) * array.dtype.itemsize, codec_names(array)[-1] == "crc32c"
        try:
            for number, chunk in _chunks_of(array, memoryview(raw), last - first):
                if chunk is None and absent_allowed:
                    continue
                place = f"array {name!r} of {self.where}: chunk {number} of shard {key}"
                if chunk is None:
                    raise self._damage(place, index, "is missing")
                if tail and sums and not sum_is_right(chunk):
                    raise self._damage(place, index, "does not match its checksum")
                if not blosc_is_sound(chunk[:-CRC_BYTES] if tail else chunk, size):
                    raise self._damage(place, index, "is damaged")
        except InputError:
            raise
        except (ValueError, IndexError, OverflowError):
            raise self._damage(f"array {name!r} of {self.where}: shard {key}", index, "is damaged") from None

    def _bounds(self, index: int) -> tuple[int, int]:
        length, size = self.shard_length, int(self.arrays["frames"].shape[0])
        return index * length, min((index + 1) * length, size)

    def _damage(self, place: str, index: int, fault: str) -> InputError:
        first, last = self._bounds(index)
        return InputError(f"{place} (trajectories {first}..{last - 1}) {fault}; {self.remedy}")


def _stored(group: Any, name: str) -> Any:
    """Return the bytes under a name relative to a group of a store, local or remote; None where there are none.

    A local file is mapped: only the pages that are looked at are read.
    """
    from zarr.core.buffer import default_buffer_prototype
    from zarr.core.sync import sync
    from zarr.storage import LocalStore

    key = posixpath.normpath(posixpath.join(group.store_path.path, name))
    if isinstance(group.store, LocalStore):
        try:
            with (Path(group.store.root) / key).open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:  # an empty file cannot be mapped
            return b""
    found = sync(group.store.get(key, default_buffer_prototype()))
    return None if found is None else bytes(found.to_bytes())


def codec_names(array: Any) -> list[str]:
    """Return the names of the codecs of an array's chunks, those inside a shard where it is sharded."""
    codecs = array.metadata.to_dict()["codecs"]
    if codecs[0]["name"] == "sharding_indexed":
        codecs = codecs[0]["configuration"]["codecs"]
    return [str(codec["name"]) for codec in codecs]


def _chunks_of(array: Any, raw: memoryview, trajectories: int) -> Iterator[tuple[int, memoryview | None]]:
    """Yield number and bytes of the chunks of one stored object that hold any of its first `trajectories`."""
    if array.shards is None:
        yield 0, raw
        return
    per_shard = array.shards[0] // array.chunks[0]
    index = np.frombuffer(raw[: 16 * per_shard], dtype="<u8").reshape(per_shard, 2)
    for number in range(-(-trajectories // array.chunks[0])):
        offset, length = (int(value) for value in index[number])
        if ABSENT in (offset, length):
            yield number, None
        elif offset + length > len(raw):
            raise ValueError("a chunk lies beyond the end of its shard")
        else:
            yield number, raw[offset : offset + length]


def sum_is_right(chunk: memoryview) -> bool:
    """Tell whether a chunk matches the crc32c in its last four bytes."""
    import google_crc32c

    stored = int.from_bytes(chunk[-CRC_BYTES:], "little")
    return bool(stored == google_crc32c.value(np.frombuffer(chunk[:-CRC_BYTES], dtype=np.uint8)))


def blosc_is_sound(chunk: bytes | memoryview, size: int) -> bool:
    """Tell whether a Blosc chunk, of zstd, decodes to `size` bytes without reading or writing beyond its bounds."""
    if len(chunk) < BLOSC_HEADER or chunk[0] != BLOSC_VERSION:
        return False
    flags, item = chunk[2], chunk[3]
    plain, block, packed = (int(value) for value in np.frombuffer(chunk, dtype="<u4", count=3, offset=4))
    if plain != size or packed != len(chunk) or not item:
        return False
    if flags & BLOSC_MEMCPY:
        return packed == BLOSC_HEADER + plain
    if flags >> 5 != BLOSC_ZSTD or not flags & BLOSC_WHOLE_BLOCKS or not 0 < block <= plain:
        return False
    count = -(-plain // block)
    first = BLOSC_HEADER + 4 * count
    if first > packed:
        return False
    starts = np.frombuffer(chunk, dtype="<i4", count=count, offset=BLOSC_HEADER).astype(np.int64)
    if starts.min() < first or starts.max() > packed - 4:
        return False
    data = np.frombuffer(chunk, dtype=np.uint8)
    lengths = np.ascontiguousarray(data[starts[:, None] + np.arange(4)]).view("<i4")[:, 0].astype(np.int64)
    return bool((lengths >= 0).all() and (starts + 4 + lengths <= packed).all())
