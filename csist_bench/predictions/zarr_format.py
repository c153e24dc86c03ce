"""The Zarr form: heat maps, of version 3 or 2 of the format."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.foreign_zarr import LARGEST_CHUNK, MIB, Decoder, ForeignArray, decoder, open_foreign
from csist_bench.detections import Detections
from csist_bench.errors import InputError, must
from csist_bench.predictions.header import Header, stored_header
from csist_bench.predictions.heat_maps import AXES, BLOCK, HEAT_MAPS, Decoding, from_heat_maps
from csist_bench.predictions.table import IndexBounds

AXIS_NAMES = (("trajectory", "sequence"), ("frame", "time", "t"), ("row", "y"), ("column", "col", "x"))
ABSENT_COUNTED = 1000
CHUNKS_PER_FRAME = 4  # more, smaller ones are taken for a mistake or worse
FEW_CHUNKS = 2000
LARGEST_INDEX = 10**7

Region = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class _StoredMaps:
    """Heat maps in a store; `order` are the array's axes of trajectory, frame, row and column."""

    array: ForeignArray
    order: tuple[int, ...]
    decoder: Decoder
    absent: list[Region]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape as (trajectory, frame, row, column)."""
        return tuple(self.array.shape[axis] for axis in self.order)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.array.dtype

    def blocks(self) -> Iterator[tuple[int, int, NDArray[Any]]]:
        """Yield blocks of whole chunks; what is absent is 0, and left out where all of a block is."""
        lengths = _block(self.shape, tuple(self.array.chunks[axis] for axis in self.order), self.dtype.itemsize)
        starts = (range(0, self.shape[axis], lengths[axis]) for axis in (0, 1))
        for first, start in itertools.product(*starts):
            ends = (min(first + lengths[0], self.shape[0]), min(start + lengths[1], self.shape[1]))
            wanted = (slice(first, ends[0]), slice(start, ends[1]), slice(0, self.shape[2]), slice(0, self.shape[3]))
            region = tuple(wanted[self.order.index(axis)] for axis in range(4))
            holes = [hole for one in self.absent if (hole := _overlap(one, region)) is not None]
            size = sum(int(np.prod([part.stop - part.start for part in hole])) for hole in holes)
            if size == int(np.prod([part.stop - part.start for part in region])):
                continue
            values = self.decoder.read(self.array, region)
            for hole in holes:
                values[hole] = 0
            yield first, start, values.transpose(self.order)


def _overlap(one: Region, region: Region) -> Region | None:
    """Return where a region overlaps another, counted from its origin."""
    both = [(max(a.start, b.start), min(a.stop, b.stop), b.start) for a, b in zip(one, region)]
    return None if any(a >= b for a, b, _ in both) else tuple(slice(a - o, b - o) for a, b, o in both)


def _block(shape: tuple[int, ...], chunks: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """Return the trajectories and frames of a block: whole chunks, as many as fit."""
    each = shape[2] * shape[3] * itemsize
    frames = min(shape[1], chunks[1])
    frames = min(shape[1], frames * max(1, BLOCK // max(1, each * frames * min(shape[0], chunks[0]))))
    trajectories = min(shape[0], chunks[0])
    if frames == shape[1]:
        trajectories *= max(1, BLOCK // max(1, each * frames * trajectories))
    return max(1, trajectories), max(1, frames)


def read_zarr(path: Path, bounds: IndexBounds, warnings: list[str], decoding: Decoding) -> tuple[Detections, Header]:
    """Read a Zarr group with an array `heatmaps` (and index arrays), or an array of heat maps itself."""
    found = open_foreign(path, (HEAT_MAPS, *AXES))
    if HEAT_MAPS not in found:
        raise must(str(path), f"hold an array '{HEAT_MAPS}' (trajectory, frame, row, column)", "none")
    array = found[HEAT_MAPS]
    if len(array.shape) != 4:
        rule = f"be numbers of shape (trajectory, frame, {decoding.c} * size, {decoding.c} * size)"
        raise must(f"{path}: {HEAT_MAPS}", rule, f"{array.dtype} {array.shape}")
    order = _order(array)
    largest = _require_chunks(array, order)
    header = stored_header(None, str(path), warnings)
    with decoder(path, largest) as reader:
        index = {name: _index(reader, found[name]) for name in AXES if name in found}
        maps = _StoredMaps(array, order, reader, [])
        _require_axes(maps, index, bounds)
        maps.absent.extend(_absent(array, order, decoding, index))
        return from_heat_maps(maps, index, str(path), bounds, decoding, header)


def _order(array: ForeignArray) -> tuple[int, ...]:
    """Return the axes that are trajectory, frame, row and column, by their names where these say so."""
    meaning = [
        next((i for i, names in enumerate(AXIS_NAMES) if str(name).lower() in names), None) for name in array.names
    ]
    known = [one for one in meaning if one is not None]
    if sorted(known) == [0, 1, 2, 3]:
        return tuple(meaning.index(axis) for axis in range(4))
    if len(set(known)) != len(known) or any(one not in (None, place) for place, one in enumerate(meaning)):
        rule = "name trajectory, frame, y and x, each once, in any order, or nothing"
        raise must(f"{array.where}: dimension names", rule, array.names)
    return (0, 1, 2, 3)


def _require_chunks(array: ForeignArray, order: tuple[int, ...]) -> int:
    """Refuse chunks that take for ever, or too much memory; return the bytes of the largest block."""
    shape = tuple(array.shape[axis] for axis in order)
    if array.n_chunks > FEW_CHUNKS + CHUNKS_PER_FRAME * shape[0] * shape[1]:
        rule = f"be at most {CHUNKS_PER_FRAME} a frame"
        raise must(f"{array.where}: chunks", rule, f"{array.n_chunks} of {array.chunks}", "write whole frames together")
    trajectories, frames = _block(shape, tuple(array.chunks[axis] for axis in order), array.dtype.itemsize)
    size = min(trajectories, shape[0]) * min(frames, shape[1]) * shape[2] * shape[3] * array.dtype.itemsize
    if size > LARGEST_CHUNK:
        rule = f"be readable in blocks of {LARGEST_CHUNK // MIB} MiB"
        raise must(f"{array.where}: chunks", rule, f"{array.chunks}, {size // MIB} MiB", "write fewer frames together")
    return max(size, int(np.prod(array.chunks)) * array.dtype.itemsize)


def _require_axes(maps: _StoredMaps, index: dict[str, NDArray[Any]], bounds: IndexBounds) -> None:
    """Refuse more trajectories or frames than there are, before chunks are looked for."""
    for axis, full in enumerate((bounds.n_trajectories, bounds.frames_per_trajectory)):
        if full is not None and maps.shape[axis] > full:
            raise must(f"{maps.array.where}: axis {AXES[axis]}", f"have at most length {full}", maps.shape[axis])


def _index(reader: Decoder, array: ForeignArray) -> NDArray[Any]:
    if len(array.shape) != 1 or array.shape[0] > LARGEST_INDEX or array.n_chunks > FEW_CHUNKS:
        raise must(
            array.where, "be one row of whole numbers in few chunks", f"{array.shape} in {array.n_chunks} chunks"
        )
    if next(array.absent(), None) is not None:
        raise InputError(f"{array.where}: a chunk of it is absent; write it again with write_empty_chunks=True")
    return reader.read(array, (slice(0, array.shape[0]),))


def _absent(
    array: ForeignArray, order: tuple[int, ...], decoding: Decoding, index: dict[str, NDArray[Any]]
) -> list[Region]:
    """Return the regions whose chunks are absent, if these may be; else raise, naming the frames of the first."""
    missing = list(itertools.islice(array.absent(), None if decoding.absent_chunks == "empty" else ABSENT_COUNTED))
    if not missing or decoding.absent_chunks == "empty":
        return missing
    parts = []
    for axis, name in zip(order, AXES):
        bounds = missing[0][axis]
        told = index.get(name)
        named = (told[bounds][0], told[bounds][-1]) if told is not None else (bounds.start, bounds.stop - 1)
        parts.append(f"{name} {named[0]}..{named[1]}")
    more = f" and {len(missing) - 1}{'+' if len(missing) == ABSENT_COUNTED else ''} more" if len(missing) > 1 else ""
    raise InputError(
        f"{array.where}: the chunk of {', '.join(parts)} is absent{more}: half written, or left out because it is empty"
        "; write it with write_empty_chunks=True, or name what is there in index arrays 'trajectory' and 'frame', or"
        " pass --absent-chunks empty to take what is absent for frames without detections"
    )
