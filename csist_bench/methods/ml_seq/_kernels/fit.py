"""Joint Levenberg-Marquardt fits of K targets over the frames of a window.

The frames' F_t and g_t (`methods.fitting.pixel_model.normal_equations`) are gathered into A = sum_t M_t' F_t M_t
+ prior by the motion models of `csist_bench.methods.ml_seq._kernels.motion`. Numbers come out, nothing is checked.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import by_reference, jit, jit_inner
from csist_bench.methods.fitting.dense_images import WIDTHS, DenseWorkspace
from csist_bench.methods.fitting.dense_model import dense_cost, dense_equations
from csist_bench.methods.fitting.lanes import padded, zeros
from csist_bench.methods.fitting.levenberg import MAX_DAMPING, damped_step, shorten
from csist_bench.methods.fitting.linear_algebra import cholesky, copy_array, log_determinant
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import normal_equations, pixel_terms, window_model
from csist_bench.methods.ml_seq._kernels.motion import (
    MotionModel,
    gather_polynomial,
    gather_rigid,
    gather_widths,
    targets_at,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_WIDTH, LARGEST_WIDTH = 0.4, 2.5  # of the PSF, as factors of the camera's
RIDGE_TRIES = 8  # the last ridge is 0.01 of the diagonal


class SequenceWindow(NamedTuple):
    """The m frames of one fit, out of F: pixels (F, n, n), origins (F, 2) as (row, column) and members (m,), -1 = none.

    `time` (m,) is u, `basis` (m, D) holds P_1(u) .. P_D(u), `centre` (2,) is c in px.
    """

    pixels: Floats
    origin: Ints
    members: Ints
    time: Floats
    basis: Floats
    centre: Floats


@by_reference
class SequenceWorkspace:
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
def sequence_workspace(targets: int, size: int, p: int) -> SequenceWorkspace:
    """Return the scratch for `p` unknowns of `targets` targets in windows of `size` px a side."""
    n, width = 3 * targets, padded(size)
    return SequenceWorkspace(
        zeros(targets, n // targets),
        zeros(targets, width),
        zeros(targets, width),
        zeros(targets, width),
        zeros(targets, width),
        zeros(size, width),
        zeros(size, width),
        zeros(size, width),
        zeros(n, n)[0],
        zeros(n + WIDTHS, n + WIDTHS),
        zeros(n + WIDTHS, n + WIDTHS)[0],
        zeros(n + 1, n),
        zeros(p, p),
        zeros(p, p)[0],
        zeros(p, p),
        zeros(p, p)[0],
        zeros(p, padded(p + 1)),
        zeros(p, p)[0],
        zeros(p, p)[0],
    )


@jit_inner
def joint_equations(
    a: Floats,
    window: SequenceWindow,
    model: MotionModel,
    noise_model: NoiseModel,
    work: SequenceWorkspace,
    normal: Floats,
    gradient: Floats,
    dense: DenseWorkspace | None,
) -> float:
    """Fill the lower triangle of A (P, P) and the gradient (P,) at `a`, prior included, and return the cost.

    The cost is -2 log likelihood of all pixels plus the prior's. `dense` is scratch of cameras that need the dense
    model, and where widths are freed; None: what only they need is not even compiled.
    """
    cost = prior_terms(a, model.mean, model.inverse_variance, normal, gradient)
    base = 1.0 / noise_model.variance if noise_model.gain == 0.0 else 0.0
    # Taken out of their tuples once: inside the loop each access would cost a reference count.
    theta, qa, da, qb, db, image = work.theta, work.a, work.da, work.b, work.db, work.model
    score, curvature, jacobian, shared = work.score, work.curvature, work.jacobian, work.shared
    frame, right = work.frame_normal, work.frame_gradient
    members, time, basis, pixels, origin = window.members, window.time, window.basis, window.pixels, window.origin
    targets, degree, rigid, centre = model.targets, model.degree, model.rigid, window.centre
    table_x, table_y, freed = noise_model.table, noise_model.table_y, model.freed
    if dense is not None and freed:
        set_widths(a, dense.widths)
    variance, gain, saturation, edge = noise_model.variance, noise_model.gain, noise_model.saturation, noise_model.edge
    uniform = gain == 0.0 and saturation == math.inf
    for t in range(members.shape[0]):
        f = members[t]
        if f < 0:
            continue
        targets_at(a, time[t], basis[t], centre, targets, degree, rigid, theta)
        if dense is not None:
            cost += dense_cost(
                theta, pixels[f], origin[f, 0], origin[f, 1], noise_model, freed, dense, image, score, curvature
            )
            unknowns = 3 * targets + (WIDTHS if freed else 0)
            dense_equations(unknowns, noise_model.background, dense, score, curvature, frame, right)
        else:
            window_model(theta, origin[f, 0], origin[f, 1], table_x, table_y, qa, da, qb, db, image)
            cost += pixel_terms(pixels[f], image, variance, gain, saturation, edge, score, curvature)
            normal_equations(theta, qa, da, qb, db, score, curvature, base, uniform, jacobian, frame, right)
        if rigid:
            gather_rigid(a, time[t], basis[t], targets, degree, frame, right, shared, normal, gradient)
        else:
            gather_polynomial(basis[t], targets, degree, frame, right, normal, gradient)
        if dense is not None and freed:
            gather_widths(a, time[t], basis[t], model, frame, right, normal, gradient)
    return cost


@jit_inner
def set_widths(a: Floats, widths: Floats) -> None:
    """Take the PSF's widths from the end of the unknowns, within the bounds of what a fit can mean."""
    for w in range(WIDTHS):
        widths[w] = min(max(a[a.shape[0] - WIDTHS + w], LEAST_WIDTH), LARGEST_WIDTH)


