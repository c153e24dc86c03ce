"""Sampling the posterior of one frame and choosing the positions that are most often right.

Where noise is strong the likelihood of close targets is a curved ridge rather than a peak, and its mode a poor answer.
What pixels fix well are the light's total, centre and second moments S. With positions X (K, 2) about their centre and near
equal intensities, X = sqrt(K) P A with A'A = S, and P any two orthonormal columns orthogonal to (1, ..., 1): the
arrangement P is what the pixels leave open. So samples are drawn with the six moments from their Gaussian posterior and
P uniformly, and weighted by the likelihood (dX = |S|^((K - 4) / 2) dS dP, the polar decomposition behind Wishart's
density). All random numbers come as tables, the same for every frame.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.kernels import jit
from csist_bench.kernels.fitting import cholesky
from csist_bench.kernels.single_fit import Prior, Sensor, Window, Workspace, cost_of

Floats = NDArray[np.float64]

THRESHOLDS = (0.05, 0.10, 0.15, 0.20, 0.25)  # px, of CSO-mAP
MOMENTS = 6  # total, centre (x, y), second moments (xx, xy, yy)
WIDENING = 1.2  # of the moments' Gaussian, so that its tails cover the posterior's
LEAST_RADIUS = 0.15  # px, of the ring about which the moments' precision is taken
CANDIDATES = 8
SHIFTS = 4


class Draws(NamedTuple):
    """Random tables of M samples: moments (M, 6) and shares (M, K) standard normal, arrangement (K + 1, M, 2, K).

    `arrangement[k, m]` holds two orthonormal vectors of k entries, orthogonal to (1, ..., 1), uniformly turned.
    """

    moments: Floats
    shares: Floats
    arrangement: Floats


def draws_from_generator(rng: np.random.Generator, samples: int, targets: int) -> Draws:
    """Return the tables of `samples` samples for up to `targets` targets."""
    arrangement = np.zeros((targets + 1, samples, 2, targets))
    for k in range(3, targets + 1):
        pair = rng.standard_normal((samples, 2, k))
        pair -= pair.mean(axis=-1, keepdims=True)
        first = pair[:, 0] / np.linalg.norm(pair[:, 0], axis=-1, keepdims=True)
        second = pair[:, 1] - first * (pair[:, 1] * first).sum(axis=-1, keepdims=True)
        arrangement[k, :, 0, :k] = first
        arrangement[k, :, 1, :k] = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return Draws(rng.standard_normal((samples, MOMENTS)), rng.standard_normal((samples, targets)), arrangement)


@jit
def moments_of(theta: Floats, out: Floats) -> None:
    """Write total, centre and second moments about it, weighted by intensity, of theta (K, 3) into `out` (6,)."""
    out[:] = 0.0
    for m in range(theta.shape[0]):
        out[0] += theta[m, 2]
        out[1] += theta[m, 2] * theta[m, 0]
        out[2] += theta[m, 2] * theta[m, 1]
    out[1] /= out[0]
    out[2] /= out[0]
    for m in range(theta.shape[0]):
        x, y, share = theta[m, 0] - out[1], theta[m, 1] - out[2], theta[m, 2] / out[0]
        out[3] += share * x * x
        out[4] += share * x * y
        out[5] += share * y * y


@jit
def moment_factor(
    moments: Floats, targets: int, window: Window, sensor: Sensor, prior: Prior, work: Workspace, ring: Floats, factor: Floats
) -> bool:
    """Write the Cholesky factor of the moments' precision to `factor` (6, 6), taken about a ring of equal targets.

    For a ring with moments S = r^2 I, stretching it by a symmetric E changes S by 2 r^2 E; so the derivative of the
    model in S is that of the displacements E x over 2 r^2.
    """
    radius = max(math.sqrt(max(moments[3] + moments[5], 0.0)), LEAST_RADIUS)
    share = moments[0] / targets
    for m in range(targets):
        angle = 2.0 * math.pi * (m + 0.25) / targets
        ring[m, 0] = moments[1] + radius * math.cos(angle)
        ring[m, 1] = moments[2] + radius * math.sin(angle)
        ring[m, 2] = share
    cost_of(ring[:targets], window, sensor, prior, work)
    factor[:] = 0.0
    stretch = 1.0 / (radius * radius)
    row = work.jacobian
    for i in range(window.pixels.shape[0]):
        for j in range(window.pixels.shape[1]):
            row[:MOMENTS] = 0.0
            row[0] = work.model[i, j] / moments[0]
            for m in range(targets):
                along_x = share * work.da[m, j] * work.b[m, i]
                along_y = share * work.a[m, j] * work.db[m, i]
                x, y = ring[m, 0] - moments[1], ring[m, 1] - moments[2]
                row[1] += along_x
                row[2] += along_y
                row[3] += stretch * x * along_x
                row[4] += stretch * (y * along_x + x * along_y)
                row[5] += stretch * y * along_y
            for p in range(MOMENTS):
                for q in range(p + 1):
                    factor[p, q] += work.curvature[i, j] * row[p] * row[q]
    factor[0, 0] += prior.precision[0, 2] / targets
    for p in range(MOMENTS):
        for q in range(p + 1):
            factor[p, q] /= WIDENING * WIDENING
    return cholesky(factor, MOMENTS)


@jit
def draw(moments: Floats, factor: Floats, prior: Prior, draws: Draws, m: int, values: Floats, theta: Floats) -> float:
    """Write sample m to theta (K, 3); return log of (volume element / proposal density), -inf where S is impossible."""
    k = theta.shape[0]
    square = 0.0
    for p in range(MOMENTS - 1, -1, -1):
        total = draws.moments[m, p]
        square += total * total
        for q in range(p + 1, MOMENTS):
            total -= factor[q, p] * values[q]
        values[p] = total / factor[p, p]
    for p in range(MOMENTS):
        values[p] += moments[p]
    determinant = values[3] * values[5] - values[4] * values[4]
    if not (values[3] > 0.0 and determinant > 0.0 and values[0] > 0.0):
        return -math.inf
    mean = 0.0
    for t in range(k):
        mean += draws.shares[m, t] / k
    log_share, sd = 0.0, 1.0 / math.sqrt(prior.precision[0, 2])
    upper = math.sqrt(values[3])
    lower, corner = values[4] / upper, math.sqrt(determinant) / upper
    scale = math.sqrt(k)
    centre_x, centre_y = 0.0, 0.0
    for t in range(k):
        away = draws.shares[m, t] - mean
        log_share += 0.5 * away * away
        first, second = scale * draws.arrangement[k, m, 0, t], scale * draws.arrangement[k, m, 1, t]
        theta[t, 0] = first * upper
        theta[t, 1] = first * lower + second * corner
        theta[t, 2] = values[0] / k + sd * away
        if theta[t, 2] < prior.least:
            return -math.inf
        centre_x += theta[t, 0] * theta[t, 2] / values[0]
        centre_y += theta[t, 1] * theta[t, 2] / values[0]
    for t in range(k):
        theta[t, 0] += values[1] - centre_x
        theta[t, 1] += values[2] - centre_y
    return 0.5 * square + log_share + 0.5 * (k - 4) * math.log(determinant)


@jit
def sample(
    mode: Floats, window: Window, sensor: Sensor, prior: Prior, draws: Draws, work: Workspace, samples: Floats, weight: Floats
) -> float:
    """Fill `samples` (M, K, 3) and their normalised weights (M,); return the effective number of samples."""
    k = mode.shape[0]
    moments, values, factor = np.empty(MOMENTS), np.empty(MOMENTS), np.empty((MOMENTS, MOMENTS))
    moments_of(mode, moments)
    weight[:] = 0.0
    if not moment_factor(moments, k, window, sensor, prior, work, work.trial, factor):
        return 0.0
    highest = -math.inf
    for m in range(samples.shape[0]):
        weight[m] = draw(moments, factor, prior, draws, m, values, samples[m])
        if weight[m] > -math.inf:
            weight[m] -= 0.5 * cost_of(samples[m], window, sensor, prior, work)
            highest = max(highest, weight[m])
    if highest == -math.inf:
        return 0.0
    total, squares = 0.0, 0.0
    for m in range(samples.shape[0]):
        weight[m] = math.exp(weight[m] - highest)
        total += weight[m]
    for m in range(samples.shape[0]):
        weight[m] /= total
        squares += weight[m] * weight[m]
    return 1.0 / squares


@jit
def resample(samples: Floats, weight: Floats, chosen: Floats) -> None:
    """Fill `chosen` (L, K, 3) with samples drawn systematically in proportion to their weights."""
    size = chosen.shape[0]
    m, reached = 0, weight[0]
    for c in range(size):
        while reached < (c + 0.5) / size and m < samples.shape[0] - 1:
            m += 1
            reached += weight[m]
        chosen[c] = samples[m]


@jit
def hit_share(square: float) -> float:
    """Return the share of the five thresholds that a squared distance, px^2, lies within."""
    hits = 0.0
    for d in THRESHOLDS:
        if square <= d * d:
            hits += 1.0
    return hits / len(THRESHOLDS)


@jit
def hits(answer: Floats, samples: Floats, kept: int, nearest: NDArray[np.int64], square: Floats, share: Floats) -> float:
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
                w = 1.0 / math.sqrt(closest + 4e-4)
                weight += w
                total_x += w * samples[s, which, 0]
                total_y += w * samples[s, which, 1]
                total_s += w * samples[s, which, 2]
        if weight > 0.0:
            out[m, 0], out[m, 1], out[m, 2] = total_x / weight, total_y / weight, total_s / weight
        else:
            out[m] = answer[m]


@jit
def decide(theta: Floats, samples: Floats, kept: int, score: Floats) -> None:
    """Replace `theta` (K, 3) by the answer with the most expected hits, and fill its shares, `score` (K,).

    Candidates are theta itself, samples spread along the chain, and mean shifts from the best of them.
    """
    k = theta.shape[0]
    nearest, square, share = np.zeros(k, np.int64), np.zeros(k), np.zeros(k)
    trial = np.empty((k, 3))
    most = hits(theta, samples, kept, nearest, square, score)
    best = theta.copy()
    for c in range(CANDIDATES):
        s = (c * kept) // CANDIDATES
        expected = hits(samples[s], samples, kept, nearest, square, share)
        if expected > most:
            most = expected
            best[:] = samples[s]
            score[:] = share
    current = best.copy()
    for _ in range(SHIFTS):
        shifted(current, samples, kept, trial)
        current[:] = trial
        expected = hits(current, samples, kept, nearest, square, share)
        if expected > most:
            most = expected
            best[:] = current
            score[:] = share
    theta[:] = best


@jit
def spread(theta: Floats, samples: Floats, kept: int, sigma: Floats) -> None:
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


@jit
def factor_of(normal: Floats, n: int, factor: Floats) -> bool:
    """Write the Cholesky factor of the leading n x n block of `normal` to `factor`; False where there is none."""
    for p in range(n):
        for r in range(p + 1):
            factor[p, r] = normal[p, r]
        factor[p, p] += 1e-9 * factor[p, p]
    return cholesky(factor, n)
