"""The posterior of one fitted group hypothesis: evidence and errors under the scene law, positions, answers.

Each hypothesis of `methods.group_map._kernels.fit` ends in a normal law N(state, C). The kernels here correct it for
the uniform law of the intensities and for a known start, and read positions and their errors from it. Numbers come
out, nothing is checked.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_bare, jit_inner
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.hit_probability import hit_probability
from csist_bench.methods.fitting.linear_algebra import cholesky, copy_array, copy_rows, inverse
from csist_bench.methods.group_map._kernels.fit import Groups, Hypotheses

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TINY = 1e-12  # px^2; the least variance of a position
FEWEST_DRAWS = 6.0  # effective number of draws from which moments are taken
NO_WEIGHT = 15.0  # in log weight below the heaviest draw


class Posteriors(NamedTuple):
    """Posteriors of J hypotheses of equal K: covariance (J, U, U) and log evidence (J,).

    At the frame that hypotheses are compared in, `xy` (J, K, 2), px, are their targets' positions and `spread`
    (J, K, 2), px, the standard deviations along the axes of the error ellipse.
    """

    covariance: Floats
    log_evidence: Floats
    xy: Floats
    spread: Floats

    @classmethod
    def empty(cls, number: int, unknowns: int, targets: int) -> Posteriors:
        """Return room for the posteriors of `number` hypotheses."""
        covariance = np.empty((number, unknowns, unknowns))
        return cls(covariance, np.empty(number), np.empty((number, targets, 2)), np.empty((number, targets, 2)))


class ChosenHypotheses(NamedTuple):
    """What n frames are answered by, from hypotheses of equal K.

    frame, frame_offset : (n,), the frame, and its offset in its group
    hypothesis : (n,), the one chosen for its group
    weight, p_hit_otherwise : (n,) and (n, K), from `choose_hypotheses`
    """

    frame: Ints
    frame_offset: Ints
    hypothesis: Ints
    weight: Floats
    p_hit_otherwise: Floats


@jit
def laplace_posterior(
    hypotheses: Hypotheses,
    groups: Groups,
    bounds: Floats,
    draws: Floats,
    variance_inflation: Floats,
    posteriors: Posteriors,
) -> None:
    """Turn J fitted hypotheses into covariances and log evidences under the uniform intensity law.

    Parameters
    ----------
    hypotheses : as `fit_hypotheses` leaves them; the state moves to the mean under the uniform law
    bounds : lowest and highest intensity, and the softness of their edges, grey levels
    draws : (n, K), standard normal numbers
    variance_inflation : (J,), the factor by which residuals exceed the camera's noise (1: they do not)
    posteriors : out
    """
    # Taken out of their tuples once: inside the loops each access would cost a reference count.
    state, cost, log_volume = hypotheses.state, hypotheses.cost, hypotheses.log_volume
    factor, prior = hypotheses.factor, groups.prior
    covariance, log_evidence = posteriors.covariance, posteriors.log_evidence
    unknowns, first = state.shape[1], 2 * groups.basis.shape[1] + 1
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


@jit_inner
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


@jit_inner
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
    middle: float,
    rotates: bool,
    hypotheses: Hypotheses,
    groups: Groups,
    posteriors: Posteriors,
) -> None:
    """Condition hypotheses on a reference point that starts on one of a few known coordinates of the first axis.

    The coordinate h'p of the start is linear in the path and, where the scene rotates, in the angle; the nearest mark a
    by log N(a; h'p, h'Ch + mark_sd^2) is taken as observed (a Kalman update), and the log mean over the marks joins the
    log evidence.

    Parameters
    ----------
    marks : (J, M), px, the coordinates open to each hypothesis in the first frame of its group, from `middle`
    middle : px, of the centre that scenes rotate about, along both axes
    """
    basis, pivots, group, state = groups.basis[0], groups.pivots, hypotheses.group, hypotheses.state
    covariance, log_evidence = posteriors.covariance, posteriors.log_evidence
    degrees, unknowns, choices = basis.shape[0], state.shape[1], marks.shape[1]
    slope, gain = np.zeros(unknowns), np.empty(unknowns)
    copy_array(basis, slope[:degrees])
    for j in range(state.shape[0]):
        start, across = pivots[group[j], 0] - middle, pivots[group[j], 1] - middle
        if rotates:
            cos, sin = math.cos(state[j, -1]), math.sin(state[j, -1])
            slope[-1] = cos * across - sin * start
            start = cos * start + sin * across
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
def place_hypotheses(hypotheses: Hypotheses, groups: Groups, frame: int, posteriors: Posteriors) -> None:
    """Fill the positions of every hypothesis's targets, and their spreads, at one frame of its group."""
    state, arms, group, covariance = hypotheses.state, hypotheses.arms, hypotheses.group, posteriors.covariance
    pivots, basis, drift = groups.pivots, groups.basis[frame], groups.drift[frame]
    xy, spread = posteriors.xy, posteriors.spread
    sigma, rows = np.empty((arms.shape[1], 2)), np.empty((3, 2, state.shape[1]))
    for j in range(state.shape[0]):
        place_targets(
            state[j], covariance[j], arms[j], pivots[group[j]], basis, drift, 0.0, rows[0], rows[1], rows[2],
            xy[j], sigma, spread[j],
        )  # fmt: skip


