"""The frames that a camera is calibrated from: a split of a data set, a file of frames, or an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets import Split, open_dataset
from csist_bench.datasets.frame_axes import FrameLayout
from csist_bench.datasets.frame_files import BareFrames, read_bare_frames
from csist_bench.datasets.frame_kinds import is_bare_frames

MOST_TRAJECTORIES = 500  # of a data set that are read


def frames_of(
    source: str | Path | NDArray[Any] | BareFrames | Split,
    split: str | None = None,
    allow_partial: bool = False,
    layout: FrameLayout | None = None,
) -> tuple[NDArray[Any], str]:
    """Return frames (N, T, H, W), grey levels, and what was read, in one line.

    Whole numbers that a file stores as such stay whole numbers. Of a data set the split `train` is read, `test` where
    it has none; its recipe is not looked at.
    """
    if isinstance(source, np.ndarray):
        source = BareFrames.of(source)
    elif isinstance(source, (str, Path)):
        path = str(source)
        if is_bare_frames(path):
            source = read_bare_frames(path, layout)
        else:
            opened = open_dataset(path, allow_partial)
            if layout is not None:
                layout.refuse_for_data_set(path)
            name = split or ("train" if "train" in opened.splits else "test")
            part = opened.split(name)
            return _of_split(part), f"{path}: split {name}, {part.n_trajectories} sequences of {part.n_frames} frames"
    if isinstance(source, BareFrames):
        return source.frames, source.note
    return _of_split(source), source.name


def _of_split(part: Split) -> NDArray[Any]:
    """Return trajectories of a split, evenly spread where there are many."""
    step = max(1, part.n_trajectories // MOST_TRAJECTORIES)
    return np.concatenate([part.read("frames", n, n + 1) for n in range(0, part.n_trajectories, step)])
