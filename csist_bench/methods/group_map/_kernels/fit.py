"""Group-fit kernels: targets on known arms about one moving reference point, several frames at once.

In frame t of a group the targets stand at x_k(t) = pivot + R(angle) (sum_i basis[t, i] c_i + (radius + drift_t) e_k),
with e_k the arms of one hypothesis, a path of few coefficients c_i = (c_u, c_v), and intensities s_k shared by all
frames. The whole scene, path and arms, is rotated by R(angle); without an angle R = 1. The unknowns of one fit are
state (U,) = (c_u, c_v, radius, s_1..s_K[, angle]), with independent normal priors.

A hypothesis is one set of arms for one group. `fit_hypotheses` takes Gauss-Newton steps for LANES of them side by
side: the last axis of every work array is the lane (`csist_bench.methods.fitting.lanes`), and sums stay in registers.
Pixels are compared with the model as `csist_bench.methods.fitting.pixel_model` does. Numbers come out, nothing is
checked.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_bare
from csist_bench.methods.fitting.lanes import LANES, lanes_of, load, padded, room, store, turn
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import table_place, table_response
from csist_bench.methods.group_map._kernels.equations import (
    add_frame_equations,
    advance,
    compare_general,
    compare_plain,
    factorise,
    solve_lanes,
    sum_pixels,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WINDOW = 0  # first pixel of a window that places are counted from
BLOCK = 64  # hypotheses at most that one clipped pixel decides for


class Groups(NamedTuple):
    """G groups of m frames each, and what their fits share.

    windows, origins : (F, n, n) grey levels and (F, 2), from `survey`
    variances : (F,), of the noise of a dark pixel of each frame, grey levels^2
    members, pivots : (G, m), the frames of each group, -1 = left out; (G, 2), the point paths are counted from, px
    basis, drift : (m, D), values of the path's basis; (m,), px, growth of the radius
    prior : (2, U), mean and inverse variance of the unknowns
    """

    windows: Floats
    origins: Ints
    variances: Floats
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
    factor : (J, U, U), lower Cholesky factor of the last normal matrix; (J, 0, 0): not asked for
    """

    group: Ints
    arms: Floats
    state: Floats
    cost: Floats
    log_volume: Floats
    factor: Floats

    def select(self, index: NDArray[np.generic]) -> Hypotheses:
        """Return the hypotheses picked by a mask or an index array."""
        rows: NDArray[np.generic] = np.flatnonzero(index) if index.dtype == np.bool_ else index
        return Hypotheses(*(part[rows] for part in self))

    def with_factors(self) -> Hypotheses:
        """Return the same hypotheses with room for their factors."""
        number, unknowns = self.state.shape
        return self._replace(factor=np.empty((number, unknowns, unknowns)))


