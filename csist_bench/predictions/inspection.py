"""What `info` and `validate` say of a prediction file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from csist_bench.checks import InputError
from csist_bench.detections import OPTIONAL
from csist_bench.predictions.reading import read_predictions

if TYPE_CHECKING:
    from csist_bench.store import Store


def describe(path: str | Path) -> dict[str, Any]:
    """Return the header of a prediction file and what it holds; indices are not held against any data set."""
    read = read_predictions(path, frames_per_trajectory=None, n_trajectories=None)
    detections, header = read.detections, read.header
    images = np.unique(np.column_stack([detections.trajectory, detections.frame]), axis=0)
    return {
        "path": str(path),
        "dataset": header.dataset,
        "split": header.split,
        "fingerprint": header.fingerprint,
        "frames": header.frames,
        "frames_answered": header.n_frames,
        "frames_with_detections": len(images),
        "detections": len(detections),
        "optional_columns": [name for name in detections.columns() if name in OPTIONAL],
        "warnings": read.warnings,
        "method": header.method,
    }


def check_against(path: str | Path, store: Store) -> list[str]:
    """Return what is wrong with a prediction file for a data set; the split is the one it names, or test."""
    try:
        open_ended = read_predictions(
            path, frames_per_trajectory=store.recipe.frames, n_trajectories=None, c=store.recipe.c
        )
        split = open_ended.header.split or "test"
        if mismatch := open_ended.header.mismatch(store.fingerprint, split):
            return [f"{path}: {mismatch}"]
        part = store.split(split)
        read_predictions(
            path, frames_per_trajectory=part.n_frames, n_trajectories=part.n_trajectories, c=store.recipe.c
        )
    except InputError as error:
        return [str(error)]
    return []
