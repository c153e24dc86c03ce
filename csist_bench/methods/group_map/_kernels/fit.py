"""Group-fit kernels: targets on known arms about one moving reference point, several frames at once.

In frame t of a group the targets stand at x_k(t) = pivot + R(angle) (sum_i basis[t, i] c_i + (radius + drift_t) e_k),
with e_k the arms of one hypothesis, a path of few coefficients c_i = (c_u, c_v), and intensities s_k shared by all
frames. The whole scene, path and arms, is rotated by R(angle); without an angle R = 1. The unknowns of one fit are
state (U,) = (c_u, c_v, radius, s_1..s_K[, angle]), with independent normal priors.

A hypothesis is one set of arms for one group. `fit_hypotheses` takes Gauss-Newton steps for LANES of them side by
side: the last axis of every work array is the lane, so that each innermost loop is the same arithmetic on neighbouring
numbers. Pixels are compared with the model as `csist_bench.methods.fitting.pixel_model` does. Numbers come out, nothing
is checked.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit
from csist_bench.methods.fitting.lanes import padded
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import axis_response, pixel_terms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LANES = 64  # hypotheses fitted side by side at most
RADIUS_STEP = 0.1  # px; the longest step of the radius in one iteration
ANGLE_STEP = 0.35  # rad
PATH_STEP = 0.4  # px


class Groups(NamedTuple):
    """G groups of m frames each, and what their fits share.

    windows, origins : (F, n, n) grey levels and (F, 2), from `survey`
    members, pivots : (G, m), the frames of each group, -1 = left out; (G, 2), the point paths are counted from, px
    basis, drift : (m, D), values of the path's basis; (m,), px, growth of the radius
    prior : (2, U), mean and inverse variance of the unknowns
    """

    windows: Floats
    origins: Ints
    members: Ints
    pivots: Floats
    basis: Floats
    drift: Floats
    prior: Floats
    noise_model: NoiseModel


class Hypotheses(NamedTuple):
    """J hypotheses of equal K: the group of each, (J,), its arms at radius 1, (J, K, 2), and its fit.

    state : (J, U), the unknowns
    cost : (J,), -2 log (likelihood x prior) that the last quadratic model gives at its minimum
    log_volume : (J,), minus half the log determinant of the last normal matrix
    factor : (J, U, U), lower Cholesky factor of the last normal matrix
    """

    group: Ints
    arms: Floats
    state: Floats
    cost: Floats
    log_volume: Floats
    factor: Floats

    def select(self, index: NDArray[np.generic]) -> Hypotheses:
        """Return the hypotheses picked by a mask or an index array."""
        return Hypotheses(*(part[index] for part in self))


@jit
def fit_hypotheses(groups: Groups, hypotheses: Hypotheses, iterations: int) -> None:
    """Take Gauss-Newton steps from the state of every hypothesis, and leave its fit."""
    group, arms, state, factor = hypotheses.group, hypotheses.arms, hypotheses.state, hypotheses.factor
    cost, log_volume = hypotheses.cost, hypotheses.log_volume
    number, targets, unknowns = state.shape[0], arms.shape[1], state.shape[1]
    size, degrees = groups.windows.shape[1], groups.basis.shape[1]
    local = unknowns - 2 * degrees + 2
    # Blocks of nearly equal width, so that little is wasted on filling up the last one.
    lanes = -(-number // max(-(-number // LANES), 1))
    lane_group, arm, p = np.empty(lanes, np.int64), np.empty((targets, 2, lanes)), np.empty((unknowns, lanes))
    normal, step = np.empty((unknowns, unknowns, lanes)), np.empty((unknowns, lanes))
    frame_normal, frame_gradient = np.empty((local, local, lanes)), np.empty((local, lanes))
    rotation, arm_vector, response = (
        np.empty((2, lanes)),
        np.empty((targets, 2, lanes)),
        np.empty((4, targets, size, lanes)),
    )
    light, present, total = np.empty((size, size, lanes)), np.empty(lanes), np.empty(lanes)
    for first in range(0, number, lanes):
        for lane in range(lanes):
            hypothesis = min(first + lane, number - 1)
            lane_group[lane] = group[hypothesis]
            load_lane(lane, arms[hypothesis], state[hypothesis], arm, p)
        for _ in range(iterations):
            start_from_prior(p, groups.prior, normal, step, total)
            find_rotation(p, unknowns == 2 * degrees + 2 + targets, rotation)
            for t in range(groups.members.shape[1]):
                clipped = load_frame(groups, lane_group, t, light, present)
                lane_responses(groups, p, lane_group, t, arm, rotation, arm_vector, response)
                intensity = p[2 * degrees + 1 : 2 * degrees + 1 + targets]
                frame_equations(
                    intensity, arm, rotation, arm_vector, response, light, present, groups.noise_model, clipped,
                    frame_normal, frame_gradient, total,
                )  # fmt: skip
                add_frame_equations(frame_normal, frame_gradient, groups.basis[t], normal, step)
            factorise(normal)
            solve_lanes(normal, step, total)
            advance(p, step, degrees, targets)
        for lane in range(min(lanes, number - first)):
            hypothesis = first + lane
            cost[hypothesis], log_volume[hypothesis] = total[lane], 0.0
            for u in range(unknowns):
                state[hypothesis, u] = p[u, lane]
                log_volume[hypothesis] -= math.log(normal[u, u, lane])
                for v in range(unknowns):
                    factor[hypothesis, u, v] = normal[u, v, lane]


@jit
def load_lane(lane: int, arms: Floats, state: Floats, arm: Floats, p: Floats) -> None:
    """Copy the arms (K, 2) and the state (U,) of a hypothesis into a lane."""
    for k in range(arms.shape[0]):
        for axis in range(2):
            arm[k, axis, lane] = arms[k, axis]
    for u in range(state.shape[0]):
        p[u, lane] = state[u]


@jit
def start_from_prior(p: Floats, prior: Floats, normal: Floats, step: Floats, total: Floats) -> None:
    """Set the normal matrix, the gradient (in `step`) and the cost to those of the prior."""
    lanes = p.shape[-1]
    normal[:] = 0.0
    total[:] = 0.0
    for u in range(p.shape[0]):
        for lane in range(lanes):
            away = prior[0, u] - p[u, lane]
            normal[u, u, lane] = prior[1, u]
            step[u, lane] = prior[1, u] * away
            total[lane] += prior[1, u] * away * away


@jit
def find_rotation(p: Floats, rotates: bool, rotation: Floats) -> None:
    """Write cosine and sine of each lane's angle, the last unknown (where there is one), into `rotation` (2, LANES)."""
    for lane in range(rotation.shape[-1]):
        rotation[0, lane] = math.cos(p[-1, lane]) if rotates else 1.0
        rotation[1, lane] = math.sin(p[-1, lane]) if rotates else 0.0


