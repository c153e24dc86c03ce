"""Starts for sequence fits: the path from smoothed centroids, the shape from moments averaged over the frames.

The moments of `csist_bench.methods.fitting.starts`, taken about the path instead of each frame's own centre and summed
over the frames, so that their noise falls with the number of frames.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit_inner
from csist_bench.methods.fitting.lanes import zeros
from csist_bench.methods.fitting.linear_algebra import cholesky, solve
from csist_bench.methods.fitting.starts import PIXEL_VARIANCE, WEIGHT_VARIANCE, polygon_start, prony_start

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Complexes = NDArray[np.complex128]

FARTHEST_START = 0.6  # px from the path
AXES = 2
RIDGE = 1e-3  # of the path's least squares, so that a window with left-out frames stays solvable


@jit_inner
def smooth_path(centroid: Floats, members: Ints, basis: Floats) -> Floats:
    """Return the coefficients (D + 1, 2), px, of the least-squares path through the centroids (F, >= 2) of a window.

    `members` (m,) are the frames, -1 = left out; `basis` (m, D) the path's basis without its constant.
    """
    n = basis.shape[1] + 1
    normal, right, found = zeros(n, n), zeros(int(AXES), n), zeros(n, int(AXES))
    row = zeros(n, n)[0]
    row[0] = 1.0
    for t in range(members.shape[0]):
        f = members[t]
        if f < 0:
            continue
        for i in range(1, n):
            row[i] = basis[t, i - 1]
        for i in range(n):
            right[0, i] += row[i] * centroid[f, 0]
            right[1, i] += row[i] * centroid[f, 1]
            for j in range(i + 1):
                normal[i, j] += row[i] * row[j]
    for i in range(1, n):
        normal[i, i] += RIDGE
    cholesky(normal, n)
    for axis in range(2):
        solve(normal, n, right[axis])
        for i in range(n):
            found[i, axis] = right[axis, i]
    return found


@jit_inner
def moments_about(
    pixels: Floats,
    origin: Ints,
    missing: Ints,
    members: Ints,
    basis: Floats,
    coefficients: Floats,
    psf_sigma: float,
    power: Complexes,
) -> float:
    """Fill the mean harmonic moments p = 1.. of the light about a path and return its mean squared radius.

    Frames that lack light (`missing`) are used only where all of the window's do.
    """
    power[:] = 0.0
    complete = False
    for f in members:
        complete = complete or (f >= 0 and missing[f] == 0)
    light, square = 0.0, 0.0
    weight = zeros(pixels.shape[1] + 1, pixels.shape[1])
    for t in range(members.shape[0]):
        f = members[t]
        if f < 0 or (complete and missing[f] != 0):
            continue
        x, y = coefficients[0, 0] - origin[f, 1], coefficients[0, 1] - origin[f, 0]
        for d in range(basis.shape[1]):
            x += coefficients[d + 1, 0] * basis[t, d]
            y += coefficients[d + 1, 1] * basis[t, d]
        gained = add_moments(pixels[f], x, y, psf_sigma, weight, power)
        light += gained[0]
        square += gained[1]
    if not light > 0.0:
        power[:] = 0.0
        return 0.0
    for p in range(power.shape[0]):
        power[p] /= light
    v, spread = WEIGHT_VARIANCE * psf_sigma * psf_sigma, psf_sigma * psf_sigma + PIXEL_VARIANCE
    beta = v / (v + spread)
    return (square / light - 2.0 * beta * spread) / (beta * beta)


@jit_inner
def add_moments(
    pixels: Floats, x: float, y: float, psf_sigma: float, weight: Floats, power: Complexes
) -> tuple[float, float]:
    """Add one frame's weighted harmonic moments about (x, y) to `power`; return its light and second moment."""
    n = pixels.shape[0]
    v = WEIGHT_VARIANCE * psf_sigma * psf_sigma
    beta = v / (v + psf_sigma * psf_sigma + PIXEL_VARIANCE)
    for i in range(n):
        weight[0, i] = math.exp(-0.5 * (i - x) ** 2 / v)
        weight[1, i] = math.exp(-0.5 * (i - y) ** 2 / v)
    light, square = 0.0, 0.0
    for i in range(n):
        for j in range(n):
            w = weight[1, i] * weight[0, j] * pixels[i, j]
            z = complex((j - x) / beta, (i - y) / beta)
            light += w
            square += w * ((j - x) ** 2 + (i - y) ** 2)
            term = complex(w, 0.0)
            for p in range(1, power.shape[0]):
                term *= z
                power[p] += term
    return light, square


@jit_inner
def start_shape(index: int, power: Complexes, square: float, roots: Complexes, coefficient: Complexes) -> bool:
    """Write start `index` of the group's shape into `roots` (K,), px about the path; False where there is none.

    0: the roots of the moments; 1, 2: the K-gon in phase with the K-th moment and half a step on; 3, 4: likewise the
    (K - 1)-gon with the last target at the centre.
    """
    k = roots.shape[0]
    if index == 0:
        if k == 1:
            roots[0] = 0.0
        else:
            prony_start(power, roots, coefficient)
            for m in range(k):
                roots[m] *= min(1.0, FARTHEST_START / max(abs(roots[m]), 1e-9))
        return True
    if index <= 2 and k >= 3:
        polygon_start(power, square, index - 1, roots)
        return True
    if index >= 3 and k >= 4:
        roots[k - 1] = 0.0
        polygon_start(power, square * k / (k - 1), index - 3, roots[: k - 1])
        return True
    return False
