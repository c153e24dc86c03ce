"""Arrays of Zarr stores that this program did not write: heat maps of users.

Nothing in such a store is trusted. Its metadata are read as plain JSON and held against short lists before Zarr sees
them; codecs that could run code, or that nobody bounds, are refused by name; and chunks are decoded by another process
(`zarr_worker.py`) whose memory is limited, so that a chunk which crashes its codec ends in one line.
"""

from __future__ import annotations

import itertools
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError, must, show

CODECS = ("bytes", "transpose", "zstd", "gzip", "crc32c", "blosc", "sharding_indexed")  # version 3
INDEX_CODECS = ("bytes", "crc32c")
COMPRESSORS = ("zstd", "gzip", "blosc")  # version 2, where filters are refused altogether
KINDS = ("float16", "float32", "float64", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
LARGEST_METADATA = 2**20  # bytes
LARGEST_CHUNK = 512 * 2**20  # bytes, decoded; what is read at once
MIB = 2**20
_ABSENT = 2**64 - 1
_REWRITE = "write it again: zarr.save_array(new, zarr.open(old)[...]), or with compressors=zarr.codecs.ZstdCodec()"


@dataclass(frozen=True)
class ForeignArray:
    """One array: where it lies, its shape and type, what is stored together, and what its axes are called."""

    store: Path
    name: str  # "" for an array that is the store itself
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stored: tuple[int, ...]  # shape of what one file holds: a chunk, or a shard of them
    chunks: tuple[int, ...]  # shape of what is decoded together
    names: tuple[str | None, ...]
    separator: str
    prefix: str
    index_at_start: bool | None = None  # of shards; None where there are none
    index_checked: bool = True

    @property
    def where(self) -> str:
        """Place of the array, for errors."""
        return f"{self.store}: {self.name}" if self.name else str(self.store)

    @property
    def n_chunks(self) -> int:
        """Number of chunks of the whole array."""
        return int(np.prod([-(-n // c) for n, c in zip(self.shape, self.chunks)], dtype=object))

    def absent(self) -> Iterator[tuple[slice, ...]]:
        """Yield the regions of the array whose chunks are not stored."""
        for at in itertools.product(*(range(-(-n // c)) for n, c in zip(self.shape, self.stored))):
            origin = [i * c for i, c in zip(at, self.stored)]
            parts = self.separator.join([*self.prefix, *map(str, at)])
            file = self.store / self.name / parts
            if not file.is_file():
                yield tuple(slice(o, min(o + c, n)) for o, c, n in zip(origin, self.stored, self.shape))
            elif self.index_at_start is not None:
                yield from self._absent_within(file, origin)

    def _absent_within(self, file: Path, origin: list[int]) -> Iterator[tuple[slice, ...]]:
        counts = [s // c for s, c in zip(self.stored, self.chunks)]
        length = 16 * int(np.prod(counts))
        with file.open("rb") as opened:
            if not self.index_at_start:
                opened.seek(max(0, file.stat().st_size - length - 4 * self.index_checked))
            raw = opened.read(length)
        if len(raw) != length:
            raise InputError(f"{self.where}: {file} is too short for a shard; write it again")
        index = np.frombuffer(raw, dtype="<u8").reshape(*counts, 2)
        for at in np.argwhere(index[..., 0] == _ABSENT).tolist():
            first = [o + i * c for o, i, c in zip(origin, at, self.chunks)]
            if all(f < n for f, n in zip(first, self.shape)):
                yield tuple(slice(f, min(f + c, n)) for f, c, n in zip(first, self.chunks, self.shape))


def open_foreign(path: Path, wanted: tuple[str, ...]) -> dict[str, ForeignArray]:
    """Return the arrays of a store by the names wanted; an array that is the store itself stands under the first.

    Raises
    ------
    InputError
        If the store is not readable, or holds under such a name what is not an array of numbers in codecs that are
        known to be harmless.
    """
    whole = _metadata(path)
    if whole is None:
        raise InputError(f"{path}: not a readable Zarr store (no zarr.json, .zarray or .zgroup inside)")
    if _is_array(whole):
        return {wanted[0]: _array(path, "", whole)}
    found = {name: _metadata(path / name) for name in wanted}
    return {name: _array(path, name, about) for name, about in found.items() if about and _is_array(about)}


def array_names(path: Path) -> list[str] | None:
    """Return the names of the arrays of a group that is no data set of this program, [""] for an array; else None."""
    about = _metadata(path)
    if about is None or _is_array(about):
        return None if about is None else [""]
    if about.get("zarr_format") == 3 and "schema" in (about.get("attributes") or {}):
        return None
    folders = sorted(child for child in path.iterdir() if child.is_dir())
    return [child.name for child in folders if (inside := _metadata(child)) and _is_array(inside)] or None


def _is_array(about: Mapping[str, Any]) -> bool:
    return about.get("node_type") == "array" or ("zarr_format" in about and "chunks" in about)


def _metadata(folder: Path) -> dict[str, Any] | None:
    """Return the decoded metadata of a node of version 3 or 2; None where there is none."""
    for name in ("zarr.json", ".zarray", ".zgroup"):
        file = folder / name
        if file.is_file():
            try:
                if file.stat().st_size > LARGEST_METADATA:
                    raise InputError(f"{file}: not a readable Zarr store (metadata of over {LARGEST_METADATA} bytes)")
                about = json.loads(file.read_text(encoding="utf-8"))
                attributes = folder / ".zattrs"
                if name == ".zarray" and attributes.is_file() and attributes.stat().st_size <= LARGEST_METADATA:
                    about["attributes"] = json.loads(attributes.read_text(encoding="utf-8"))
            except InputError:
                raise
            except (ValueError, RecursionError, TypeError) as error:
                raise InputError(f"{file}: not a readable Zarr store ({show(str(error))})") from None
            if not isinstance(about, dict) or about.get("zarr_format") not in (2, 3):
                raise InputError(f"{file}: not a readable Zarr store (no zarr_format 2 or 3)")
            return about
    return None


def _array(store: Path, name: str, about: dict[str, Any]) -> ForeignArray:
    where = f"{store}: {name}" if name else str(store)
    try:
        make = _array_of_version_3 if about["zarr_format"] == 3 else _array_of_version_2
        array = make(store, name, about, where)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise InputError(f"{where}: not a readable Zarr array ({show(repr(error))})") from None
    for part in (array.shape, array.stored, array.chunks):
        least = 0 if part is array.shape else 1
        if len(part) != len(array.shape) or any(not isinstance(n, int) or not least <= n < 2**63 for n in part):
            raise must(f"{where}: shape and chunks", "be whole numbers, of one length", (array.shape, array.chunks))
    size = int(np.prod(array.chunks, dtype=object)) * array.dtype.itemsize
    if size > LARGEST_CHUNK:
        rule = f"hold at most {LARGEST_CHUNK // MIB} MiB each"
        raise must(f"{where}: chunks", rule, f"{array.chunks}, {size // MIB} MiB", "write it in smaller chunks")
    return array


def _array_of_version_3(store: Path, name: str, about: dict[str, Any], where: str) -> ForeignArray:
    kind = about["data_type"]
    if kind not in KINDS:
        raise must(f"{where}: data_type", f"be one of {', '.join(KINDS)}", kind, "objects and text are never decoded")
    if about.get("storage_transformers"):
        raise must(f"{where}: storage_transformers", "be empty", about["storage_transformers"], _REWRITE)
    if about["chunk_grid"]["name"] != "regular":
        raise must(f"{where}: chunk_grid", "be regular", about["chunk_grid"]["name"], _REWRITE)
    shape = tuple(about["shape"])
    stored = chunks = tuple(about["chunk_grid"]["configuration"]["chunk_shape"])
    sharding = _checked_codecs(about["codecs"], CODECS, where)
    start, checked = None, True
    if sharding is not None:
        inside = sharding["configuration"]
        if _checked_codecs(inside["codecs"], CODECS[:-1], where) is not None or len(about["codecs"]) != 1:
            raise InputError(f"{where}: shards within shards, or under another codec, are not read; {_REWRITE}")
        _checked_codecs(inside["index_codecs"], INDEX_CODECS, where)
        start, checked = inside.get("index_location", "end") == "start", len(inside["index_codecs"]) == 2
        chunks = tuple(inside["chunk_shape"])
        if len(chunks) != len(stored) or any(s % c for s, c in zip(stored, chunks)):
            raise must(f"{where}: chunks of a shard", f"divide its shape {stored}", chunks)
    encoding = about.get("chunk_key_encoding", {"name": "default"})
    plain = encoding["name"] == "default"
    separator = encoding.get("configuration", {}).get("separator", "/" if plain else ".")
    if encoding["name"] not in ("default", "v2") or separator not in ("/", "."):
        raise must(f"{where}: chunk_key_encoding", "be default or v2", encoding)
    names = tuple(about.get("dimension_names") or (None,) * len(shape))
    return ForeignArray(
        store, name, shape, np.dtype(kind), stored, chunks, names, separator, "c" if plain else "", start, checked
    )


def _checked_codecs(codecs: Any, allowed: tuple[str, ...], where: str) -> dict[str, Any] | None:
    """Refuse codecs outside a list; return the sharding codec, if it is among them."""
    found = None
    for codec in codecs:
        name = codec if isinstance(codec, str) else codec["name"]
        if name not in allowed:
            rule = f"be among {', '.join(allowed)}"
            raise must(f"{where}: codecs", rule, name, f"it is not decoded; {_REWRITE}")
        if name == "sharding_indexed":
            found = codec
    return found


def _array_of_version_2(store: Path, name: str, about: dict[str, Any], where: str) -> ForeignArray:
    text = about["dtype"]
    if not isinstance(text, str) or text[1:2] not in ("f", "i", "u") or np.dtype(text).name not in KINDS:
        raise must(f"{where}: dtype", f"be one of {', '.join(KINDS)}", text, "objects and text are never decoded")
    if about.get("filters"):
        found = [one.get("id") if isinstance(one, dict) else one for one in about["filters"]]
        raise must(f"{where}: filters", "be empty", found, f"they are not decoded; {_REWRITE}")
    compressor = about.get("compressor")
    if compressor is not None and compressor["id"] not in COMPRESSORS:
        rule = f"be none or one of {', '.join(COMPRESSORS)}"
        raise must(f"{where}: compressor", rule, compressor["id"], f"it is not decoded; {_REWRITE}")
    shape, chunks = tuple(about["shape"]), tuple(about["chunks"])
    separator = about.get("dimension_separator", ".")
    if separator not in ("/", "."):
        raise must(f"{where}: dimension_separator", "be / or .", separator)
    names = tuple(about.get("attributes", {}).get("_ARRAY_DIMENSIONS") or (None,) * len(shape))
    return ForeignArray(store, name, shape, np.dtype(text), chunks, chunks, names, separator, "")


# --- decoding, by another process -----------------------------------------------------------------------------------


class Decoder:
    """Reads regions of arrays of one store through a worker process."""

    def __init__(self, store: Path, process: subprocess.Popen[bytes]) -> None:
        self.store, self.process = store, process

    def read(self, array: ForeignArray, region: tuple[slice, ...]) -> NDArray[Any]:
        """Return a region of an array.

        Raises
        ------
        InputError
            If it cannot be decoded, or the worker died of it.
        """
        told = {"name": array.name, "region": [[part.start, part.stop] for part in region]}
        shape = tuple(part.stop - part.start for part in region)
        pipe, answers = self.process.stdin, self.process.stdout
        assert pipe is not None
        assert answers is not None
        try:
            pipe.write(json.dumps(told).encode() + b"\n")
            pipe.flush()
        except BrokenPipeError:
            raise self._died(array, region) from None
        head = answers.read(9)
        if len(head) < 9:
            raise self._died(array, region)
        failed, length = struct.unpack("<?q", head)
        if failed:
            said = answers.read(length).decode(errors="replace")
            raise InputError(f"{array.where}: {_place(region)} cannot be decoded ({show(said)}); write it again")
        values = np.empty(shape, dtype=array.dtype.newbyteorder("="))
        if length != values.nbytes or not _read_into(answers, values):
            raise self._died(array, region)
        return values

    def _died(self, array: ForeignArray, region: tuple[slice, ...]) -> InputError:
        code = self.process.wait()
        how = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
        what = "the file is damaged, or made to crash its codec; write it again"
        return InputError(f"{array.where}: {_place(region)} cannot be decoded (the decoding process {how}); {what}")


def _place(region: tuple[slice, ...]) -> str:
    return "[" + ", ".join(f"{part.start}:{part.stop}" for part in region) + "]"


def _read_into(file: IO[bytes], values: NDArray[Any]) -> bool:
    view = memoryview(values.reshape(-1).view(np.uint8).data)
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            return False
        done += count
    return True


@contextmanager
def decoder(store: Path, largest: int) -> Iterator[Decoder]:
    """Run a worker that decodes arrays of a store; `largest` is the size in bytes of the largest region asked of it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "csist_bench.datasets.zarr_worker", str(store.resolve()), str(largest)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        yield Decoder(store, process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