@jit
def load_frame(groups: Groups, lane_group: Ints, t: int, light: Floats, present: Floats) -> bool:
    """Copy the t-th frame of each lane's group into `light` (n, n, LANES); return whether any pixel is clipped."""
    clipped, saturation = False, groups.noise_model.saturation
    size = light.shape[0]
    for lane in range(light.shape[-1]):
        f = groups.members[lane_group[lane], t]
        present[lane] = 1.0 if f >= 0 else 0.0
        for i in range(size):
            for j in range(size):
                value = groups.windows[f, i, j] if f >= 0 else 0.0
                light[i, j, lane] = value
                clipped = clipped or value >= saturation
    return clipped


@jit
def lane_responses(
    groups: Groups,
    p: Floats,
    lane_group: Ints,
    t: int,
    arm: Floats,
    rotation: Floats,
    arm_vector: Floats,
    response: Floats,
) -> None:
    """Place the targets of frame t, `arm_vector` (K, 2, LANES) from the pivot in the scene's axes; fill the responses.

    `response` (4, K, n, LANES) holds the pixel integrals along x, their derivatives, and the same along y.
    """
    basis, degrees, size = groups.basis[t], groups.basis.shape[1], response.shape[2]
    q, dq = np.empty((1, padded(size))), np.empty((1, padded(size)))
    table_x, table_y = groups.noise_model.table, groups.noise_model.table_y
    for lane in range(p.shape[-1]):
        g = lane_group[lane]
        f = max(groups.members[g, t], 0)
        along, across = 0.0, 0.0
        for i in range(degrees):
            along += basis[i] * p[i, lane]
            across += basis[i] * p[degrees + i, lane]
        radius = p[2 * degrees, lane] + groups.drift[t]
        cos, sin = rotation[0, lane], rotation[1, lane]
        for k in range(arm.shape[0]):
            u, v = along + radius * arm[k, 0, lane], across + radius * arm[k, 1, lane]
            arm_vector[k, 0, lane], arm_vector[k, 1, lane] = u, v
            axis_response(groups.pivots[g, 0] + cos * u - sin * v, groups.origins[f, 1], table_x, 0, q, dq)
            for i in range(size):
                response[0, k, i, lane], response[1, k, i, lane] = q[0, i], dq[0, i]
            axis_response(groups.pivots[g, 1] + sin * u + cos * v, groups.origins[f, 0], table_y, 0, q, dq)
            for i in range(size):
                response[2, k, i, lane], response[3, k, i, lane] = q[0, i], dq[0, i]


