"""Metrics by number of targets and by separation, and bootstrap intervals over trajectories."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import must
from csist_bench.evaluation.matching import Matched
from csist_bench.evaluation.metrics import Metrics, PerFrame, metrics
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Inner edges of the separation bins, px; 0.5 px is one sigma of the point-spread function of SeqCSIST.
SEPARATION_EDGES = (0.3, 0.45, 0.6, 0.75, 1.0)
INTERVAL_PERCENTILES = (2.5, 97.5)


def by_targets(matched: Matched, truth: Truth, per_frame: PerFrame) -> tuple[Metrics, ...]:
    """Return the metrics of the frames of each number of targets."""
    masks = ((f"K = {k}", truth.frame_count == k) for k in np.unique(truth.frame_count))
    return _metrics_of(masks, matched, truth, per_frame)


def by_separation(matched: Matched, truth: Truth, per_frame: PerFrame) -> tuple[Metrics, ...]:
    """Return the metrics of the frames of each bin of separation; frames below two targets are a bin of their own."""
    apart = separation(truth)
    edges = (0.0, *SEPARATION_EDGES, np.inf)
    masks = [("fewer than 2 targets", np.isinf(apart))]
    for low, high in itertools.pairwise(edges):
        label = f"{low:g} to {high:g} px" if np.isfinite(high) else f"{low:g} px and more"
        masks.append((label, (apart >= low) & (apart < high) & np.isfinite(apart)))
    return _metrics_of(iter(masks), matched, truth, per_frame)


def _metrics_of(
    masks: Iterator[tuple[str, Bools]], matched: Matched, truth: Truth, per_frame: PerFrame
) -> tuple[Metrics, ...]:
    return tuple(metrics(label, matched, truth, per_frame, mask) for label, mask in masks if mask.any())


def separation(truth: Truth) -> Floats:
    """Return the smallest distance between any two targets of each scored frame, shape (F,), px; inf below two."""
    xy = truth.frame_xy
    apart = np.full(truth.n_frames, np.inf)
    for i in range(xy.shape[1]):
        for j in range(i):
            apart = np.fmin(apart, np.hypot(*(xy[:, i] - xy[:, j]).T))
    return apart


def bootstrap_intervals(
    matched: Matched, truth: Truth, resamples: int = 1000, seed: int = 0
) -> tuple[tuple[float, float], ...]:
    """Return 95 % intervals (percent) of the AP at each threshold and, last, of their mean.

    Whole trajectories are drawn with replacement, never frames: the frames of one trajectory are nearly copies.
    """
    from csist_bench.evaluation import _kernels as kernel

    if resamples < 1:
        raise must("bootstrap", "be at least 1 resample", resamples)
    n, per_trajectory = len(truth.trajectories), len(truth.frames)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    targets = truth.frame_count.reshape(n, per_trajectory).sum(axis=1)
    trajectory = matched.frame // per_trajectory
    out = np.empty((resamples, len(matched.hits)))
    places = [np.flatnonzero(row) for row in matched.hits]
    start = np.cumsum([0, *map(len, places)])
    scratch = np.empty((2, len(trajectory)), dtype=np.int64)
    kernel.weighted_average_precision(np.concatenate(places), start, trajectory, weights, targets, scratch, out)
    samples = 100 * np.column_stack([out, out.mean(axis=1)])
    low, high = np.percentile(samples, INTERVAL_PERCENTILES, axis=0)
    return tuple((float(a), float(b)) for a, b in zip(low, high))
