"""The posterior of one fitted group hypothesis: evidence and errors under the scene law, positions, answers.

Each hypothesis of `methods.group_map._kernels.fit` ends in a normal law N(state, C). The kernels here correct it for
the uniform law of the intensities and for a known start, and read positions and their errors from it. Numbers come
out, nothing is checked.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit
from csist_bench.methods.fitting.hit_probability import hit_probability
from csist_bench.methods.fitting.linear_algebra import cholesky, inverse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TINY = 1e-12  # px^2; the least variance of a position
FEWEST_DRAWS = 6.0  # effective number of draws from which moments are taken
NO_WEIGHT = 15.0  # in log weight below the heaviest draw


@jit
def laplace_posterior(
    state: Floats,
    factor: Floats,
    cost: Floats,
    log_volume: Floats,
    first: int,
    prior: Floats,
    bounds: Floats,
    draws: Floats,
    variance_inflation: Floats,
    covariance: Floats,
    log_evidence: Floats,
) -> None:
    """Turn J fitted hypotheses of equal K into covariances and log evidences under the uniform intensity law.

    Parameters
    ----------
    state, factor, cost, log_volume : as `fit_hypotheses` leaves them; `state` moves to the mean under the uniform law
    first : the index of the first intensity
    prior : (2, U), mean and inverse variance
    bounds : lowest and highest intensity, and the softness of their edges, grey levels
    variance_inflation : (J,), the factor by which residuals exceed the camera's noise (1: they do not)
    covariance, log_evidence : out, (J, U, U) and (J,)
    """
    unknowns = state.shape[1]
    prior_volume = 0.5 * np.log(prior[1]).sum()
    for j in range(state.shape[0]):
        inverse(factor[j], unknowns, covariance[j])
        change = 0.0
        if bounds[1] > bounds[0]:
            change = uniform_intensities(first, bounds, draws, prior[:, first], state[j], covariance[j])
        log_evidence[j] = -0.5 * cost[j] / variance_inflation[j] + log_volume[j] + prior_volume + change
        for u in range(unknowns):
            for v in range(unknowns):
                covariance[j, u, v] *= variance_inflation[j]


@jit
def uniform_intensities(
    first: int, bounds: Floats, draws: Floats, prior: Floats, state: Floats, covariance: Floats
) -> float:
    """Correct one hypothesis, in place, from the normal intensity law to the uniform one; return its gain of evidence.

    The posterior of the intensities, N(s, S) under the normal law, is averaged over `draws` (n, K) of standard normal
    numbers with weight uniform / normal. The other unknowns follow by linear regression on the intensities.

    Parameters
    ----------
    first : the index of the first intensity in `state` (U,) and `covariance` (U, U)
    bounds : lowest and highest intensity, and the softness of their edges, grey levels
    prior : (2,), mean and inverse variance of the normal law
    """
    targets, unknowns = draws.shape[1], state.shape[0]
    root = covariance[first : first + targets, first : first + targets].copy()
    if not cholesky(root, targets):
        return 0.0
    mean, second = np.zeros(targets), np.zeros((targets, targets))
    change = weigh_draws(state[first : first + targets], root, bounds, draws, prior, mean, second)
    # Regression of every unknown on the draws, C_us L^-T.
    regression = np.empty((unknowns, targets))
    for u in range(unknowns):
        for k in range(targets):
            value = covariance[u, first + k]
            for m in range(k):
                value -= regression[u, m] * root[k, m]
            regression[u, k] = value / root[k, k]
    for u in range(unknowns):
        for k in range(targets):
            state[u] += regression[u, k] * mean[k]
        for k in range(targets):
            changed = 0.0
            for m in range(targets):
                changed += regression[u, m] * second[m, k]
            for v in range(unknowns):
                covariance[u, v] += changed * regression[v, k]
    return change


@jit
def weigh_draws(
    intensity: Floats, root: Floats, bounds: Floats, draws: Floats, prior: Floats, mean: Floats, second: Floats
) -> float:
    """Weigh draws xi, s = intensity + root xi, by uniform / normal law; return the log of the mean weight.

    Out: `mean` (K,) of xi under the weights, and `second` (K, K), its covariance there less the identity.
    """
    n, targets = draws.shape
    low, high, soft = bounds
    weights = np.empty(n)
    for i in range(n):
        weights[i] = 0.0
        for k in range(targets):
            s = intensity[k]
            for m in range(k + 1):
                s += root[k, m] * draws[i, m]
            beyond = max(low - s, s - high, 0.0) / soft
            weights[i] += 0.5 * prior[1] * (s - prior[0]) ** 2 - 0.5 * beyond * beyond
    top = weights.max()
    normal_height = 0.5 * math.log(prior[1] / (2.0 * math.pi)) + math.log(high - low)
    total, squares = 0.0, 0.0
    for i in range(n):
        if weights[i] < top - NO_WEIGHT:
            continue
        weight = math.exp(weights[i] - top)
        total += weight
        squares += weight * weight
        for k in range(targets):
            mean[k] += weight * draws[i, k]
            for m in range(k + 1):
                second[k, m] += weight * draws[i, k] * draws[i, m]
    if total * total < FEWEST_DRAWS * squares:
        # A handful of draws tells how unlikely the intensities are, but not where they lie.
        mean[:] = 0.0
        second[:] = 0.0
        return float(top + math.log(total / n) - targets * normal_height)
    for k in range(targets):
        mean[k] /= total
        for m in range(k + 1):
            second[k, m] = second[k, m] / total - mean[k] * mean[m] - (1.0 if k == m else 0.0)
            second[m, k] = second[k, m]
    return float(top + math.log(total / n) - targets * normal_height)


@jit
def condition_on_start(
    marks: Floats,
    mark_sd: float,
    basis: Floats,
    offset: Floats,
    rotates: bool,
    state: Floats,
    covariance: Floats,
    log_evidence: Floats,
) -> None:
    """Condition hypotheses on a reference point that starts on one of a few known coordinates of the first axis.

    The coordinate h'p of the start is linear in the path and, where the scene rotates, in the angle; the nearest mark a
    by log N(a; h'p, h'Ch + mark_sd^2) is taken as observed (a Kalman update), and the log mean over the marks joins the
    log evidence.

    Parameters
    ----------
    marks : (J, M), px, the coordinates open to each hypothesis
    basis : (D,), of the frame at which they hold
    offset : (J, 2), the pivot less the centre of turning, px; marks are counted from there
    """
    degrees, unknowns, choices = basis.shape[0], state.shape[1], marks.shape[1]
    slope, gain = np.zeros(unknowns), np.empty(unknowns)
    slope[:degrees] = basis
    for j in range(state.shape[0]):
        start = offset[j, 0]
        if rotates:
            cos, sin = math.cos(state[j, -1]), math.sin(state[j, -1])
            start = cos * offset[j, 0] + sin * offset[j, 1]
            slope[-1] = cos * offset[j, 1] - sin * offset[j, 0]
        for i in range(degrees):
            start += basis[i] * state[j, i]
        variance = mark_sd * mark_sd
        for u in range(unknowns):
            gain[u] = 0.0
            for v in range(unknowns):
                gain[u] += covariance[j, u, v] * slope[v]
            variance += slope[u] * gain[u]
        best, total = 0, 0.0
        for c in range(choices):
            if abs(marks[j, c] - start) < abs(marks[j, best] - start):
                best = c
        away = marks[j, best] - start
        for c in range(choices):
            total += math.exp(0.5 * (away**2 - (marks[j, c] - start) ** 2) / variance) / choices
        log_evidence[j] += math.log(total) - 0.5 * (away * away / variance + math.log(variance))
        for u in range(unknowns):
            state[j, u] += gain[u] * away / variance
            for v in range(unknowns):
                covariance[j, u, v] -= gain[u] * gain[v] / variance


@jit
def place_hypotheses(
    state: Floats,
    covariance: Floats,
    arms: Floats,
    pivots: Floats,
    basis: Floats,
    drift: float,
    xy: Floats,
    spread: Floats,
) -> None:
    """Fill the positions (J, K, 2) of each hypothesis at one frame, and their spreads, as `place_targets` does."""
    sigma = np.empty((arms.shape[1], 2))
    for j in range(state.shape[0]):
        place_targets(state[j], covariance[j], arms[j], pivots[j], basis, drift, 0.0, xy[j], sigma, spread[j])


@jit
def place_targets(
    state: Floats,
    covariance: Floats,
    arms: Floats,
    pivot: Floats,
    basis: Floats,
    drift: float,
    arm_sd: float,
    xy: Floats,
    sigma: Floats,
    spread: Floats,
) -> None:
    """Write the positions (K, 2) of a hypothesis's targets at one frame, with their errors; px.

    `sigma` (K, 2) are the standard errors of x and y, `spread` (K, 2) those along the error ellipse's major and minor
    axis; `arm_sd` is the scatter of single arms about their common length.
    """
    targets, degrees, unknowns = arms.shape[0], basis.shape[0], state.shape[0]
    rotates = unknowns == 2 * degrees + 2 + targets
    cos, sin = (math.cos(state[-1]), math.sin(state[-1])) if rotates else (1.0, 0.0)
    slope, product = np.empty((2, unknowns)), np.empty((2, unknowns))
    for k in range(targets):
        slope[:] = 0.0
        radius = state[2 * degrees] + drift
        u, v = radius * arms[k, 0], radius * arms[k, 1]
        for i in range(degrees):
            u += basis[i] * state[i]
            v += basis[i] * state[degrees + i]
            slope[0, i], slope[1, i] = basis[i] * cos, basis[i] * sin
            slope[0, degrees + i], slope[1, degrees + i] = -basis[i] * sin, basis[i] * cos
        slope[0, 2 * degrees] = cos * arms[k, 0] - sin * arms[k, 1]
        slope[1, 2 * degrees] = sin * arms[k, 0] + cos * arms[k, 1]
        xy[k, 0], xy[k, 1] = pivot[0] + cos * u - sin * v, pivot[1] + sin * u + cos * v
        if rotates:
            slope[0, unknowns - 1], slope[1, unknowns - 1] = pivot[1] - xy[k, 1], xy[k, 0] - pivot[0]
        product[:] = 0.0
        for axis in range(2):
            for a in range(unknowns):
                if slope[axis, a] != 0.0:
                    for b in range(unknowns):
                        product[axis, b] += slope[axis, a] * covariance[a, b]
        xx, yy, xy_covariance = TINY, TINY, 0.0
        for b in range(unknowns):
            xx += product[0, b] * slope[0, b]
            yy += product[1, b] * slope[1, b]
            xy_covariance += product[0, b] * slope[1, b]
        xx += (arm_sd * slope[0, 2 * degrees]) ** 2
        yy += (arm_sd * slope[1, 2 * degrees]) ** 2
        xx, yy = max(xx, TINY), max(yy, TINY)
        sigma[k, 0], sigma[k, 1] = math.sqrt(xx), math.sqrt(yy)
        half = math.hypot(0.5 * (xx - yy), xy_covariance)
        spread[k, 0] = math.sqrt(0.5 * (xx + yy) + half)
        spread[k, 1] = math.sqrt(max(0.5 * (xx + yy) - half, TINY))


@jit
def answer_frames(
    frame: Ints,
    frame_offset: Ints,
    hypothesis: Ints,
    state: Floats,
    covariance: Floats,
    arms: Floats,
    pivots: Floats,
    basis: Floats,
    drift: Floats,
    arm_sd: float,
    weight: Floats,
    p_hit_otherwise: Floats,
    xy: Floats,
    sigma: Floats,
    light: Floats,
    score: Floats,
) -> None:
    """Fill the slots of n frames from the hypotheses chosen for them, all of equal K.

    Parameters
    ----------
    frame, frame_offset, hypothesis : (n,), the frame to answer, its offset in its group, the chosen hypothesis
    weight, p_hit_otherwise : (n,) and (n, K), from `choose_hypotheses`
    xy, sigma : out, (F, Kmax, 2) px; the first K slots are filled
    light : out, (F, Kmax, 2), intensities and their standard errors, grey levels
    score : out, (F, Kmax), the expected share of thresholds at which the target is right
    """
    targets, degrees = arms.shape[1], basis.shape[1]
    spread = np.empty((targets, 2))
    for row in range(frame.shape[0]):
        f, j, t = frame[row], hypothesis[row], frame_offset[row]
        place_targets(state[j], covariance[j], arms[j], pivots[j], basis[t], drift[t], arm_sd, xy[f], sigma[f], spread)
        for k in range(targets):
            s = 2 * degrees + 1 + k
            light[f, k, 0], light[f, k, 1] = state[j, s], math.sqrt(max(covariance[j, s, s], 0.0))
            score[f, k] = weight[row] * hit_probability(0.0, spread[k, 0], spread[k, 1]) + p_hit_otherwise[row, k]
