"""Metrics by number of targets and by separation, and bootstrap intervals over trajectories."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.matching import Matched
from csist_bench.evaluation.metrics import Metrics, PerFrame, metrics
from csist_bench.evaluation.resampling import INTERVAL_PERCENTILES, draws, resampled_scores
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Inner edges of the separation bins, px; 0.5 px is one sigma of the point-spread function of SeqCSIST.
SEPARATION_EDGES = (0.3, 0.45, 0.6, 0.75, 1.0)


def by_targets(matched: Matched, truth: Truth, per_frame: PerFrame) -> tuple[Metrics, ...]:
    """Return the metrics of the frames of each number of targets."""
    return _metrics_of(masks_by_targets(truth), matched, truth, per_frame)


def by_separation(matched: Matched, truth: Truth, per_frame: PerFrame) -> tuple[Metrics, ...]:
    """Return the metrics of the frames of each bin of separation; frames below two targets are a bin of their own."""
    return _metrics_of(masks_by_separation(truth), matched, truth, per_frame)


def masks_by_targets(truth: Truth) -> list[tuple[str, Bools]]:
    """Return a label and a mask (F,) of the scored frames for each number of targets."""
    return [(f"K = {k}", truth.frame_count == k) for k in np.unique(truth.frame_count)]


def masks_by_separation(truth: Truth) -> list[tuple[str, Bools]]:
    """Return a label and a mask (F,) of the scored frames for each bin of separation."""
    apart = separation(truth)
    edges = (0.0, *SEPARATION_EDGES, np.inf)
    masks = [("fewer than 2 targets", np.isinf(apart))]
    for low, high in itertools.pairwise(edges):
        label = f"{low:g} to {high:g} px" if np.isfinite(high) else f"{low:g} px and more"
        masks.append((label, (apart >= low) & (apart < high) & np.isfinite(apart)))
    return masks


def _metrics_of(
    masks: Iterable[tuple[str, Bools]], matched: Matched, truth: Truth, per_frame: PerFrame
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
    """Return 95 % intervals (percent) of the AP at each threshold and, last, of their mean."""
    samples = resampled_scores(matched, truth, draws(len(truth.trajectories), resamples, seed))
    low, high = np.percentile(samples, INTERVAL_PERCENTILES, axis=0)
    return tuple((float(a), float(b)) for a, b in zip(low, high))