@jit_bare
def place_targets(
    state: Floats,
    covariance: Floats,
    arms: Floats,
    pivot: Floats,
    basis: Floats,
    drift: float,
    arm_sd: float,
    slope: Floats,
    shared: Floats,
    product: Floats,
    xy: Floats,
    sigma: Floats,
    spread: Floats,
) -> None:
    """Write the positions (K, 2) of a hypothesis's targets at one frame, with their errors; px.

    `sigma` (K, 2) are the standard errors of x and y, `spread` (K, 2) those along the error ellipse's major and minor
    axis; `arm_sd` is the scatter of single arms about their common length. `slope`, `shared` and `product` (2, U) are
    scratch: the derivatives of x and y, and their products with the covariance, of the path and of all.
    """
    targets, degrees, unknowns = arms.shape[0], basis.shape[0], state.shape[0]
    rotates = unknowns == 2 * degrees + 2 + targets
    cos, sin = (math.cos(state[-1]), math.sin(state[-1])) if rotates else (1.0, 0.0)
    slope[:] = 0.0
    for i in range(degrees):
        slope[0, i], slope[1, i] = basis[i] * cos, basis[i] * sin
        slope[0, degrees + i], slope[1, degrees + i] = -basis[i] * sin, basis[i] * cos
    shared[:] = 0.0
    for axis in range(2):
        for a in range(2 * degrees):
            add_row(slope[axis, a], covariance, a, shared, axis)
    radius = state[2 * degrees] + drift
    for k in range(targets):
        u, v = radius * arms[k, 0], radius * arms[k, 1]
        for i in range(degrees):
            u += basis[i] * state[i]
            v += basis[i] * state[degrees + i]
        slope[0, 2 * degrees] = cos * arms[k, 0] - sin * arms[k, 1]
        slope[1, 2 * degrees] = sin * arms[k, 0] + cos * arms[k, 1]
        xy[k, 0], xy[k, 1] = pivot[0] + cos * u - sin * v, pivot[1] + sin * u + cos * v
        if rotates:
            slope[0, unknowns - 1], slope[1, unknowns - 1] = pivot[1] - xy[k, 1], xy[k, 0] - pivot[0]
        copy_rows(shared, product)
        for axis in range(2):
            add_row(slope[axis, 2 * degrees], covariance, 2 * degrees, product, axis)
            if rotates:
                add_row(slope[axis, unknowns - 1], covariance, unknowns - 1, product, axis)
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


@jit_bare
def add_row(share: float, source: Floats, a: int, out: Floats, axis: int) -> None:
    """Add a row of a matrix, times a share, to a row of another."""
    if share != 0.0:
        for b in range(source.shape[1]):
            out[axis, b] += share * source[a, b]


@jit
def answer_frames(
    chosen: ChosenHypotheses,
    hypotheses: Hypotheses,
    groups: Groups,
    arm_sd: float,
    covariance: Floats,
    answers: FrameAnswers,
) -> None:
    """Fill the answers of frames from the hypotheses chosen for them; a score is the expected share of thresholds."""
    state, arms, group = hypotheses.state, hypotheses.arms, hypotheses.group
    pivots, basis, drift, score = groups.pivots, groups.basis, groups.drift, answers.score
    frame, offset, hypothesis = chosen.frame, chosen.frame_offset, chosen.hypothesis
    weight, p_hit_otherwise = chosen.weight, chosen.p_hit_otherwise
    targets, degrees = arms.shape[1], basis.shape[1]
    spread, rows = np.empty((targets, 2)), np.empty((3, 2, state.shape[1]))
    slope, shared, product = rows[0], rows[1], rows[2]
    for row in range(frame.shape[0]):
        f, j, t = frame[row], hypothesis[row], offset[row]
        theta, sigma, pivot = answers.theta[f], answers.sigma[f], pivots[group[j]]
        place_targets(
            state[j], covariance[j], arms[j], pivot, basis[t], drift[t], arm_sd, slope, shared, product,
            theta, sigma, spread,
        )  # fmt: skip
        answers.targets[f] = targets
        for k in range(targets):
            s = 2 * degrees + 1 + k
            theta[k, 2], sigma[k, 2] = state[j, s], math.sqrt(max(covariance[j, s, s], 0.0))
            score[f, k] = weight[row] * hit_probability(0.0, spread[k, 0], spread[k, 1]) + p_hit_otherwise[row, k]
