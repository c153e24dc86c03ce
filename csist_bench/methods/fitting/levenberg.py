"""Single-frame fits of point targets by damped Gauss-Newton (Levenberg-Marquardt).

The cost of theta (K, 3) = (x, y, s) is -2 log likelihood of the window's pixels plus a Gaussian prior on every unknown.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import by_reference, jit, jit_bare, jit_inner, jit_within
from csist_bench.methods.fitting.dense_images import DenseWorkspace
from csist_bench.methods.fitting.dense_model import dense_cost, dense_equations
from csist_bench.methods.fitting.lanes import padded, zeros
from csist_bench.methods.fitting.linear_algebra import cholesky, copy_rows, eliminate
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import normal_equations, pixel_terms, window_model

Floats = NDArray[np.float64]

STEP_LIMIT = 0.3  # px a target may move in one step
MAX_DAMPING = 1e8
REACH = 1.0  # px beyond the window's outer pixel centres where a target may still be placed


class FrameWindow(NamedTuple):
    """Pixels (n, n) of a window, the known background subtracted, and its origin (row, column)."""

    pixels: Floats
    row: int
    column: int


class Prior(NamedTuple):
    """Gaussian prior of each unknown, `mean` and `inverse_variance` (>= K, 3), and the least intensity allowed."""

    mean: Floats
    inverse_variance: Floats
    least: float


class StoppingRule(NamedTuple):
    """A fit ends after `iterations` steps, or where a step lowers the cost by less than `tolerance`."""

    iterations: int
    tolerance: float


@by_reference
class FrameWorkspace:
    """Scratch of one fit of up to K targets in an n x n window."""

    a: Floats
    da: Floats
    b: Floats
    db: Floats
    model: Floats
    score: Floats
    curvature: Floats
    jacobian: Floats
    normal: Floats
    factor: Floats
    gradient: Floats
    step: Floats
    trial: Floats


@jit
def frame_workspace(targets: int, size: int) -> FrameWorkspace:
    """Return the scratch for up to `targets` targets in a window of `size` px a side."""
    n, width = 3 * targets, padded(size)
    vectors = zeros(n, n)
    return FrameWorkspace(
        zeros(targets, width),
        zeros(targets, width),
        zeros(targets, width),
        zeros(targets, width),
        zeros(size, width),
        zeros(size, width),
        zeros(size, width),
        vectors[0],
        zeros(n, n),
        zeros(n, padded(n + 1)),
        vectors[1],
        vectors[2],
        zeros(targets, n // targets),
    )


@jit_bare
def penalty(theta: Floats, mean: Floats, inverse_variance: Floats) -> float:
    """Return the prior's -2 log density up to a constant: the sum of inverse variance (theta - mean)^2."""
    total = 0.0
    for k in range(theta.shape[0]):
        for u in range(3):
            away = theta[k, u] - mean[k, u]
            total += inverse_variance[k, u] * away * away
    return total


@jit_bare
def plain_cost(
    theta: Floats,
    pixels: Floats,
    row: int,
    column: int,
    table_x: Floats,
    table_y: Floats,
    noise: tuple[float, float, float, float],
    mean: Floats,
    inverse_variance: Floats,
    a: Floats,
    da: Floats,
    b: Floats,
    db: Floats,
    model: Floats,
    score: Floats,
    curvature: Floats,
) -> float:
    """Return the cost of theta (K, 3) where no dense model is needed; `noise` as `noise_of` gives it.

    Every array stands by itself: one taken out of a tuple or a workspace costs a count of references, and this is the
    innermost step of a fit.
    """
    window_model(theta, row, column, table_x, table_y, a, da, b, db, model)
    variance, gain, saturation, edge = noise
    likelihood = pixel_terms(pixels, model, variance, gain, saturation, edge, score, curvature)
    return likelihood + penalty(theta, mean, inverse_variance)


