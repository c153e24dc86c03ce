"""Heat maps as predictions: what NPZ and Zarr files of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections, detections_from_grid
from csist_bench.errors import OFFENDERS_SHOWN, must, offenders
from csist_bench.predictions.header import Header
from csist_bench.predictions.table import LARGEST, IndexBounds, detections_from_columns

HEAT_MAPS = "heatmaps"


@dataclass(frozen=True)
class Decoding:
    """How heat maps become detections: c nodes per pixel, and the least node value (grey levels)."""

    c: int
    threshold: float


def from_heat_maps(
    arrays: Mapping[str, NDArray[Any]], where: str, bounds: IndexBounds, decoding: Decoding, header: Header
) -> tuple[Detections, Header]:
    """Check heat maps and decode them; the header then says which frames they answer."""
    bounds.refuse_convention(where)
    maps = arrays[HEAT_MAPS]
    if maps.ndim != 4 or maps.dtype.kind not in "fiu" or maps.shape[2] != maps.shape[3] or maps.shape[2] % decoding.c:
        rule = f"be numbers of shape (trajectory, frame, {decoding.c} * size, {decoding.c} * size)"
        raise must(f"{where}: {HEAT_MAPS}", rule, f"{maps.dtype} {maps.shape}")
    if maps.dtype.kind == "f":
        bad = ~(np.abs(maps) <= LARGEST)
        if bad.any():
            found = [f"{tuple(int(i) for i in at)}: {maps[tuple(at)]}" for at in np.argwhere(bad)[:OFFENDERS_SHOWN]]
            raise offenders(where, f"heatmaps must be finite and at most {LARGEST:g} in size", found, int(bad.sum()))
    trajectory = _axis(arrays, "trajectory", len(maps), bounds.n_trajectories, where)
    frame = _axis(arrays, "frame", maps.shape[1], bounds.frames_per_trajectory, where)
    decoded = detections_from_grid(maps, decoding.c, decoding.threshold)
    columns = {**decoded.columns(), "trajectory": trajectory[decoded.trajectory], "frame": frame[decoded.frame]}
    detections = detections_from_columns(columns, where, lambda row, name: f"detection {row}", bounds)
    whole = len(frame) > 0 and np.array_equal(frame, np.arange(frame[0], frame[0] + len(frame)))
    frames = f"{frame[0]}:{frame[-1] + 1}" if whole else header.frames
    count = maps.shape[0] * maps.shape[1]
    answered = Header(header.method, header.dataset, header.split, header.fingerprint, count, frames)
    return detections, answered


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
