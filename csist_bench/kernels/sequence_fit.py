"""Joint fits of K targets over the frames of a window, their motion tied together, intensities shared.

With u in [-1, 1] the scaled frame number, target k of frame t stands at

    rigid:       x_k(t) = c + sum_d p_d u^d + (1 + g u) o_k      one path p of the group, growth g of its shape o
    polynomial:  x_k(t) = c + o_k + sum_d p_kd u^d               a path of its own

about a fixed centre c near the group. The unknowns `a` are ordered (o_1x, o_1y, s_1, o_2x, ...), then the path
(rigid: p_1x .. p_Dx, p_1y .. p_Dy, g; polynomial: p_1dx, p_1dy, p_2dx, .. for d = 1, then d = 2, ..). Each frame's
F_t and g_t (`csist_bench.kernels.fitting.normal_equations`) are gathered into A = sum_t M_t' F_t M_t + prior with
M_t = d theta_t / d a, whose few non-zero entries are written out here. Numbers come out, nothing is checked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.kernels import jit
from csist_bench.kernels.fitting import cholesky, log_determinant, normal_equations, pixel_terms, solve, window_model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_LIMIT = 0.3  # px a target may move in one step
MAX_DAMPING = 1e8


class Window(NamedTuple):
    """The frames of one fit: pixels (T, n, n), origins (T, 2) as (row, column), scaled times (T,), centre (2,)."""

    pixels: Floats
    origin: Ints
    time: Floats
    centre: Floats


class Model(NamedTuple):
    """Number of targets, degree of the path, whether the group is rigid; prior mean and precision of every unknown."""

    targets: int
    degree: int
    rigid: bool
    mean: Floats
    precision: Floats


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


def unknowns(targets: int, degree: int, rigid: bool) -> int:
    """Return the number of unknowns P."""
    return 3 * targets + (2 * degree + 1 if rigid else 2 * degree * targets)


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
        np.zeros((3, 3 * targets)),
        np.zeros((p, p)),
        np.zeros(p),
        np.zeros((p, p)),
        np.zeros(p),
        np.zeros((p, p)),
        np.zeros(p),
        np.zeros(p),
    )


@jit
def place(a: Floats, u: float, centre: Floats, model: Model, theta: Floats) -> None:
    """Write the targets (K, 3) of the frame at scaled time u."""
    k, degree = model.targets, model.degree
    for m in range(k):
        theta[m, 2] = a[3 * m + 2]
    if model.rigid:
        grown = 1.0 + a[3 * k + 2 * degree] * u
        for axis in range(2):
            path, power = centre[axis], 1.0
            for d in range(degree):
                power *= u
                path += a[3 * k + axis * degree + d] * power
            for m in range(k):
                theta[m, axis] = path + grown * a[3 * m + axis]
        return
    for m in range(k):
        for axis in range(2):
            position, power = centre[axis] + a[3 * m + axis], 1.0
            for d in range(degree):
                power *= u
                position += a[3 * k + 2 * k * d + 2 * m + axis] * power
            theta[m, axis] = position


@jit
def gather_rigid(a: Floats, u: float, model: Model, frame: Floats, right: Floats, shared: Floats, normal: Floats, gradient: Floats) -> None:
    """Add M_t' F_t M_t and M_t' g_t of a rigid group; `frame` (3K, 3K) is F_t, `right` (3K,) is g_t."""
    k, degree = model.targets, model.degree
    n, last = 3 * k, 3 * k + 2 * degree
    grown = 1.0 + a[last] * u
    # Rows of F_t summed over the targets: by a shift in x, in y, and by a growth of the shape.
    for p in range(n):
        by_x, by_y, by_growth = 0.0, 0.0, 0.0
        for m in range(k):
            by_x += frame[3 * m, p]
            by_y += frame[3 * m + 1, p]
            by_growth += a[3 * m] * frame[3 * m, p] + a[3 * m + 1] * frame[3 * m + 1, p]
        shared[0, p], shared[1, p], shared[2, p] = by_x, by_y, by_growth * u
    xx, xy, yy, xg, yg, gg = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    shift_x, shift_y, shift_g = 0.0, 0.0, 0.0
    for m in range(k):
        i, j = 3 * m, 3 * m + 1
        xx += shared[0, i]
        xy += shared[0, j]
        yy += shared[1, j]
        xg += shared[2, i]
        yg += shared[2, j]
        gg += u * (a[i] * shared[2, i] + a[j] * shared[2, j])
        shift_x += right[i]
        shift_y += right[j]
        shift_g += u * (a[i] * right[i] + a[j] * right[j])
    for p in range(n):
        scale = 1.0 if p % 3 == 2 else grown
        gradient[p] += scale * right[p]
        for q in range(p + 1):
            normal[p, q] += scale * (1.0 if q % 3 == 2 else grown) * frame[p, q]
        power = 1.0
        for d in range(degree):
            power *= u
            normal[n + d, p] += power * scale * shared[0, p]
            normal[n + degree + d, p] += power * scale * shared[1, p]
        normal[last, p] += scale * shared[2, p]
    power = 1.0
    for d in range(degree):
        power *= u
        gradient[n + d] += power * shift_x
        gradient[n + degree + d] += power * shift_y
        other = 1.0
        for e in range(degree):
            other *= u
            if e <= d:
                normal[n + d, n + e] += power * other * xx
                normal[n + degree + d, n + degree + e] += power * other * yy
            normal[n + degree + d, n + e] += power * other * xy
        normal[last, n + d] += power * xg
        normal[last, n + degree + d] += power * yg
    normal[last, last] += gg
    gradient[last] += shift_g


@jit
def gather_polynomial(u: float, model: Model, frame: Floats, right: Floats, normal: Floats, gradient: Floats) -> None:
    """Add M_t' F_t M_t and M_t' g_t of targets with paths of their own; `frame` (3K, 3K) is F_t, `right` (3K,) is g_t."""
    k, degree = model.targets, model.degree
    n = 3 * k
    for p in range(n):
        gradient[p] += right[p]
        for q in range(p + 1):
            normal[p, q] += frame[p, q]
    power = 1.0
    for d in range(degree):
        power *= u
        for i in range(2 * k):
            row, source = n + 2 * k * d + i, 3 * (i // 2) + i % 2
            gradient[row] += power * right[source]
            for q in range(n):
                normal[row, q] += power * frame[source, q]
            other = 1.0
            for e in range(d + 1):
                other *= u
                for j in range(2 * k):
                    normal[row, n + 2 * k * e + j] += power * other * frame[source, 3 * (j // 2) + j % 2]


@jit
def equations(a: Floats, window: Window, model: Model, table: Floats, sensor: Floats, work: Work, normal: Floats, gradient: Floats) -> float:
    """Fill the lower triangle of A (P, P) and the gradient (P,) at `a`, prior included, and return the cost.

    The cost is -2 log likelihood of all pixels plus the prior's; `sensor` is (variance of the read noise, gain of the
    shot noise, level of clipping, its edge).
    """
    base = 1.0 / sensor[0] if sensor[1] == 0.0 else 0.0
    cost = 0.0
    for p in range(a.shape[0]):
        away = model.mean[p] - a[p]
        cost += model.precision[p] * away * away
        gradient[p] = model.precision[p] * away
        for q in range(p):
            normal[p, q] = 0.0
        normal[p, p] = model.precision[p]
    for t in range(window.pixels.shape[0]):
        u = window.time[t]
        place(a, u, window.centre, model, work.theta)
        window_model(work.theta, window.origin[t, 0], window.origin[t, 1], table, work.a, work.da, work.b, work.db, work.model)
        cost += pixel_terms(window.pixels[t], work.model, sensor[0], sensor[1], sensor[2], sensor[3], work.score, work.curvature)
        normal_equations(
            work.theta, work.a, work.da, work.b, work.db, work.score, work.curvature, base, work.jacobian, work.frame_normal, work.frame_gradient
        )
        if model.rigid:
            gather_rigid(a, u, model, work.frame_normal, work.frame_gradient, work.shared, normal, gradient)
        else:
            gather_polynomial(u, model, work.frame_normal, work.frame_gradient, normal, gradient)
    return cost


@jit
def fit(a: Floats, window: Window, model: Model, table: Floats, sensor: Floats, iterations: int, tolerance: float, work: Work) -> float:
    """Fit `a` (P,) in place by Levenberg-Marquardt and return the cost reached.

    Ends when a step promises or brings less than `tolerance`, or after `iterations` steps. The undamped normal matrix
    at the end is the lower triangle of `work.normal`.
    """
    cost = equations(a, window, model, table, sensor, work, work.normal, work.gradient)
    damping = 1e-3
    for _ in range(iterations):
        promised = damped_step(a.shape[0], damping, work)
        if promised < 0.0:
            damping *= 10.0
            if damping > MAX_DAMPING:
                break
            continue
        shorten(work.step, model.targets)
        for p in range(a.shape[0]):
            work.trial[p] = a[p] + work.step[p]
        reached = equations(work.trial, window, model, table, sensor, work, work.trial_normal, work.trial_gradient)
        if reached < cost:
            gain = cost - reached
            a[:] = work.trial
            work.normal[:] = work.trial_normal
            work.gradient[:] = work.trial_gradient
            cost = reached
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
    for p in range(n):
        for q in range(p + 1):
            work.factor[p, q] = work.normal[p, q]
    if not cholesky(work.factor, n):
        return -np.inf
    return -0.5 * (cost + log_determinant(work.factor, n))


@jit
def spread(row: Floats, factor: Floats, n: int) -> None:
    """Replace a row m of M_t (P,) by L^-1 m, so that the dot product of two such rows is their covariance."""
    for i in range(n):
        total = row[i]
        for j in range(i):
            total -= factor[i, j] * row[j]
        row[i] = total / factor[i, i]


@jit
def covariances(a: Floats, u: float, model: Model, factor: Floats, rows: Floats, out: Floats) -> None:
    """Write (C_xx, C_yy, C_xy, C_ss) of every target at scaled time u to `out` (K, 4); `rows` (3, P) is scratch."""
    k, degree, n = model.targets, model.degree, a.shape[0]
    for m in range(k):
        rows[:] = 0.0
        for axis in range(2):
            rows[axis, 3 * m + axis] = 1.0
            power = 1.0
            if model.rigid:
                rows[axis, 3 * m + axis] += a[n - 1] * u
                rows[axis, n - 1] = a[3 * m + axis] * u
            for d in range(degree):
                power *= u
                column = 3 * k + axis * degree + d if model.rigid else 3 * k + 2 * k * d + 2 * m + axis
                rows[axis, column] = power
        rows[2, 3 * m + 2] = 1.0
        for i in range(3):
            spread(rows[i], factor, n)
        out[m, 0], out[m, 1] = np.dot(rows[0], rows[0]), np.dot(rows[1], rows[1])
        out[m, 2], out[m, 3] = np.dot(rows[0], rows[1]), np.dot(rows[2], rows[2])