@jit_bare
def plain_equations(
    theta: Floats,
    noise: tuple[float, float, float, float],
    mean: Floats,
    inverse_variance: Floats,
    a: Floats,
    da: Floats,
    b: Floats,
    db: Floats,
    score: Floats,
    curvature: Floats,
    jacobian: Floats,
    normal: Floats,
    gradient: Floats,
) -> None:
    """Fill the normal matrix and gradient, prior included, at the theta of the last `plain_cost`."""
    variance, gain, saturation, _ = noise
    uniform = gain == 0.0 and saturation == math.inf
    base = 1.0 / variance if gain == 0.0 else 0.0
    normal_equations(theta, a, da, b, db, score, curvature, base, uniform, jacobian, normal, gradient)
    add_prior(theta, mean, inverse_variance, normal, gradient)


@jit_bare
def add_prior(theta: Floats, mean: Floats, inverse_variance: Floats, normal: Floats, gradient: Floats) -> None:
    """Add the prior's part to the normal matrix and gradient."""
    for m in range(theta.shape[0]):
        for u in range(3):
            normal[3 * m + u, 3 * m + u] += inverse_variance[m, u]
            gradient[3 * m + u] -= inverse_variance[m, u] * (theta[m, u] - mean[m, u])


@jit_within
def noise_of(noise_model: NoiseModel) -> tuple[float, float, float, float]:
    """Return variance, gain, clipping level and its edge."""
    return noise_model.variance, noise_model.gain, noise_model.saturation, noise_model.edge


@jit_inner
def cost_of(
    theta: Floats,
    window: FrameWindow,
    noise_model: NoiseModel,
    prior: Prior,
    work: FrameWorkspace,
    dense: DenseWorkspace | None,
) -> float:
    """Return the cost of theta (K, 3); leaves responses, model, score and curvature in the workspace.

    `dense` is scratch of cameras that need the dense model; None: what only they need is not even compiled.
    """
    if dense is not None:
        return penalty(theta, prior.mean, prior.inverse_variance) + dense_cost(
            theta,
            window.pixels,
            window.row,
            window.column,
            noise_model,
            False,
            dense,
            work.model,
            work.score,
            work.curvature,
        )
    return plain_cost(
        theta,
        window.pixels,
        window.row,
        window.column,
        noise_model.table,
        noise_model.table_y,
        noise_of(noise_model),
        prior.mean,
        prior.inverse_variance,
        work.a,
        work.da,
        work.b,
        work.db,
        work.model,
        work.score,
        work.curvature,
    )


@jit_inner
def gather_equations(
    theta: Floats, noise_model: NoiseModel, prior: Prior, work: FrameWorkspace, dense: DenseWorkspace | None
) -> None:
    """Fill the normal matrix and gradient, prior included, at the theta of the last `cost_of`."""
    if dense is not None:
        unknowns = 3 * theta.shape[0]
        dense_equations(unknowns, noise_model.background, dense, work.score, work.curvature, work.normal, work.gradient)
        add_prior(theta, prior.mean, prior.inverse_variance, work.normal, work.gradient)
    else:
        plain_equations(
            theta,
            noise_of(noise_model),
            prior.mean,
            prior.inverse_variance,
            work.a,
            work.da,
            work.b,
            work.db,
            work.score,
            work.curvature,
            work.jacobian,
            work.normal,
            work.gradient,
        )


