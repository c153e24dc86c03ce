"""Random and hand-made scenes for the scoring tests."""

from __future__ import annotations

import numpy as np

from csist_bench.detections import Detections
from csist_bench.evaluation.truth import Truth


def truth_of(targets, n, t, intensity=None, frames=None, trajectories=None):
    """Return the truth of N x T frames from a list of target lists (one a frame, in order)."""
    k = max(1, *(len(rows) for rows in targets))
    xy, light = np.full((n * t, k, 2), np.nan), np.full((n * t, k), np.nan)
    for index, rows in enumerate(targets):
        if len(rows):
            xy[index, : len(rows)] = rows
            light[index, : len(rows)] = 230.0 if intensity is None else intensity[index]
    count = np.array([len(rows) for rows in targets]).reshape(n, t)
    shaped = xy.reshape(n, t, k, 2), light.reshape(n, t, k), count
    return Truth.from_arrays(*shaped, frames or range(t), trajectories)


def detections_of(rows, **optional):
    """Return detections from rows (trajectory, frame, x, y, score)."""
    table = np.array(rows, dtype=float).reshape(-1, 5)
    index = table[:, :2].astype(np.int64)
    return Detections(index[:, 0], index[:, 1], table[:, 2], table[:, 3], table[:, 4], **optional)


def random_scene(rng, n=2, t=3, most_targets=4, most_found=6):
    """Return (targets per frame, detection rows): on a lattice, so that ties, equal distances and thresholds occur."""
    step = rng.choice([1 / 32, 1 / 16, 0.05])
    targets = [4 + step * rng.integers(0, 12, (rng.integers(0, most_targets + 1), 2)) for _ in range(n * t)]
    if not any(len(rows) for rows in targets):
        targets[0] = np.array([[5.0, 5.0]])
    rows = set()
    for index in range(n * t):
        for _ in range(rng.integers(0, most_found + 1)):
            if len(targets[index]) and rng.random() < 0.8:
                place = targets[index][rng.integers(len(targets[index]))] + step * rng.integers(-5, 6, 2)
            else:
                place = rng.uniform(-2, 12, 2)
            rows.add((index // t, index % t, *map(float, place)))
    scored = [(*row, float(rng.integers(0, 5))) for row in sorted(rows)]
    rng.shuffle(scored)
    return targets, [tuple(row) for row in scored]


def frames_of(targets, rows, t):
    """Return the naive scorer's list of (detections, targets)."""
    frames = [([], [tuple(map(float, xy)) for xy in group]) for group in targets]
    for row in rows:
        frames[int(row[0]) * t + int(row[1])][0].append(row)
    return frames
