"""How much each trajectory bears on the scores: the infinitesimal jackknife.

If trajectory i counts w_i times, AP is a smooth function of the weights wherever the maxima of its precision envelope
stay where they are. Its derivative U_i at w = 1 is the influence of the trajectory, and since the weights of a
bootstrap have the covariance (identity - 1/M), the bootstrap's variance is sum_i U_i^2 to first order (Efron 2014,
"Estimation and accuracy after model selection", JASA 109). The influences of two methods on the same trajectories give
the variance of their difference: sum_i (U_i - V_i)^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.matching import Matched
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def influences(matched: Matched, truth: Truth) -> Floats:
    """Return the influence of each scored trajectory on the AP at each threshold, shape (D, M), percent.

    Each row sums to zero: AP does not change when all weights grow alike.
    """
    trajectory = matched.frame // len(truth.frames)
    targets = truth.frame_count.reshape(len(truth.trajectories), -1).sum(axis=1)
    rows = [_influence_on_ap(hits, trajectory, targets) for hits in matched.hits]
    return 100 * np.stack(rows)


def _influence_on_ap(hits: Bools, trajectory: Ints, targets: Ints) -> Floats:
    """Return d AP / d w (M,) from ranked hits (n,), the trajectory of each detection and the targets of each.

    With N targets, envelope e_k at the k-th hit and its maximum at the hit j(k), whose precision is p_j = h_j / r_j,
    AP = (1/N) sum_k e_k. A weight moves the number of hits, N, and every p_j through the detections ranked above it.
    """
    total = int(targets.sum())
    places = np.flatnonzero(hits)
    if not len(places):
        return np.zeros(len(targets))
    precision = np.arange(1, len(places) + 1) / (places + 1)
    maxima = _last_maximum(precision)
    envelope = precision[maxima]
    # What the envelope's value at a maximum carries, per detection ranked down to there.
    carried = np.bincount(maxima, minlength=len(places)) / (places + 1)
    gain, loss = np.zeros(len(hits)), np.zeros(len(hits))
    gain[places], loss[places] = carried, carried * precision
    gain, loss = np.cumsum(gain[::-1])[::-1], np.cumsum(loss[::-1])[::-1]
    each = np.where(hits, gain, 0.0) - loss
    each[places] += envelope
    of_trajectory = np.bincount(trajectory, weights=each, minlength=len(targets))
    return np.asarray((of_trajectory - envelope.sum() / total * targets) / total)


def _last_maximum(precision: Floats) -> Ints:
    """Return, for each place, where the maximum of the values from there on is; of equal ones the last."""
    backwards = precision[::-1]
    envelope = np.maximum.accumulate(backwards)
    new = np.append(True, envelope[1:] > envelope[:-1])
    first = np.maximum.accumulate(np.where(new, np.arange(len(precision)), 0))
    return (len(precision) - 1 - first)[::-1]
