"""Choosing, from samples of a posterior, the positions that are most often right by the rule of CSO-mAP."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import THRESHOLDS
from csist_bench.jit import jit
from csist_bench.methods.fitting.hit_probability import hit_share
from csist_bench.methods.fitting.linear_algebra import copy_rows

Floats = NDArray[np.float64]

CANDIDATES = 6
SHIFTS = 3
SOFTENING = 4e-4  # px^2, keeps the weight 1 / distance finite


@jit
def hits(
    answer: Floats, samples: Floats, kept: int, nearest: NDArray[np.int64], square: Floats, share: Floats
) -> float:
    """Score an answer (K, 3) against samples as if each were the truth, by the rule of CSO-mAP; fill `share` (K,).

    Each position looks at its nearest sampled target alone, and a target counts once, for the position closest to it.
    Returns the expected number of hits; `nearest`, `square` (K,) are scratch.
    """
    k = answer.shape[0]
    share[:] = 0.0
    for s in range(kept):
        assign(answer, samples[s], nearest, square)
        for m in range(k):
            taken = False
            for other in range(k):
                closer = square[other] < square[m] or (square[other] == square[m] and other < m)
                if nearest[other] == nearest[m] and closer:
                    taken = True
            if not taken:
                share[m] += hit_share(square[m])
    total = 0.0
    for m in range(k):
        share[m] /= kept
        total += share[m]
    return total


@jit
def assign(answer: Floats, truth: Floats, nearest: NDArray[np.int64], square: Floats) -> None:
    """Write for every position of `answer` (K, 3) the index of its nearest one in `truth` and the squared distance."""
    for m in range(answer.shape[0]):
        square[m] = math.inf
        for j in range(truth.shape[0]):
            distance = (answer[m, 0] - truth[j, 0]) ** 2 + (answer[m, 1] - truth[j, 1]) ** 2
            if distance < square[m]:
                square[m] = distance
                nearest[m] = j


@jit
def shifted(answer: Floats, samples: Floats, kept: int, out: Floats) -> None:
    """Write to `out` one mean-shift step: each position to the mean of its nearest samples, weighted by 1 / distance.

    That climbs the expected hits, whose share falls about linearly with distance out to the last threshold.
    """
    k = answer.shape[0]
    reach = THRESHOLDS[-1] * THRESHOLDS[-1]
    for m in range(k):
        weight = 0.0
        total_x, total_y, total_s = 0.0, 0.0, 0.0
        for s in range(kept):
            closest, which = math.inf, 0
            for j in range(k):
                distance = (answer[m, 0] - samples[s, j, 0]) ** 2 + (answer[m, 1] - samples[s, j, 1]) ** 2
                if distance < closest:
                    closest, which = distance, j
            if closest < reach:
                w = 1.0 / math.sqrt(closest + SOFTENING)
                weight += w
                total_x += w * samples[s, which, 0]
                total_y += w * samples[s, which, 1]
                total_s += w * samples[s, which, 2]
        if weight > 0.0:
            out[m, 0], out[m, 1], out[m, 2] = total_x / weight, total_y / weight, total_s / weight
        else:
            out[m, 0], out[m, 1], out[m, 2] = answer[m, 0], answer[m, 1], answer[m, 2]


@jit
def choose_positions(theta: Floats, samples: Floats, kept: int, score: Floats) -> None:
    """Replace `theta` (K, 3) by the answer with the most expected hits, and fill its shares, `score` (K,).

    Candidates are theta itself, some of the samples, and mean shifts from the best of them.
    """
    k = theta.shape[0]
    nearest, square, share = np.zeros(k, np.int64), np.zeros(k), np.zeros(k)
    best, current, trial = theta.copy(), theta.copy(), np.empty((k, 3))
    most = hits(theta, samples, kept, nearest, square, share)
    for c in range(CANDIDATES):
        s = (c * kept) // CANDIDATES
        expected = hits(samples[s], samples, kept, nearest, square, share)
        if expected > most:
            most = expected
            copy_rows(samples[s], best)
    copy_rows(best, current)
    for _ in range(SHIFTS):
        shifted(current, samples, kept, trial)
        copy_rows(trial, current)
        expected = hits(current, samples, kept, nearest, square, share)
        if expected > most:
            most = expected
            copy_rows(current, best)
    hits(best, samples, kept, nearest, square, score)
    copy_rows(best, theta)


@jit
def sample_spread(theta: Floats, samples: Floats, kept: int, sigma: Floats) -> None:
    """Fill `sigma` (K, 3) with the root mean square distance of the samples, each assigned one to one, to theta."""
    k = theta.shape[0]
    sigma[:] = 0.0
    used = np.zeros(k, np.bool_)
    for s in range(kept):
        used[:] = False
        for m in range(k):
            closest, which = math.inf, 0
            for j in range(k):
                distance = (theta[m, 0] - samples[s, j, 0]) ** 2 + (theta[m, 1] - samples[s, j, 1]) ** 2
                if not used[j] and distance < closest:
                    closest, which = distance, j
            used[which] = True
            for u in range(3):
                sigma[m, u] += (theta[m, u] - samples[s, which, u]) ** 2
    for m in range(k):
        for u in range(3):
            sigma[m, u] = math.sqrt(sigma[m, u] / kept)