@jit
def frame_equations(
    intensity: Floats,
    arm: Floats,
    rotation: Floats,
    arm_vector: Floats,
    response: Floats,
    light: Floats,
    present: Floats,
    noise_model: NoiseModel,
    clipped: bool,
    normal: Floats,
    gradient: Floats,
    total: Floats,
) -> None:
    """Fill J' W J (lower triangle) and J' r of one frame, and add to the cost.

    The local unknowns are the reference point along the scene's two axes, the radius, s_1..s_K[, the angle].
    """
    local, lanes, size = gradient.shape[0], gradient.shape[1], light.shape[0]
    column, model = np.empty((local, lanes)), np.empty(lanes)
    score, curvature = np.empty(lanes), np.empty(lanes)
    general = clipped or noise_model.gain > 0.0
    inverse = 1.0 / noise_model.variance
    normal[:] = 0.0
    gradient[:] = 0.0
    for i in range(size):
        for j in range(size):
            pixel_columns(intensity, arm, rotation, arm_vector, response, i, j, column, model)
            if general:
                compare_general(light[i, j], model, noise_model, present, score, curvature, total)
            else:
                for lane in range(lanes):
                    weight = inverse * present[lane]
                    residual = light[i, j, lane] - model[lane]
                    score[lane] = residual * weight
                    curvature[lane] = weight
                    total[lane] += residual * residual * weight
            for u in range(local):
                for lane in range(lanes):
                    gradient[u, lane] += column[u, lane] * score[lane]
                for v in range(u + 1):
                    for lane in range(lanes):
                        normal[u, v, lane] += column[u, lane] * column[v, lane] * curvature[lane]


@jit
def pixel_columns(
    intensity: Floats,
    arm: Floats,
    rotation: Floats,
    arm_vector: Floats,
    response: Floats,
    i: int,
    j: int,
    column: Floats,
    model: Floats,
) -> None:
    """Fill one pixel's row of the Jacobian, `column` (local, LANES), and its model light."""
    targets, local, lanes = arm.shape[0], column.shape[0], column.shape[1]
    rotates = local == 4 + targets
    column[:] = 0.0
    model[:] = 0.0
    for k in range(targets):
        for lane in range(lanes):
            s = intensity[k, lane]
            value = response[0, k, j, lane] * response[2, k, i, lane]
            by_x = s * response[1, k, j, lane] * response[2, k, i, lane]
            by_y = s * response[0, k, j, lane] * response[3, k, i, lane]
            by_u = rotation[0, lane] * by_x + rotation[1, lane] * by_y
            by_v = rotation[0, lane] * by_y - rotation[1, lane] * by_x
            model[lane] += s * value
            column[0, lane] += by_u
            column[1, lane] += by_v
            column[2, lane] += arm[k, 0, lane] * by_u + arm[k, 1, lane] * by_v
            column[3 + k, lane] = value
            if rotates:
                column[local - 1, lane] += arm_vector[k, 0, lane] * by_v - arm_vector[k, 1, lane] * by_u


