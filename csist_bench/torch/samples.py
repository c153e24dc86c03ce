"""What one sample of either data set is: windows of frames with their labels, as tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csist_bench.errors import must, unknown
from csist_bench.simulation.optics import Optics, grid_from_targets

Labels = Literal["grid", "points"]
Sample = dict[str, Tensor]
Transform = Callable[[Sample], Any]
LABELS: tuple[Labels, ...] = ("grid", "points")


def checked_labels(labels: str) -> Labels:
    """Return the kind of labels, or say which there are."""
    if labels not in LABELS:
        raise unknown("labels", labels, LABELS)
    return "grid" if labels == "grid" else "points"


def checked_window(window: int | None, frames: int) -> int | None:
    """Return the length of a window: odd, at most a trajectory's; None: the whole trajectory."""
    if window is None:
        return None
    if isinstance(window, bool) or not isinstance(window, int) or window < 1 or window % 2 == 0 or window > frames:
        raise must("window", f"be odd and at most the {frames} frames of a trajectory, or None for all", window)
    return window


def window_of(frame: int, window: int, frames: int) -> NDArray[np.int64]:
    """Return the frames (window,) about one; beyond either end the last frame there is repeated."""
    return np.clip(np.arange(frame - window // 2, frame + window // 2 + 1), 0, frames - 1)


class Cut(NamedTuple):
    """How samples are cut from trajectories: the window (None: all), the kind of labels, and what grids need."""

    window: int | None
    labels: Labels
    optics: Optics
    collision: str


def sample_at(
    trajectory: int, frame: int, arrays: tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]], cut: Cut
) -> Sample:
    """Return the window about a frame of a trajectory, with its labels and its place.

    Parameters
    ----------
    arrays : frames (T, H, W), target places (T, K, 2) and intensities (T, K) of the trajectory
    """
    frames, xy, intensity = arrays
    if cut.window is not None:
        frames = frames[window_of(frame, cut.window, len(frames))]
        xy, intensity = xy[frame], intensity[frame]
    place = {"trajectory": torch.tensor(trajectory), "frame": torch.tensor(frame)}
    return _labelled(frames, xy, intensity, cut) | place


def _labelled(frames: NDArray[Any], xy: NDArray[np.float64], intensity: NDArray[np.float64], cut: Cut) -> Sample:
    """Return frames (L, H, W) and the labels of targets (..., K, 2) and (..., K) as float32 tensors."""
    sample = {"frames": torch.from_numpy(np.asarray(frames, dtype=np.float32))}
    if cut.labels == "grid":
        return sample | {"grid": _tensor(grid_from_targets(xy, intensity, cut.optics, cut.collision))}
    return sample | {"xy": _tensor(xy), "intensity": _tensor(intensity)}


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