@jit_inner
def prior_terms(a: Floats, mean: Floats, inverse_variance: Floats, normal: Floats, gradient: Floats) -> float:
    """Set the normal matrix and the gradient to those of the prior and return its cost."""
    cost = 0.0
    for p in range(a.shape[0]):
        away = mean[p] - a[p]
        cost += inverse_variance[p] * away * away
        gradient[p] = inverse_variance[p] * away
        for q in range(a.shape[0]):
            normal[p, q] = 0.0
        normal[p, p] = inverse_variance[p]
    return cost


@jit_inner
def fit_sequence(
    a: Floats,
    window: SequenceWindow,
    model: MotionModel,
    noise_model: NoiseModel,
    iterations: int,
    tolerance: float,
    work: SequenceWorkspace,
    dense: DenseWorkspace | None,
) -> float:
    """Fit `a` (P,) in place by Levenberg-Marquardt and return the cost reached.

    Ends when a step promises or brings less than `tolerance`, or after `iterations` steps. The undamped normal matrix
    at the end is the lower triangle of `work.normal`.
    """
    damping, promised, cost = 1e-2, math.inf, math.inf
    copy_array(a, work.trial)
    for _ in range(iterations + 1):
        reached = joint_equations(
            work.trial, window, model, noise_model, work, work.trial_normal, work.trial_gradient, dense
        )
        if reached < cost:
            gain = cost - reached
            cost = reached
            copy_array(work.trial, a)
            copy_array(work.trial_normal, work.normal)
            copy_array(work.trial_gradient, work.gradient)
            damping = max(damping * 0.1, 1e-9)
            if gain < tolerance and promised < 2.0 * tolerance:
                break
        else:
            damping *= 8.0
            if promised < tolerance:
                break
        promised = damped_step(a.shape[0], damping, work.normal, work.gradient, work.factor, work.step)
        while promised < 0.0 and damping < MAX_DAMPING:
            damping *= 10.0
            promised = damped_step(a.shape[0], damping, work.normal, work.gradient, work.factor, work.step)
        if promised < 0.0 or damping > MAX_DAMPING:
            break
        shorten(work.step, model.targets)
        for p in range(a.shape[0]):
            work.trial[p] = a[p] + work.step[p]
    return cost


@jit_inner
def sequence_log_evidence(cost: float, n: int, work: SequenceWorkspace) -> float:
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
