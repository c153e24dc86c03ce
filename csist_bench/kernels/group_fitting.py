"""Group-fit kernels: targets on known arms about one moving reference point, several frames at once.

In frame t of a group the targets stand at x_k(t) = r(t) + (radius + drift_t) R(angle) e_k, with e_k the arms of one
hypothesis, r(t) = sum_i basis[t, i] c_i a path of few coefficients, and intensities s_k shared by all frames. The
unknowns of one fit are state (U,) = (c_x, c_y, radius, s_1..s_K[, angle]), with independent normal priors.

A job is one hypothesis for one group. `fit_jobs` takes Gauss-Newton steps for LANES jobs side by side: the last axis
of every work array is the lane, so that each innermost loop is the same arithmetic on neighbouring numbers. Pixels
are compared with the model as `csist_bench.kernels.fitting` does. Numbers come out, nothing is checked.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.kernels import jit
from csist_bench.kernels.fitting import axis_response, pixel_terms, window_origin

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LANES = 16
RADIUS_STEP = 0.1  # px; the longest step of the radius in one iteration
ANGLE_STEP = 0.35  # rad
PATH_STEP = 0.4  # px


@jit
def survey(frames: Floats, limit: float, near: float, size: int, windows: Floats, origins: Ints, centroids: Floats, flags: Ints) -> None:
    """Cut the window of every frame (F, H, W) and measure it.

    Out: windows (F, size, size), origins (F, 2) as (row, column), centroids (F, 3) as (x, y, flux), and flags (F,): 1
    where light is missing from the flux: a pixel is clipped at `limit` or the centroid is within `near` px of the border.
    """
    height, width = frames.shape[1:]
    for f in range(frames.shape[0]):
        row, column = window_origin(frames[f], size)
        origins[f, 0], origins[f, 1] = row, column
        flux, x, y, clipped = 0.0, 0.0, 0.0, 0
        for i in range(size):
            for j in range(size):
                value = frames[f, row + i, column + j]
                windows[f, i, j] = value
                flux += value
                x += value * j
                y += value * i
                if value >= limit:
                    clipped = 1
        if flux > 0.0:
            # Noise can throw the centroid of a faint window anywhere; the window itself bounds it.
            x, y = min(max(x / flux, 0.0), size - 1.0), min(max(y / flux, 0.0), size - 1.0)
        centroids[f, 0], centroids[f, 1], centroids[f, 2] = column + x, row + y, flux
        inside = near <= column + x <= width - 1 - near and near <= row + y <= height - 1 - near
        flags[f] = 0 if inside and clipped == 0 else 1


@jit
def fit_jobs(
    windows: Floats,
    origins: Ints,
    members: Ints,
    basis: Floats,
    drift: Floats,
    group: Ints,
    arms: Floats,
    prior: Floats,
    sensor: Floats,
    table: Floats,
    iterations: int,
    state: Floats,
    cost: Floats,
    factor: Floats,
) -> None:
    """Take Gauss-Newton steps for J jobs of equal K and equal number m of frames.

    Parameters
    ----------
    windows, origins : (F, n, n) grey levels and (F, 2), from `survey`
    members : (G, m), the frames of each group; -1 marks a frame to leave out
    basis, drift : (m, D), values of the path's basis; (m,), px, growth of the radius
    group, arms : (J,), the group of each job; (J, K, 2), its arms at radius 1
    prior : (2, U), mean and precision
    sensor : variance of the read noise, gain of the shot noise, level of clipping, its edge
    state : (J, U), in: the start; out: the last step's end
    cost : (J,), out: -2 log (likelihood x prior) that the last quadratic model gives at its minimum
    factor : (J, U, U), out: lower Cholesky factor of the last normal matrix
    """
    jobs, targets, unknowns = state.shape[0], arms.shape[1], state.shape[1]
    size, degrees = windows.shape[1], basis.shape[1]
    local = unknowns - 2 * degrees + 2
    lane_job = np.empty(LANES, np.int64)
    p = np.empty((unknowns, LANES))
    normal, step = np.empty((unknowns, unknowns, LANES)), np.empty((unknowns, LANES))
    frame_normal, frame_gradient = np.empty((local, local, LANES)), np.empty((local, LANES))
    arm = np.empty((targets, 2, LANES))
    response = np.empty((4, targets, size, LANES))
    q, dq = np.empty(size), np.empty(size)
    light, present, total = np.empty((size, size, LANES)), np.empty(LANES), np.empty(LANES)
    for first in range(0, jobs, LANES):
        for lane in range(LANES):
            lane_job[lane] = min(first + lane, jobs - 1)
            p[:, lane] = state[lane_job[lane]]
        for _ in range(iterations):
            start_from_prior(p, prior, normal, step, total)
            turn_arms(p, arms, lane_job, unknowns == 2 * degrees + 2 + targets, arm)
            for t in range(members.shape[1]):
                any_clipped = load_frame(windows, members, group, lane_job, t, sensor[2], light, present)
                respond(p, basis[t], drift[t], arm, origins, members, group, lane_job, t, table, q, dq, response)
                frame_equations(
                    p, drift[t], degrees, arm, response, light, present, sensor, any_clipped, frame_normal, frame_gradient, total
                )
                gather(frame_normal, frame_gradient, basis[t], normal, step)
            factorise(normal)
            solve_lanes(normal, step, total)
            advance(p, step, degrees, targets)
        for lane in range(min(LANES, jobs - first)):
            state[first + lane] = p[:, lane]
            cost[first + lane] = total[lane]
            factor[first + lane] = normal[:, :, lane]


@jit
def start_from_prior(p: Floats, prior: Floats, normal: Floats, step: Floats, total: Floats) -> None:
    """Set the normal matrix, the gradient (in `step`) and the cost to those of the prior."""
    normal[:] = 0.0
    total[:] = 0.0
    for u in range(p.shape[0]):
        for lane in range(LANES):
            away = prior[0, u] - p[u, lane]
            normal[u, u, lane] = prior[1, u]
            step[u, lane] = prior[1, u] * away
            total[lane] += prior[1, u] * away * away


@jit
def turn_arms(p: Floats, arms: Floats, lane_job: Ints, turns: bool, arm: Floats) -> None:
    """Turn each lane's arms by its angle, if it has one; `arm` (K, 2, LANES)."""
    for lane in range(LANES):
        cos, sin = 1.0, 0.0
        if turns:
            cos, sin = math.cos(p[-1, lane]), math.sin(p[-1, lane])
        for k in range(arm.shape[0]):
            x, y = arms[lane_job[lane], k, 0], arms[lane_job[lane], k, 1]
            arm[k, 0, lane] = cos * x - sin * y
            arm[k, 1, lane] = sin * x + cos * y


