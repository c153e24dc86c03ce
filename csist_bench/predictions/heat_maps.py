"""Heat maps as predictions: what NPZ and Zarr files of them share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import GRID_THRESHOLD
from csist_bench.detections import Detections, concatenate, detections_from_grid
from csist_bench.errors import OFFENDERS_SHOWN, must, offenders
from csist_bench.predictions.header import Header
from csist_bench.predictions.table import LARGEST, IndexBounds, detections_from_columns
from csist_bench.recipes import DataRecipe

HEAT_MAPS = "heatmaps"
AXES = ("trajectory", "frame")
LARGEST_SIZE = 512  # px; of an imager
BLOCK = 64 * 2**20  # bytes of heat maps that are decoded together

AbsentChunks = Literal["error", "empty"]


@dataclass(frozen=True)
class Decoding:
    """How heat maps become detections: c nodes per pixel, the least node value (grey levels).

    `size` is that of the imager in px (None: anything); `absent_chunks` says what chunks of Zarr maps mean that are
    not there: an error, or frames without detections.
    """

    c: int = 3
    threshold: float = GRID_THRESHOLD
    size: int | None = None
    absent_chunks: AbsentChunks = "error"

    @classmethod
    def of_data(
        cls, recipe: DataRecipe, threshold: float | None = None, absent_chunks: AbsentChunks = "error"
    ) -> Decoding:
        """Return the decoding of heat maps that answer a set of this recipe."""
        return cls(recipe.c, recipe.grid_threshold if threshold is None else threshold, recipe.size, absent_chunks)


class Maps(Protocol):
    """Heat maps (trajectory, frame, row, column) that are read in blocks."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102
    def blocks(self) -> Iterator[tuple[int, int, NDArray[Any]]]:
        """Yield first trajectory, first frame and maps of each block."""
        ...


def from_heat_maps(
    maps: Maps, index: Mapping[str, NDArray[Any]], where: str, bounds: IndexBounds, decoding: Decoding, header: Header
) -> tuple[Detections, Header]:
    """Check the shape of heat maps, then decode them block by block; the header then says which frames they answer."""
    bounds.refuse_convention(where)
    _require_shape(maps, where, decoding)
    trajectory = _axis(index, "trajectory", maps.shape[0], bounds.n_trajectories, where)
    frame = _axis(index, "frame", maps.shape[1], bounds.frames_per_trajectory, where)
    parts = [Detections.empty()]
    for first, start, values in maps.blocks():
        _require_finite(values, where, (first, start))
        parts.append(detections_from_grid(values, decoding.c, decoding.threshold).shifted(first, start))
    decoded = concatenate(parts)
    columns = {**decoded.columns(), "trajectory": trajectory[decoded.trajectory], "frame": frame[decoded.frame]}
    detections = detections_from_columns(columns, where, lambda row, name: f"detection {row}", bounds)
    whole = len(frame) > 0 and np.array_equal(frame, np.arange(frame[0], frame[0] + len(frame)))
    frames = f"{frame[0]}:{frame[-1] + 1}" if whole else header.frames
    return detections, replace(header, n_frames=maps.shape[0] * maps.shape[1], frames=frames)


def _require_shape(maps: Maps, where: str, decoding: Decoding) -> None:
    c, size, shape = decoding.c, decoding.size, maps.shape
    side = shape[2] if len(shape) == 4 and shape[2] == shape[3] else 0
    fits = side == c * size if size is not None else 0 < side <= c * LARGEST_SIZE and side % c == 0
    if not fits or maps.dtype.kind not in "fiu":
        wanted = f"{c} * size" if size is None else c * size
        rule = f"be numbers of shape (trajectory, frame, {wanted}, {wanted})"
        raise must(f"{where}: {HEAT_MAPS}", rule, f"{maps.dtype} {shape}")


def _require_finite(values: NDArray[Any], where: str, origin: tuple[int, int]) -> None:
    if values.dtype.kind != "f":
        return
    size = np.abs(values, dtype=np.promote_types(values.dtype, np.float32))  # the bound is beyond half precision
    bad = ~(size <= LARGEST)
    if bad.any():
        places = [tuple(int(i) for i in at) for at in np.argwhere(bad)[:OFFENDERS_SHOWN]]
        found = [f"{(at[0] + origin[0], at[1] + origin[1], *at[2:])}: {values[at]}" for at in places]
        raise offenders(where, f"heatmaps must be finite and at most {LARGEST:g} in size", found, int(bad.sum()))


def _axis(
    arrays: Mapping[str, NDArray[Any]], name: str, length: int, full: int | None, where: str
) -> NDArray[np.int64]:
    """Return the indices along one axis of the heat maps: given, or 0, 1, ... if the axis is complete."""
    if name not in arrays:
        if full is not None and length != full:
            remedy = f"add an index array '{name}' that says which these are"
            raise must(f"{where}: axis {name} of {HEAT_MAPS}", f"have length {full}", length, remedy)
        return np.arange(length)
    index = arrays[name]
    if index.shape != (length,) or index.dtype.kind not in "iu" or len(np.unique(index)) != length:
        raise must(f"{where}: {name}", f"be {length} different whole numbers", f"{index.dtype} {index.shape}")
    if length and (index.min() < 0 or (full is not None and index.max() >= full)):
        rule = "be at least 0" if full is None else f"be in [0, {full})"
        raise must(f"{where}: {name}", rule, f"{index.min()}..{index.max()}")
    return index.astype(np.int64)