@jit_inner
def fit_frame(
    theta: Floats,
    window: FrameWindow,
    noise_model: NoiseModel,
    prior: Prior,
    stop: StoppingRule,
    work: FrameWorkspace,
    dense: DenseWorkspace | None,
) -> float:
    """Fit theta (K, 3) in place by Levenberg-Marquardt and return the cost reached.

    The undamped normal matrix at the end is in `work.normal`.
    """
    k = theta.shape[0]
    n = 3 * k
    trial, step, tolerance, least = work.trial[:k], work.step[:n], stop.tolerance, prior.least
    normal, gradient, factor = work.normal, work.gradient, work.factor
    pixels, row, column = window.pixels, window.row, window.column
    left, right = column - REACH, column + pixels.shape[1] - 1 + REACH
    top, bottom = row - REACH, row + pixels.shape[0] - 1 + REACH
    a, da, b, db, model = work.a, work.da, work.b, work.db, work.model
    score, curvature, jacobian = work.score, work.curvature, work.jacobian
    table_x, table_y, noise = noise_model.table, noise_model.table_y, noise_of(noise_model)
    mean, inverse_variance = prior.mean, prior.inverse_variance
    cost = cost_of(theta, window, noise_model, prior, work, dense)
    gather_equations(theta, noise_model, prior, work, dense)
    damping = 1e-2
    for _ in range(stop.iterations):
        promised = damped_step(n, damping, normal, gradient, factor, step)
        if promised < 0.0:
            damping *= 10.0
            if damping > MAX_DAMPING:
                break
            continue
        shorten(step, k)
        for m in range(k):
            trial[m, 0] = min(max(theta[m, 0] + step[3 * m], left), right)
            trial[m, 1] = min(max(theta[m, 1] + step[3 * m + 1], top), bottom)
            trial[m, 2] = max(theta[m, 2] + step[3 * m + 2], least)
        if dense is None:
            reached = plain_cost(
                trial, pixels, row, column, table_x, table_y, noise, mean, inverse_variance,
                a, da, b, db, model, score, curvature,
            )  # fmt: skip
        else:
            reached = cost_of(trial, window, noise_model, prior, work, dense)
        if reached < cost:
            gain = cost - reached
            copy_rows(trial, theta)
            cost = reached
            if dense is None:
                plain_equations(
                    theta, noise, mean, inverse_variance,
                    a, da, b, db, score, curvature, jacobian, normal, gradient,
                )  # fmt: skip
            else:
                gather_equations(theta, noise_model, prior, work, dense)
            damping = max(damping * 0.1, 1e-9)
            if gain < tolerance and promised < 2.0 * tolerance:
                break
        else:
            if promised < tolerance:
                break
            damping *= 8.0
            if damping > MAX_DAMPING:
                break
    return cost


@jit_bare
def damped_step(n: int, damping: float, normal: Floats, gradient: Floats, factor: Floats, step: Floats) -> float:
    """Write the Marquardt step of n unknowns and return the decrease of cost it promises; -1 without a factor.

    `normal` is read below its diagonal; `factor` (n, padded(n + 1)) is scratch.
    """
    for p in range(n):
        for r in range(p):
            factor[r, p] = normal[p, r]
            factor[p, r] = 0.0  # lanes pass over it: what earlier steps left there would grow without bound
        factor[p, p] = normal[p, p] * (1.0 + damping) + 1e-300
        factor[p, n] = gradient[p]
    if not eliminate(factor, n, step):
        return -1.0
    promised = 0.0
    for p in range(n):
        promised += step[p] * (gradient[p] + damping * normal[p, p] * step[p])
    return promised


@jit_within
def shorten(step: Floats, targets: int) -> None:
    """Scale a step down so that no target moves further than `STEP_LIMIT`."""
    longest = 0.0
    for m in range(targets):
        longest = max(longest, abs(step[3 * m]), abs(step[3 * m + 1]))
    if longest > STEP_LIMIT:
        for p in range(step.shape[0]):
            step[p] *= STEP_LIMIT / longest


@jit_inner
def factor_of(normal: Floats, n: int, factor: Floats) -> bool:
    """Write the Cholesky factor of the leading n x n block of `normal` to `factor`; False where there is none."""
    for p in range(n):
        for r in range(p + 1):
            factor[p, r] = normal[p, r]
        factor[p, p] += 1e-9 * factor[p, p]
    return cholesky(factor, n)