@jit
def load_frame(
    windows: Floats, members: Ints, group: Ints, lane_job: Ints, t: int, limit: float, light: Floats, present: Floats
) -> bool:
    """Copy the t-th frame of each lane's group into `light` (n, n, LANES); return whether any pixel is clipped."""
    clipped = False
    size = windows.shape[1]
    for lane in range(LANES):
        f = members[group[lane_job[lane]], t]
        present[lane] = 1.0 if f >= 0 else 0.0
        for i in range(size):
            for j in range(size):
                value = windows[f, i, j] if f >= 0 else 0.0
                light[i, j, lane] = value
                clipped = clipped or value >= limit
    return clipped


@jit
def respond(
    p: Floats,
    basis: Floats,
    drift: float,
    arm: Floats,
    origins: Ints,
    members: Ints,
    group: Ints,
    lane_job: Ints,
    t: int,
    table: Floats,
    q: Floats,
    dq: Floats,
    response: Floats,
) -> None:
    """Fill the responses (4, K, n, LANES) of the targets: along x, its derivative, along y, its derivative."""
    degrees, size = basis.shape[0], q.shape[0]
    for lane in range(LANES):
        f = max(members[group[lane_job[lane]], t], 0)
        reference_x, reference_y = 0.0, 0.0
        for i in range(degrees):
            reference_x += basis[i] * p[i, lane]
            reference_y += basis[i] * p[degrees + i, lane]
        radius = p[2 * degrees, lane] + drift
        for k in range(arm.shape[0]):
            axis_response(reference_x + radius * arm[k, 0, lane], origins[f, 1], table, q, dq)
            for i in range(size):
                response[0, k, i, lane] = q[i]
                response[1, k, i, lane] = dq[i]
            axis_response(reference_y + radius * arm[k, 1, lane], origins[f, 0], table, q, dq)
            for i in range(size):
                response[2, k, i, lane] = q[i]
                response[3, k, i, lane] = dq[i]


@jit
def frame_equations(
    p: Floats,
    drift: float,
    degrees: int,
    arm: Floats,
    response: Floats,
    light: Floats,
    present: Floats,
    sensor: Floats,
    any_clipped: bool,
    normal: Floats,
    gradient: Floats,
    total: Floats,
) -> None:
    """Fill J' W J (lower triangle) and J' r of one frame in (r_x, r_y, radius, s_1..s_K[, angle]); add to the cost."""
    size, targets, local = light.shape[0], arm.shape[0], gradient.shape[0]
    turns = local == 4 + targets
    column, weighted = np.empty((local, LANES)), np.empty((local, LANES))
    model, score, curvature = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    radius = np.empty(LANES)
    normal[:] = 0.0
    gradient[:] = 0.0
    radius[:] = p[2 * degrees] + drift
    general = any_clipped or sensor[1] > 0.0
    inverse = 1.0 / sensor[0]
    for i in range(size):
        for j in range(size):
            column[:] = 0.0
            model[:] = 0.0
            for k in range(targets):
                for lane in range(LANES):
                    s = p[2 * degrees + 1 + k, lane]
                    value = response[0, k, j, lane] * response[2, k, i, lane]
                    along_x = s * response[1, k, j, lane] * response[2, k, i, lane]
                    along_y = s * response[0, k, j, lane] * response[3, k, i, lane]
                    model[lane] += s * value
                    column[0, lane] += along_x
                    column[1, lane] += along_y
                    column[2, lane] += arm[k, 0, lane] * along_x + arm[k, 1, lane] * along_y
                    column[3 + k, lane] = value
                    if turns:
                        column[local - 1, lane] += radius[lane] * (arm[k, 0, lane] * along_y - arm[k, 1, lane] * along_x)
            if general:
                compare_general(light[i, j], model, sensor, present, score, curvature, total)
            else:
                for lane in range(LANES):
                    weight = inverse * present[lane]
                    residual = light[i, j, lane] - model[lane]
                    score[lane] = residual * weight
                    curvature[lane] = weight
                    total[lane] += residual * residual * weight
            for u in range(local):
                for lane in range(LANES):
                    weighted[u, lane] = column[u, lane] * curvature[lane]
                    gradient[u, lane] += column[u, lane] * score[lane]
                for v in range(u + 1):
                    for lane in range(LANES):
                        normal[u, v, lane] += weighted[u, lane] * column[v, lane]