@jit
def fit_hypotheses(groups: Groups, hypotheses: Hypotheses, iterations: int) -> None:
    """Take Gauss-Newton steps from the state of every hypothesis, and leave its fit."""
    group, arms, state, factor = hypotheses.group, hypotheses.arms, hypotheses.state, hypotheses.factor
    cost, log_volume = hypotheses.cost, hypotheses.log_volume
    windows, members, pivots = groups.windows, groups.members, groups.pivots
    basis, drift, prior, noise_model = groups.basis, groups.drift, groups.prior, groups.noise_model
    table_x, table_y = noise_model.table, noise_model.table_y
    noise = (noise_model.gain, noise_model.saturation, noise_model.edge)
    number, targets, unknowns = state.shape[0], arms.shape[1], state.shape[1]
    size, degrees = windows.shape[1], basis.shape[1]
    local = unknowns - 2 * degrees + 2
    lane_group, clipped = np.empty(LANES, np.int64), np.empty(members.shape[1], np.bool_)
    vectors = room(2 * unknowns + 9)
    p, step, rest = vectors[:unknowns], vectors[unknowns : 2 * unknowns], vectors[2 * unknowns :]
    rotation, pivot, origin, present, total = rest[0:2], rest[2:4], rest[4:6], rest[6:7], rest[7:8]
    variance = rest[8:9]
    normal, lower = room(unknowns * unknowns).reshape(unknowns, unknowns, LANES), room(local * local)
    frame_gradient, columns = room(local), room(local * size * size).reshape(local, size * size, LANES)
    frame_normal = lower.reshape(local, local, LANES)
    pairs = room(6 * targets).reshape(3, targets, 2, LANES)
    arm, arm_vector, place = pairs[0], pairs[1], pairs[2].reshape(2, targets, LANES)
    along, across = place[0].reshape(targets * LANES), place[1].reshape(targets * LANES)
    phase, tap, away = np.empty(along.shape, np.int64), np.empty(along.shape, np.int64), np.empty(along.shape)
    responses = room(6 * targets * padded(size)).reshape(6, targets, padded(size), LANES)
    a, da, b, db, light_a, light_da = (
        responses[0], responses[1], responses[2], responses[3], responses[4], responses[5]
    )  # fmt: skip
    rows, one = room(2 * padded(size)).reshape(2, LANES, padded(size)), np.empty((4, 1, 1))
    q, dq = rows[0], rows[1]
    pixels = room(4 * size * size)
    light, model = pixels[: size * size], pixels[size * size : 2 * size * size]
    score, curvature = pixels[2 * size * size : 3 * size * size], pixels[3 * size * size :]
    # A clipped pixel has its frame compared by the formula that serves clipped ones, in all of a block: it rounds
    # otherwise, so that blocks, of nearly equal width, decide the last bits.
    block = -(-number // max(-(-number // BLOCK), 1))
    for start in range(0, number, max(block, 1)):
        end = min(start + block, number)
        find_clipped(windows, members, group[start:end], noise_model.saturation, clipped)
        for first in range(start, end, LANES):
            for lane in range(LANES):
                hypothesis = min(first + lane, end - 1)
                lane_group[lane] = group[hypothesis]
                load_lane(lane, arms[hypothesis], state[hypothesis], pivots[group[hypothesis]], arm, p, pivot)
            for _ in range(iterations):
                start_from_prior(p, prior, normal, step, total)
                rotates = unknowns == 2 * degrees + 2 + targets
                find_rotation(p, rotates, rotation)
                for t in range(members.shape[1]):
                    load_frame(groups, lane_group, t, light, present, variance, origin)
                    place_lanes(p, basis[t], drift[t], pivot, origin, arm, rotation, arm_vector, place)
                    lane_responses(along, table_x, phase, tap, away, q, dq, a, da)
                    lane_responses(across, table_y, phase, tap, away, q, dq, b, db)
                    scale_responses(p[2 * degrees + 1 :], size, a, da, light_a, light_da)
                    pixel_columns(
                        p[2 * degrees + 1 :], size, arm, rotation, arm_vector, rotates, a, light_a, light_da, b, db,
                        columns, model,
                    )  # fmt: skip
                    if clipped[t] or noise_model.gain > 0.0:
                        compare_general(light, model, variance, noise, present, one, score, curvature, total)
                    else:
                        compare_plain(light, model, 1.0 / noise_model.variance, present, score, curvature, total)
                    sum_pixels(columns, score, curvature, frame_normal, frame_gradient)
                    add_frame_equations(frame_normal, frame_gradient, basis[t], normal, step)
                factorise(normal)
                solve_lanes(normal, step, total)
                advance(p, step, degrees, targets)
            for lane in range(min(LANES, end - first)):
                hypothesis = first + lane
                cost[hypothesis] = total[0, lane]
                log_volume[hypothesis] = unload_lane(lane, p, normal, state[hypothesis], factor[hypothesis])


@jit_bare
def find_clipped(windows: Floats, members: Ints, group: Ints, saturation: float, clipped: Bools) -> None:
    """Find in which of a group's frames, (m,), a pixel is clipped in any of some groups; ascending numbers `group`."""
    clipped[:] = False
    for h in range(group.shape[0]):
        if h > 0 and group[h] == group[h - 1]:
            continue
        for t in range(members.shape[1]):
            f = members[group[h], t]
            if f >= 0 and not clipped[t]:
                above = 0
                for i in range(windows.shape[1]):
                    for j in range(windows.shape[2]):
                        above += windows[f, i, j] >= saturation
                clipped[t] = above > 0


@jit_bare
def load_lane(lane: int, arms: Floats, state: Floats, pivots: Floats, arm: Floats, p: Floats, pivot: Floats) -> None:
    """Copy the arms (K, 2) and the state (U,) of a hypothesis, and its group's pivot (2,), into a lane."""
    for axis in range(2):
        pivot[axis, lane] = pivots[axis]
        for k in range(arms.shape[0]):
            arm[k, axis, lane] = arms[k, axis]
    for u in range(state.shape[0]):
        p[u, lane] = state[u]


@jit_bare
def unload_lane(lane: int, p: Floats, normal: Floats, state: Floats, factor: Floats) -> float:
    """Copy a lane's state (U,) and factor (U, U) into those of a hypothesis; return its log volume."""
    log_volume = 0.0
    for u in range(state.shape[0]):
        state[u] = p[u, lane]
        log_volume -= math.log(normal[u, u, lane])
    for u in range(factor.shape[0]):
        for v in range(u + 1):
            factor[u, v] = normal[u, v, lane]
    return log_volume


@jit_bare
def start_from_prior(p: Floats, prior: Floats, normal: Floats, step: Floats, total: Floats) -> None:
    """Set the lower triangle of the normal matrix, the gradient (in `step`) and the cost to those of the prior."""
    cost = lanes_of(0.0)
    for u in range(p.shape[0]):
        for v in range(u):
            store(normal, (u, v, 0), lanes_of(0.0))
        store(normal, (u, u, 0), lanes_of(prior[1, u]))
        away = prior[0, u] - load(p, (u, 0))
        store(step, (u, 0), prior[1, u] * away)
        cost = cost + prior[1, u] * away * away
    store(total, (0, 0), cost)


@jit_bare
def find_rotation(p: Floats, rotates: bool, rotation: Floats) -> None:
    """Write cosine and sine of each lane's angle, the last unknown (where there is one), into `rotation` (2, LANES)."""
    last = p.shape[0] - 1
    for lane in range(LANES):
        rotation[0, lane] = math.cos(p[last, lane]) if rotates else 1.0
        rotation[1, lane] = math.sin(p[last, lane]) if rotates else 0.0


@jit_bare
def load_frame(
    groups: Groups, lane_group: Ints, t: int, light: Floats, present: Floats, variance: Floats, origin: Floats
) -> None:
    """Copy the t-th frame of each lane's group into `light` (n n, LANES); `present` (1, LANES) is 0 without one.

    `variance` (1, LANES) takes that of its noise, and `origin` (2, LANES) column and row of its window; of a frame left
    out those of another.
    """
    windows, origins = groups.windows, groups.origins
    size = windows.shape[1]
    for lane in range(LANES):
        f = groups.members[lane_group[lane], t]
        present[0, lane] = 1.0 if f >= 0 else 0.0
        variance[0, lane] = groups.variances[max(f, 0)]
        origin[0, lane], origin[1, lane] = origins[max(f, 0), 1], origins[max(f, 0), 0]
        for i in range(size):
            for j in range(size):
                light[i * size + j, lane] = windows[f, i, j] if f >= 0 else 0.0


@jit_bare
def place_lanes(
    p: Floats,
    basis: Floats,
    drift: float,
    pivot: Floats,
    origin: Floats,
    arm: Floats,
    rotation: Floats,
    arm_vector: Floats,
    place: Floats,
) -> None:
    """Place the targets of one frame: `arm_vector` (K, 2, LANES) from the pivot in the scene's axes, px, and `place`.

    `place` (2, K, LANES), px, counts from the window's `origin` (2, LANES) along x and y.
    """
    degrees = basis.shape[0]
    along, across = lanes_of(0.0), lanes_of(0.0)
    for i in range(degrees):
        along = along + basis[i] * load(p, (i, 0))
        across = across + basis[i] * load(p, (degrees + i, 0))
    radius = load(p, (2 * degrees, 0)) + drift
    cos, sin = load(rotation, (0, 0)), load(rotation, (1, 0))
    for k in range(arm.shape[0]):
        u, v = along + radius * load(arm, (k, 0, 0)), across + radius * load(arm, (k, 1, 0))
        store(arm_vector, (k, 0, 0), u)
        store(arm_vector, (k, 1, 0), v)
        store(place, (0, k, 0), load(pivot, (0, 0)) + cos * u - sin * v - load(origin, (0, 0)))
        store(place, (1, k, 0), load(pivot, (1, 0)) + sin * u + cos * v - load(origin, (1, 0)))


@jit_bare
def lane_responses(
    place: Floats, table: Floats, phase: Ints, tap: Ints, away: Floats, q: Floats, dq: Floats, a: Floats, da: Floats
) -> None:
    """Fill the pixel integrals along an axis and their derivatives, (K, padded, LANES), of targets at `place`.

    `place` (K LANES,), px, counts from the first pixel of each lane's window; `phase`, `tap`, `away` (K LANES,) and
    `q`, `dq` (LANES, padded) are scratch.
    """
    first = int(WINDOW)
    for i in range(place.shape[0]):
        phase[i], tap[i], away[i] = table_place(place[i], first, table.shape[0], table.shape[2])
    for k in range(a.shape[0]):
        for lane in range(LANES):
            i = k * LANES + lane
            table_response(phase[i], tap[i], away[i], table, lane, q, dq)
        for j in range(0, q.shape[1], LANES):
            turn(q, j, a, k)
            turn(dq, j, da, k)


@jit_bare
def scale_responses(intensity: Floats, size: int, a: Floats, da: Floats, light_a: Floats, light_da: Floats) -> None:
    """Write the responses along x, and their derivatives, times the intensity of each target, of `size` pixels."""
    for k in range(a.shape[0]):
        s = load(intensity, (k, 0))
        for j in range(size):
            store(light_a, (k, j, 0), s * load(a, (k, j, 0)))
            store(light_da, (k, j, 0), s * load(da, (k, j, 0)))


@jit_bare
def pixel_columns(
    intensity: Floats,
    size: int,
    arm: Floats,
    rotation: Floats,
    arm_vector: Floats,
    rotates: bool,
    a: Floats,
    light_a: Floats,
    light_da: Floats,
    b: Floats,
    db: Floats,
    columns: Floats,
    model: Floats,
) -> None:
    """Fill the Jacobian of one frame, `columns` (local, n n, LANES), and its model light (n n, LANES).

    The local unknowns are the reference point along the scene's two axes, the radius, s_1..s_K[, the angle].
    """
    targets = arm.shape[0]
    cos, sin = load(rotation, (0, 0)), load(rotation, (1, 0))
    for i in range(size):
        for j in range(size):
            light, along, across = lanes_of(0.0), lanes_of(0.0), lanes_of(0.0)
            outwards, turned = lanes_of(0.0), lanes_of(0.0)
            for k in range(targets):
                value = load(a, (k, j, 0)) * load(b, (k, i, 0))
                by_u = load(light_da, (k, j, 0)) * load(b, (k, i, 0))
                by_v = load(light_a, (k, j, 0)) * load(db, (k, i, 0))
                if rotates:
                    by_x, by_y = by_u, by_v
                    by_u = cos * by_x + sin * by_y
                    by_v = cos * by_y - sin * by_x
                    turned = turned + (load(arm_vector, (k, 0, 0)) * by_v - load(arm_vector, (k, 1, 0)) * by_u)
                light = light + load(intensity, (k, 0)) * value
                along = along + by_u
                across = across + by_v
                outwards = outwards + (load(arm, (k, 0, 0)) * by_u + load(arm, (k, 1, 0)) * by_v)
                store(columns, (3 + k, i * size + j, 0), value)
            store(columns, (0, i * size + j, 0), along)
            store(columns, (1, i * size + j, 0), across)
            store(columns, (2, i * size + j, 0), outwards)
            if rotates:
                store(columns, (3 + targets, i * size + j, 0), turned)
            store(model, (i * size + j, 0), light)