@jit
def compare_general(
    light: Floats,
    model: Floats,
    noise_model: NoiseModel,
    present: Floats,
    score: Floats,
    curvature: Floats,
    total: Floats,
) -> None:
    """Compare one pixel of each lane with its model where pixels clip or shot noise counts."""
    lanes = model.shape[-1]
    variance, gain, saturation, edge = noise_model.variance, noise_model.gain, noise_model.saturation, noise_model.edge
    one_light, one_model, one_score, one_curvature = np.empty((4, 1, 1))
    for lane in range(lanes):
        one_light[0, 0], one_model[0, 0] = light[lane], model[lane]
        added = pixel_terms(one_light, one_model, variance, gain, saturation, edge, one_score, one_curvature)
        total[lane] += added * present[lane]
        score[lane] = one_score[0, 0] * present[lane]
        curvature[lane] = one_curvature[0, 0] * present[lane]


@jit
def add_frame_equations(
    frame_normal: Floats, frame_gradient: Floats, basis: Floats, normal: Floats, step: Floats
) -> None:
    """Add one frame's equations to the group's: M' F M and M' g, M the map from path coefficients to r(t)."""
    lanes = frame_gradient.shape[-1]
    degrees, local = basis.shape[0], frame_gradient.shape[0]
    for i in range(degrees):
        for lane in range(lanes):
            step[i, lane] += basis[i] * frame_gradient[0, lane]
            step[degrees + i, lane] += basis[i] * frame_gradient[1, lane]
        for j in range(degrees):
            product = basis[i] * basis[j]
            for lane in range(lanes):
                normal[i, j, lane] += product * frame_normal[0, 0, lane]
                normal[degrees + i, j, lane] += product * frame_normal[1, 0, lane]
                normal[degrees + i, degrees + j, lane] += product * frame_normal[1, 1, lane]
    for u in range(2, local):
        row = 2 * degrees - 2 + u
        for lane in range(lanes):
            step[row, lane] += frame_gradient[u, lane]
        for i in range(degrees):
            for lane in range(lanes):
                normal[row, i, lane] += basis[i] * frame_normal[u, 0, lane]
                normal[row, degrees + i, lane] += basis[i] * frame_normal[u, 1, lane]
        for v in range(2, u + 1):
            for lane in range(lanes):
                normal[row, 2 * degrees - 2 + v, lane] += frame_normal[u, v, lane]


@jit
def factorise(normal: Floats) -> None:
    """Replace the lower triangle of each lane's matrix by its Cholesky factor (priors keep it positive)."""
    lanes = normal.shape[-1]
    n = normal.shape[0]
    for j in range(n):
        for i in range(j, n):
            for k in range(j):
                for lane in range(lanes):
                    normal[i, j, lane] -= normal[i, k, lane] * normal[j, k, lane]
        for lane in range(lanes):
            normal[j, j, lane] = math.sqrt(max(normal[j, j, lane], 1e-12))
        for i in range(j + 1, n):
            for lane in range(lanes):
                normal[i, j, lane] /= normal[j, j, lane]


@jit
def solve_lanes(factor: Floats, step: Floats, total: Floats) -> None:
    """Turn the gradient in `step` into the Gauss-Newton step; take its predicted gain off the cost."""
    lanes = step.shape[-1]
    n = factor.shape[0]
    for i in range(n):
        for k in range(i):
            for lane in range(lanes):
                step[i, lane] -= factor[i, k, lane] * step[k, lane]
        for lane in range(lanes):
            step[i, lane] /= factor[i, i, lane]
            total[lane] -= step[i, lane] * step[i, lane]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            for lane in range(lanes):
                step[i, lane] -= factor[k, i, lane] * step[k, lane]
        for lane in range(lanes):
            step[i, lane] /= factor[i, i, lane]


@jit
def advance(p: Floats, step: Floats, degrees: int, targets: int) -> None:
    """Move each lane by its step, shortened so that no length moves further than its bound."""
    lanes = p.shape[-1]
    unknowns = p.shape[0]
    for lane in range(lanes):
        share = 1.0
        for i in range(2 * degrees):
            share = min(share, PATH_STEP / max(abs(step[i, lane]), PATH_STEP))
        share = min(share, RADIUS_STEP / max(abs(step[2 * degrees, lane]), RADIUS_STEP))
        if unknowns == 2 * degrees + 2 + targets:
            share = min(share, ANGLE_STEP / max(abs(step[unknowns - 1, lane]), ANGLE_STEP))
        for u in range(unknowns):
            p[u, lane] += share * step[u, lane]
