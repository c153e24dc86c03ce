"""Scores of resampled trajectories: what the intervals of a file and the comparison of files are made of.

Whole trajectories are drawn with replacement, never frames: the frames of one trajectory are nearly copies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import must
from csist_bench.evaluation.matching import Matched
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

INTERVAL_PERCENTILES = (2.5, 97.5)


def draws(n: int, resamples: int, seed: int) -> Ints:
    """Return how often each of n trajectories is drawn in each resample, shape (resamples, n)."""
    if resamples < 1:
        raise must("bootstrap", "be at least 1 resample", resamples)
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)


def resampled_scores(matched: Matched, truth: Truth, weights: Ints, chosen: Bools | None = None) -> Floats:
    """Return the AP at each threshold and, last, their mean of every resample, shape (B, D + 1), percent.

    Parameters
    ----------
    weights : ndarray, shape (B, M)
        How often each scored trajectory counts.
    chosen : ndarray, shape (F,), optional
        Mask of the scored frames that count; all by default.
    """
    from csist_bench.evaluation import _kernels as kernel

    trajectory, hits = matched.frame // len(truth.frames), matched.hits
    count = truth.frame_count
    if chosen is not None:
        rows = chosen[matched.frame]
        trajectory, hits, count = trajectory[rows], hits[:, rows], np.where(chosen, count, 0)
    targets = count.reshape(len(truth.trajectories), -1).sum(axis=1)
    out = np.empty((len(weights), len(hits)))
    kernel.weighted_average_precision(np.ascontiguousarray(hits.T), trajectory, weights, targets, out)
    return 100 * np.column_stack([out, out.mean(axis=1)])
