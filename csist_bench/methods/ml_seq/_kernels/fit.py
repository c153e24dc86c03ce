"""Joint Levenberg-Marquardt fits of K targets over the frames of a window.

The frames' F_t and g_t (`methods.fitting.pixel_model.normal_equations`) are gathered into A = sum_t M_t' F_t M_t
+ prior by the motion models of `csist_bench.methods.ml_seq._kernels.motion`. Numbers come out, nothing is checked.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit
from csist_bench.methods.fitting.levenberg import Sensor
from csist_bench.methods.fitting.pixel_model import (
    cholesky,
    log_determinant,
    normal_equations,
    pixel_terms,
    solve,
    window_model,
)
from csist_bench.methods.ml_seq._kernels.motion import Model, gather_polynomial, gather_rigid, place

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_LIMIT = 0.3  # px a target may move in one step
MAX_DAMPING = 1e8
RIDGE_TRIES = 8  # the last ridge is 0.01 of the diagonal


class Window(NamedTuple):
    """The m frames of one fit, out of F: pixels (F, n, n), origins (F, 2) as (row, column) and members (m,), -1 = none.

    `time` (m,) is u, `basis` (m, D) holds P_1(u) .. P_D(u), `centre` (2,) is c in px.
    """

    pixels: Floats
    origin: Ints
    members: Ints
    time: Floats
    basis: Floats
    centre: Floats


class Work(NamedTuple):
    """Scratch of fits with P unknowns of K targets in n x n windows."""

    theta: Floats
    a: Floats
    da: Floats
    b: Floats
    db: Floats
    model: Floats
    score: Floats
    curvature: Floats
    jacobian: Floats
    frame_normal: Floats
    frame_gradient: Floats
    shared: Floats
    normal: Floats
    gradient: Floats
    trial_normal: Floats
    trial_gradient: Floats
    factor: Floats
    step: Floats
    trial: Floats


@jit
def workspace(targets: int, size: int, p: int) -> Work:
    """Return the scratch for `p` unknowns of `targets` targets in windows of `size` px a side."""
    return Work(
        np.zeros((targets, 3)),
        np.zeros((targets, size)),
        np.zeros((targets, size)),
        np.zeros((targets, size)),
        np.zeros((targets, size)),
        np.zeros((size, size)),
        np.zeros((size, size)),
        np.zeros((size, size)),
        np.zeros(3 * targets),
        np.zeros((3 * targets, 3 * targets)),
        np.zeros(3 * targets),
        np.zeros((4, 3 * targets)),
        np.zeros((p, p)),
        np.zeros(p),
        np.zeros((p, p)),
        np.zeros(p),
        np.zeros((p, p)),
        np.zeros(p),
        np.zeros(p),
    )


@jit
def equations(
    a: Floats, window: Window, model: Model, sensor: Sensor, work: Work, normal: Floats, gradient: Floats
) -> float:
    """Fill the lower triangle of A (P, P) and the gradient (P,) at `a`, prior included, and return the cost.

    The cost is -2 log likelihood of all pixels plus the prior's.
    """
    cost = prior_terms(a, model.mean, model.precision, normal, gradient)
    base = 1.0 / sensor.variance if sensor.gain == 0.0 else 0.0
    # Taken out of their tuples once: inside the loop each access would cost a reference count.
    theta, qa, da, qb, db, image = work.theta, work.a, work.da, work.b, work.db, work.model
    score, curvature, jacobian, shared = work.score, work.curvature, work.jacobian, work.shared
    frame, right = work.frame_normal, work.frame_gradient
    members, time, basis, pixels, origin = window.members, window.time, window.basis, window.pixels, window.origin
    targets, degree, rigid, centre, table = model.targets, model.degree, model.rigid, window.centre, sensor.table
    variance, gain, limit, edge = sensor.variance, sensor.gain, sensor.limit, sensor.edge
    for t in range(members.shape[0]):
        f = members[t]
        if f < 0:
            continue
        place(a, time[t], basis[t], centre, targets, degree, rigid, theta)
        window_model(theta, origin[f, 0], origin[f, 1], table, qa, da, qb, db, image)
        cost += pixel_terms(pixels[f], image, variance, gain, limit, edge, score, curvature)
        normal_equations(theta, qa, da, qb, db, score, curvature, base, jacobian, frame, right)
        if rigid:
            gather_rigid(a, time[t], basis[t], targets, degree, frame, right, shared, normal, gradient)
        else:
            gather_polynomial(basis[t], targets, degree, frame, right, normal, gradient)
    return cost


@jit
def prior_terms(a: Floats, mean: Floats, precision: Floats, normal: Floats, gradient: Floats) -> float:
    """Set the normal matrix and the gradient to those of the prior and return its cost."""
    cost = 0.0
    for p in range(a.shape[0]):
        away = mean[p] - a[p]
        cost += precision[p] * away * away
        gradient[p] = precision[p] * away
        for q in range(a.shape[0]):
            normal[p, q] = 0.0
        normal[p, p] = precision[p]
    return cost


@jit
def fit(
    a: Floats,
    window: Window,
    model: Model,
    sensor: Sensor,
    iterations: int,
    tolerance: float,
    work: Work,
) -> float:
    """Fit `a` (P,) in place by Levenberg-Marquardt and return the cost reached.

    Ends when a step promises or brings less than `tolerance`, or after `iterations` steps. The undamped normal matrix
    at the end is the lower triangle of `work.normal`.
    """
    damping, promised, cost = 1e-2, math.inf, math.inf
    copy(a, work.trial)
    for _ in range(iterations + 1):
        reached = equations(work.trial, window, model, sensor, work, work.trial_normal, work.trial_gradient)
        if reached < cost:
            gain = cost - reached
            cost = reached
            copy(work.trial, a)
            copy(work.trial_normal, work.normal)
            copy(work.trial_gradient, work.gradient)
            damping = max(damping * 0.1, 1e-9)
            if gain < tolerance and promised < 2.0 * tolerance:
                break
        else:
            damping *= 8.0
            if promised < tolerance:
                break
        promised = damped_step(a.shape[0], damping, work)
        while promised < 0.0 and damping < MAX_DAMPING:
            damping *= 10.0
            promised = damped_step(a.shape[0], damping, work)
        if promised < 0.0 or damping > MAX_DAMPING:
            break
        shorten(work.step, model.targets)
        for p in range(a.shape[0]):
            work.trial[p] = a[p] + work.step[p]
    return cost


@jit
def copy(source: Floats, target: Floats) -> None:
    """Copy an array into another of its shape (plain loops compile several times faster than a slice assignment)."""
    flat_source, flat_target = source.ravel(), target.ravel()
    for i in range(flat_source.shape[0]):
        flat_target[i] = flat_source[i]


@jit
def damped_step(n: int, damping: float, work: Work) -> float:
    """Write the Marquardt step to `work.step` and return the decrease of cost it promises; -1 without a factor."""
    for p in range(n):
        for q in range(p):
            work.factor[p, q] = work.normal[p, q]
        work.factor[p, p] = work.normal[p, p] * (1.0 + damping)
        work.step[p] = work.gradient[p]
    if not cholesky(work.factor, n):
        return -1.0
    solve(work.factor, n, work.step)
    promised = 0.0
    for p in range(n):
        promised += work.step[p] * (work.gradient[p] + damping * work.normal[p, p] * work.step[p])
    return promised


@jit
def shorten(step: Floats, targets: int) -> None:
    """Scale a step down so that no target moves further than `STEP_LIMIT` within the group."""
    longest = 0.0
    for m in range(targets):
        longest = max(longest, abs(step[3 * m]), abs(step[3 * m + 1]))
    if longest > STEP_LIMIT:
        for p in range(step.shape[0]):
            step[p] *= STEP_LIMIT / longest


@jit
def log_evidence(cost: float, n: int, work: Work) -> float:
    """Return Laplace's log evidence of a fit up to a constant, and leave the factor of A in `work.factor`."""
    ridge = 0.0
    for _ in range(RIDGE_TRIES):
        for p in range(n):
            for q in range(p):
                work.factor[p, q] = work.normal[p, q]
            work.factor[p, p] = work.normal[p, p] * (1.0 + ridge)
        if cholesky(work.factor, n):
            break
        # Rounding alone can cost A its definiteness where targets coincide.
        ridge = max(100.0 * ridge, 1e-14)
    return -0.5 * (cost + log_determinant(work.factor, n))
