"""Answers of imagined methods: the truth with errors, misses and false alarms that differ by trajectory."""

from __future__ import annotations

import numpy as np

from csist_bench.detections import Detections
from csist_bench.evaluation.truth import Truth
from tests.helpers.scenes import detections_of, truth_of


def crowded_truth(n: int, t: int = 4, seed: int = 0) -> Truth:
    """Return the truth of n trajectories of t frames with 2 or 3 targets."""
    rng = np.random.default_rng(seed)
    targets = []
    for _ in range(n):
        start = 5 + rng.normal(0, 0.4, (rng.integers(2, 4), 2))
        targets += [start + 0.05 * frame for frame in range(t)]
    return truth_of(targets, n, t, intensity=[rng.uniform(220, 250, len(rows)) for rows in targets])


def noisy_answers(truth: Truth, error: float, missed: float = 0.05, false: float = 0.1, seed: int = 0) -> Detections:
    """Return answers with a position error (px) that varies by trajectory, and shares of misses and false alarms."""
    rng = np.random.default_rng(seed)
    hard = np.random.default_rng(99).lognormal(0, 0.5, len(truth.count))  # the same trajectories are hard for all
    rows = []
    for i, frames in enumerate(truth.xy):
        for f, places in enumerate(frames):
            for x, y in places[np.isfinite(places[:, 0])]:
                if rng.random() > missed:
                    dx, dy = rng.normal(0, error * hard[i], 2)
                    rows.append((i, f, x + dx, y + dy, rng.normal(1, 0.3)))
                if rng.random() < false:
                    rows.append((i, f, *rng.uniform(3, 7, 2), rng.normal(0.6, 0.3)))
    return detections_of(rows)


def swapped(first: Detections, second: Detections, seed: int) -> tuple[Detections, Detections]:
    """Return both with the answers of every other trajectory, drawn at random, exchanged: they differ by chance."""
    turned = np.random.default_rng(seed).random(1 + max(first.trajectory.max(), second.trajectory.max())) < 0.5
    return _mixed(first, second, turned), _mixed(second, first, turned)


def _mixed(own: Detections, other: Detections, turned: np.ndarray) -> Detections:
    parts = [own.select(~turned[own.trajectory]), other.select(turned[other.trajectory])]
    names = ("trajectory", "frame", "x", "y", "score")
    return Detections(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
