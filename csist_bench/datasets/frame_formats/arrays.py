"""Arrays of NumPy and Zarr."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from csist_bench.datasets.array_files import open_npz, read_npy, refuse_bomb
from csist_bench.datasets.foreign_zarr import (
    LARGEST_CHUNK,
    MIB,
    ForeignArray,
    array_names,
    decoder,
    open_foreign,
)
from csist_bench.datasets.frame_axes import Stored, named_order, one_of
from csist_bench.errors import InputError, must

BLOCK = 64 * MIB  # decoded at once, or one chunk
MOST_CHUNKS = 10**6

Region = tuple[slice, ...]


def read_npy_frames(path: Path) -> Stored:
    """Read a .npy file."""
    return Stored(read_npy(path))


def read_npz_frames(path: Path, array: str | None) -> Stored:
    """Read an array of an NPZ file."""
    with open_npz(path) as archive:
        headers = {name: archive.header(name) for name in archive.names} if array is None else {}
        shapes = {name: head.shape if head.dtype.kind in "fiu" else None for name, head in headers.items()}
        name = one_of(shapes or dict.fromkeys(archive.names), array, str(path), "array")
        archive.unpacked([name])
        return Stored(archive.read(name), f"array {name!r}")


def read_zarr_frames(path: Path, array: str | None) -> Stored:
    """Read an array of a Zarr store, or one that is the store itself; its dimension names tell the axes."""
    foreign = open_frames(path, array)
    _require_sizes(foreign)
    values = np.empty(foreign.shape, foreign.dtype.newbyteorder("="))
    regions = list(_regions(foreign))
    largest = max((_size(region) for region in regions), default=0) * foreign.dtype.itemsize
    if regions:
        with decoder(foreign.store, largest) as worker:
            for region in regions:
                values[region] = worker.read(foreign, region)
    what = f"array {foreign.name!r}" if foreign.name else "array"
    return Stored(values, what, named_order(foreign.names))


def open_frames(path: Path, array: str | None) -> ForeignArray:
    """Return the array of a store that is meant, unread."""
    names = array_names(path) or []
    if names == [""]:
        if array is not None:
            raise must("--array", f"be left out for {path}, which is an array itself", array)
        return open_foreign(path, ("frames",))["frames"]
    found = open_foreign(path, (array,) if array in names else tuple(names) if array is None else ())
    name = one_of({name: one.shape for name, one in found.items()} or dict.fromkeys(names), array, str(path), "array")
    return found[name]


def _require_sizes(array: ForeignArray) -> None:
    """Refuse chunks that are absent, and what unpacks to far more than is stored."""
    if array.n_chunks > MOST_CHUNKS:
        raise must(f"{array.where}: chunks", f"be at most {MOST_CHUNKS}", array.n_chunks, "write it in larger chunks")
    if (missing := next(array.absent(), None)) is not None:
        place = ", ".join(f"{part.start}:{part.stop}" for part in missing)
        raise InputError(
            f"{array.where}: the chunk of [{place}] is absent: half written, or left out because it is constant;"
            " write it with write_empty_chunks=True"
        )
    packed = sum(file.stat().st_size for file in (array.store / array.name).rglob("*") if file.is_file())
    refuse_bomb(array.where, packed, int(np.prod(array.shape, dtype=object)) * array.dtype.itemsize)


def _regions(array: ForeignArray) -> Iterator[Region]:
    """Yield regions of whole chunks that together are the array, as many chunks at once as a block takes."""
    lengths = [min(c, n) for c, n in zip(array.chunks, array.shape)]
    for axis in reversed(range(len(lengths))):
        fits = BLOCK // max(1, int(np.prod(lengths)) * array.dtype.itemsize)
        lengths[axis] = min(array.shape[axis], lengths[axis] * max(1, fits))
    if int(np.prod(lengths)) * array.dtype.itemsize > LARGEST_CHUNK:
        raise must(f"{array.where}: chunks", f"hold at most {LARGEST_CHUNK // MIB} MiB each", array.chunks)
    starts = (range(0, n, length) if n else range(0) for n, length in zip(array.shape, lengths))
    for at in itertools.product(*starts):
        yield tuple(slice(a, min(a + length, n)) for a, length, n in zip(at, lengths, array.shape))


def _size(region: Region) -> int:
    return int(np.prod([part.stop - part.start for part in region]))
