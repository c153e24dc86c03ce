"""Answers of `ml` on a noisy set, and the same with a turned copy added: no new knowledge."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from csist_bench.api import generate
from csist_bench.detections import Detections, concatenate
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.inference import unmix


def noisy_answers(path: Path, sigma: float, trajectories: int) -> tuple[Truth, Detections]:
    """Return the truth and the answers of the test split of `seqcsist-noise`."""
    part = generate(path, recipe="seqcsist-noise", trajectories=trajectories, noise_sigma=sigma).test
    return Truth.from_split(part), unmix(part, "ml")


def with_turned_copy(found: Detections, place: str = "below") -> Detections:
    """Add a copy turned by 45 degrees about each frame's centroid, scored below all others, or above."""
    _, frame = np.unique(np.column_stack([found.trajectory, found.frame]), axis=0, return_inverse=True)
    frame = frame.ravel()
    count = np.bincount(frame)
    x, y = ((np.bincount(frame, weights=values) / count)[frame] for values in (found.x, found.y))
    dx, dy = found.x - x, found.y - y
    span = np.ptp(found.score) + 1
    score = found.score + (span if place == "above" else -span)
    turned = Detections(found.trajectory, found.frame, x + (dx - dy) / np.sqrt(2), y + (dx + dy) / np.sqrt(2), score)
    return concatenate([found, turned])
