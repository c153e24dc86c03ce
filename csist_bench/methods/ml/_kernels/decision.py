"""Choosing, from samples of a posterior, the positions that are most often right by the rule of CSO-mAP.

`samples` (3, K, L) are x, y (px) and intensity of K targets in each of L samples: the sample is the last axis, so that
loops over it are the same arithmetic on neighbouring numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import THRESHOLDS
from csist_bench.jit import jit_bare, jit_inner
from csist_bench.methods.fitting.hit_probability import hit_share
from csist_bench.methods.fitting.linear_algebra import copy_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CANDIDATES = 6
SHIFTS = 3
SOFTENING = 4e-4  # px^2, keeps the weight 1 / distance finite


@jit_bare
def hits(answer: Floats, samples: Floats, nearest: Ints, square: Floats, value: Floats, share: Floats) -> float:
    """Score an answer (K, 3) against samples as if each were the truth, by the rule of CSO-mAP; fill `share` (K,).

    Each position looks at its nearest sampled target alone, and a target counts once, for the position closest to it.
    Returns the expected number of hits; `nearest`, `square` (K, L) and `value` (L,) are scratch.
    """
    k, number = answer.shape[0], samples.shape[2]
    assign(answer, samples, nearest, square)
    total = 0.0
    for m in range(k):
        for s in range(number):
            value[s] = hit_share(square[m, s])
        for other in range(k):
            if other != m:
                leave_out_taken(nearest, square, m, other, value)
        share[m] = 0.0
        for s in range(number):
            share[m] += value[s]
        share[m] /= number
        total += share[m]
    return total


@jit_bare
def leave_out_taken(nearest: Ints, square: Floats, m: int, other: int, value: Floats) -> None:
    """Set the `value` (L,) of position m to 0 in samples where another one lies closer to the same target."""
    first = other < m
    for s in range(value.shape[0]):
        equal = (square[other, s] == square[m, s]) & first
        taken = (nearest[other, s] == nearest[m, s]) & ((square[other, s] < square[m, s]) | equal)
        value[s] = 0.0 if taken else value[s]


@jit_bare
def assign(answer: Floats, samples: Floats, nearest: Ints, square: Floats) -> None:
    """Write for every position of `answer` (K, 3) which target of each sample is nearest, and the squared distance."""
    square[:] = math.inf
    for m in range(answer.shape[0]):
        x, y = answer[m, 0], answer[m, 1]
        for j in range(samples.shape[1]):
            for s in range(samples.shape[2]):
                distance = (x - samples[0, j, s]) ** 2 + (y - samples[1, j, s]) ** 2
                closer = distance < square[m, s]
                square[m, s] = distance if closer else square[m, s]
                nearest[m, s] = j if closer else nearest[m, s]


@jit_bare
def shifted(answer: Floats, samples: Floats, nearest: Ints, square: Floats, value: Floats, out: Floats) -> None:
    """Write to `out` one mean-shift step: each position to the mean of its nearest samples, weighted by 1 / distance.

    That climbs the expected hits, whose share falls about linearly with distance out to the last threshold. `nearest`,
    `square` (K, L) and `value` (L,) are scratch.
    """
    reach = THRESHOLDS[-1] * THRESHOLDS[-1]
    assign(answer, samples, nearest, square)
    for m in range(answer.shape[0]):
        for s in range(value.shape[0]):
            value[s] = 1.0 / math.sqrt(square[m, s] + SOFTENING) if square[m, s] < reach else 0.0
        weight = 0.0
        total_x, total_y, total_s = 0.0, 0.0, 0.0
        for s in range(value.shape[0]):
            w, which = value[s], nearest[m, s]
            weight += w
            total_x += w * samples[0, which, s]
            total_y += w * samples[1, which, s]
            total_s += w * samples[2, which, s]
        if weight > 0.0:
            out[m, 0], out[m, 1], out[m, 2] = total_x / weight, total_y / weight, total_s / weight
        else:
            out[m, 0], out[m, 1], out[m, 2] = answer[m, 0], answer[m, 1], answer[m, 2]


@jit_inner
def choose_positions(theta: Floats, samples: Floats, score: Floats) -> None:
    """Replace `theta` (K, 3) by the answer with the most expected hits, and fill its shares, `score` (K,).

    Candidates are theta itself, some of the samples, and mean shifts from the best of them.
    """
    k, number = theta.shape[0], samples.shape[2]
    nearest, square, value, share = (
        np.zeros((k, number), np.int64),
        np.zeros((k, number)),
        np.zeros(number),
        np.zeros(k),
    )
    best, current, trial = theta.copy(), np.empty((k, 3)), np.empty((k, 3))
    most = hits(theta, samples, nearest, square, value, share)
    for c in range(CANDIDATES):
        copy_sample(samples, (c * number) // CANDIDATES, trial)
        expected = hits(trial, samples, nearest, square, value, share)
        if expected > most:
            most = expected
            copy_rows(trial, best)
    copy_rows(best, current)
    for _ in range(SHIFTS):
        shifted(current, samples, nearest, square, value, trial)
        copy_rows(trial, current)
        expected = hits(current, samples, nearest, square, value, share)
        if expected > most:
            most = expected
            copy_rows(current, best)
    hits(best, samples, nearest, square, value, score)
    copy_rows(best, theta)


@jit_bare
def copy_sample(samples: Floats, s: int, out: Floats) -> None:
    """Copy one sample into `out` (K, 3)."""
    for j in range(samples.shape[1]):
        for u in range(3):
            out[j, u] = samples[u, j, s]


@jit_inner
def sample_spread(theta: Floats, samples: Floats, sigma: Floats) -> None:
    """Fill `sigma` (K, 3) with the root mean square distance of the samples, each assigned one to one, to theta."""
    k, number = theta.shape[0], samples.shape[2]
    sigma[:] = 0.0
    used = np.zeros(k, np.bool_)
    for s in range(number):
        used[:] = False
        for m in range(k):
            closest, which = math.inf, 0
            for j in range(k):
                distance = (theta[m, 0] - samples[0, j, s]) ** 2 + (theta[m, 1] - samples[1, j, s]) ** 2
                if not used[j] and distance < closest:
                    closest, which = distance, j
            used[which] = True
            for u in range(3):
                sigma[m, u] += (theta[m, u] - samples[u, which, s]) ** 2
    for m in range(k):
        for u in range(3):
            sigma[m, u] = math.sqrt(sigma[m, u] / number)