@jit
def compare_general(
    light: Floats, model: Floats, sensor: Floats, present: Floats, score: Floats, curvature: Floats, total: Floats
) -> None:
    """Compare one pixel of each lane with its model where pixels clip or shot noise counts."""
    one_light, one_model, one_score, one_curvature = np.empty((1, 1)), np.empty((1, 1)), np.empty((1, 1)), np.empty((1, 1))
    for lane in range(LANES):
        one_light[0, 0], one_model[0, 0] = light[lane], model[lane]
        added = pixel_terms(
            one_light, one_model, sensor[0], sensor[1], sensor[2], sensor[3], one_score, one_curvature
        )
        total[lane] += added * present[lane]
        score[lane] = one_score[0, 0] * present[lane]
        curvature[lane] = one_curvature[0, 0] * present[lane]


@jit
def gather(frame_normal: Floats, frame_gradient: Floats, basis: Floats, normal: Floats, step: Floats) -> None:
    """Add one frame's equations to the group's: M' F M and M' g, M the map from path coefficients to r(t)."""
    degrees, local = basis.shape[0], frame_gradient.shape[0]
    for i in range(degrees):
        for lane in range(LANES):
            step[i, lane] += basis[i] * frame_gradient[0, lane]
            step[degrees + i, lane] += basis[i] * frame_gradient[1, lane]
        for j in range(degrees):
            product = basis[i] * basis[j]
            for lane in range(LANES):
                normal[i, j, lane] += product * frame_normal[0, 0, lane]
                normal[degrees + i, j, lane] += product * frame_normal[1, 0, lane]
                normal[degrees + i, degrees + j, lane] += product * frame_normal[1, 1, lane]
    for u in range(2, local):
        row = 2 * degrees - 2 + u
        for lane in range(LANES):
            step[row, lane] += frame_gradient[u, lane]
        for i in range(degrees):
            for lane in range(LANES):
                normal[row, i, lane] += basis[i] * frame_normal[u, 0, lane]
                normal[row, degrees + i, lane] += basis[i] * frame_normal[u, 1, lane]
        for v in range(2, u + 1):
            for lane in range(LANES):
                normal[row, 2 * degrees - 2 + v, lane] += frame_normal[u, v, lane]


@jit
def factorise(normal: Floats) -> None:
    """Replace the lower triangle of each lane's matrix by its Cholesky factor (priors keep it positive)."""
    n = normal.shape[0]
    for j in range(n):
        for i in range(j, n):
            for k in range(j):
                for lane in range(LANES):
                    normal[i, j, lane] -= normal[i, k, lane] * normal[j, k, lane]
        for lane in range(LANES):
            normal[j, j, lane] = math.sqrt(max(normal[j, j, lane], 1e-12))
        for i in range(j + 1, n):
            for lane in range(LANES):
                normal[i, j, lane] /= normal[j, j, lane]


@jit
def solve_lanes(factor: Floats, step: Floats, total: Floats) -> None:
    """Turn the gradient in `step` into the Gauss-Newton step; take its predicted gain off the cost."""
    n = factor.shape[0]
    for i in range(n):
        for k in range(i):
            for lane in range(LANES):
                step[i, lane] -= factor[i, k, lane] * step[k, lane]
        for lane in range(LANES):
            step[i, lane] /= factor[i, i, lane]
            total[lane] -= step[i, lane] * step[i, lane]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            for lane in range(LANES):
                step[i, lane] -= factor[k, i, lane] * step[k, lane]
        for lane in range(LANES):
            step[i, lane] /= factor[i, i, lane]


@jit
def advance(p: Floats, step: Floats, degrees: int, targets: int) -> None:
    """Move each lane by its step, shortened so that no length moves further than its bound."""
    unknowns = p.shape[0]
    for lane in range(LANES):
        share = 1.0
        for i in range(2 * degrees):
            share = min(share, PATH_STEP / max(abs(step[i, lane]), PATH_STEP))
        share = min(share, RADIUS_STEP / max(abs(step[2 * degrees, lane]), RADIUS_STEP))
        if unknowns == 2 * degrees + 2 + targets:
            share = min(share, ANGLE_STEP / max(abs(step[unknowns - 1, lane]), ANGLE_STEP))
        for u in range(unknowns):
            p[u, lane] += share * step[u, lane]
