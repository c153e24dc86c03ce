"""Equations of the group fit: pixels against their model, normal matrices of frames, and the step, for LANES fits.

The last axis of every array is the lane (`csist_bench.methods.fitting.lanes`). Which unknowns there are is said in
`csist_bench.methods.group_map._kernels.fit`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit_bare
from csist_bench.methods.fitting.lanes import LANES, lanes_of, load, store
from csist_bench.methods.fitting.pixel_model import pixel_terms

Floats = NDArray[np.float64]

RADIUS_STEP = 0.1  # px; the longest step of the radius in one iteration
ANGLE_STEP = 0.35  # rad
PATH_STEP = 0.4  # px


@jit_bare
def compare_plain(
    light: Floats, model: Floats, inverse: float, present: Floats, score: Floats, curvature: Floats, total: Floats
) -> None:
    """Compare the pixels of one frame with their model where all have one variance; `inverse` is 1 over it."""
    weight, cost = inverse * load(present, (0, 0)), load(total, (0, 0))
    for i in range(light.shape[0]):
        residual = load(light, (i, 0)) - load(model, (i, 0))
        store(score, (i, 0), residual * weight)
        store(curvature, (i, 0), weight)
        cost = cost + residual * residual * weight
    store(total, (0, 0), cost)


@jit_bare
def compare_general(
    light: Floats,
    model: Floats,
    variance: Floats,
    noise: tuple[float, float, float],
    present: Floats,
    one: Floats,
    score: Floats,
    curvature: Floats,
    total: Floats,
) -> None:
    """Compare the pixels of one frame with their model where pixels clip or shot noise counts.

    `variance` (1, LANES) is that of a dark pixel, `noise` are gain, clipping level and its edge; `one` (4, 1, 1) is
    scratch.
    """
    gain, saturation, edge = noise
    for i in range(light.shape[0]):
        for lane in range(LANES):
            one[0, 0, 0], one[1, 0, 0] = light[i, lane], model[i, lane]
            added = pixel_terms(one[0], one[1], variance[0, lane], gain, saturation, edge, one[2], one[3])
            total[0, lane] += added * present[0, lane]
            score[i, lane] = one[2, 0, 0] * present[0, lane]
            curvature[i, lane] = one[3, 0, 0] * present[0, lane]


@jit_bare
def sum_pixels(columns: Floats, score: Floats, curvature: Floats, normal: Floats, gradient: Floats) -> None:
    """Fill J' W J (lower triangle) and J' r of one frame."""
    local, pixels = columns.shape[0], columns.shape[1]
    for u in range(local):
        value = lanes_of(0.0)
        for i in range(pixels):
            value = value + load(columns, (u, i, 0)) * load(score, (i, 0))
        store(gradient, (u, 0), value)
        # Two sums at once: by itself each of their steps would wait for the one before.
        for v in range(0, u + 1, 2):
            w = min(v + 1, u)
            value, other = lanes_of(0.0), lanes_of(0.0)
            for i in range(pixels):
                column, weight = load(columns, (u, i, 0)), load(curvature, (i, 0))
                value = value + column * load(columns, (v, i, 0)) * weight
                other = other + column * load(columns, (w, i, 0)) * weight
            store(normal, (u, v, 0), value)
            store(normal, (u, w, 0), other)


@jit_bare
def add_to(rows: Floats, place: tuple[int, int, int], lanes: Floats) -> None:
    """Add lanes to the entries at a place."""
    store(rows, place, load(rows, place) + lanes)


@jit_bare
def add_frame_equations(
    frame_normal: Floats, frame_gradient: Floats, basis: Floats, normal: Floats, step: Floats
) -> None:
    """Add one frame's equations to the group's: M' F M (lower triangle) and M' g, M from path coefficients to r(t)."""
    degrees, local = basis.shape[0], frame_gradient.shape[0]
    along, across = load(frame_gradient, (0, 0)), load(frame_gradient, (1, 0))
    xx, yx, yy = load(frame_normal, (0, 0, 0)), load(frame_normal, (1, 0, 0)), load(frame_normal, (1, 1, 0))
    for i in range(degrees):
        store(step, (i, 0), load(step, (i, 0)) + basis[i] * along)
        store(step, (degrees + i, 0), load(step, (degrees + i, 0)) + basis[i] * across)
        for j in range(degrees):
            product = basis[i] * basis[j]
            if j <= i:
                add_to(normal, (i, j, 0), product * xx)
                add_to(normal, (degrees + i, degrees + j, 0), product * yy)
            add_to(normal, (degrees + i, j, 0), product * yx)
    for u in range(2, local):
        row = 2 * degrees - 2 + u
        store(step, (row, 0), load(step, (row, 0)) + load(frame_gradient, (u, 0)))
        by_x, by_y = load(frame_normal, (u, 0, 0)), load(frame_normal, (u, 1, 0))
        for i in range(degrees):
            add_to(normal, (row, i, 0), basis[i] * by_x)
            add_to(normal, (row, degrees + i, 0), basis[i] * by_y)
        for v in range(2, u + 1):
            add_to(normal, (row, 2 * degrees - 2 + v, 0), load(frame_normal, (u, v, 0)))


@jit_bare
def factorise(normal: Floats) -> None:
    """Replace the lower triangle of each lane's matrix by its Cholesky factor (priors keep it positive)."""
    n = normal.shape[0]
    for j in range(n):
        for i in range(j, n):
            value = load(normal, (i, j, 0))
            for k in range(j):
                value = value - load(normal, (i, k, 0)) * load(normal, (j, k, 0))
            store(normal, (i, j, 0), value)
        for lane in range(LANES):
            normal[j, j, lane] = math.sqrt(max(normal[j, j, lane], 1e-12))
        for i in range(j + 1, n):
            store(normal, (i, j, 0), load(normal, (i, j, 0)) / load(normal, (j, j, 0)))


@jit_bare
def solve_lanes(factor: Floats, step: Floats, total: Floats) -> None:
    """Turn the gradient in `step` into the Gauss-Newton step; take its predicted gain off the cost."""
    n, cost = factor.shape[0], load(total, (0, 0))
    for i in range(n):
        value = load(step, (i, 0))
        for k in range(i):
            value = value - load(factor, (i, k, 0)) * load(step, (k, 0))
        value = value / load(factor, (i, i, 0))
        store(step, (i, 0), value)
        cost = cost - value * value
    store(total, (0, 0), cost)
    for i in range(n - 1, -1, -1):
        value = load(step, (i, 0))
        for k in range(i + 1, n):
            value = value - load(factor, (k, i, 0)) * load(step, (k, 0))
        store(step, (i, 0), value / load(factor, (i, i, 0)))


@jit_bare
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
