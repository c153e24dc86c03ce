"""Starts for sequence fits: the path from smoothed centroids, the shape from moments averaged over the frames.

The moments of `csist_bench.kernels.single_starts`, taken about the path instead of each frame's own centre and summed
over the frames, so that their noise falls with the number of frames.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.kernels import jit
from csist_bench.kernels.single_starts import PIXEL_VARIANCE, WEIGHT_VARIANCE, polygon_start, prony_start

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Complexes = NDArray[np.complex128]


@jit
def moments_about(
    pixels: Floats, origin: Ints, path: Floats, used: Ints, psf_sigma: float, weight: Floats, power: Complexes
) -> float:
    """Fill the mean harmonic moments p = 0.. of the light about a path and return the mean squared radius.

    pixels (T, n, n), origin (T, 2), path (T, 2) px, used (T,) 1 for frames to sum; `weight` (2, n) is scratch.
    """
    n = pixels.shape[1]
    v = WEIGHT_VARIANCE * psf_sigma * psf_sigma
    spread = psf_sigma * psf_sigma + PIXEL_VARIANCE
    beta = v / (v + spread)
    power[:] = 0.0
    light, square = 0.0, 0.0
    for t in range(pixels.shape[0]):
        if used[t] == 0:
            continue
        x, y = path[t, 0] - origin[t, 1], path[t, 1] - origin[t, 0]
        for i in range(n):
            weight[0, i] = math.exp(-0.5 * (i - x) ** 2 / v)
            weight[1, i] = math.exp(-0.5 * (i - y) ** 2 / v)
        for i in range(n):
            for j in range(n):
                w = weight[1, i] * weight[0, j] * pixels[t, i, j]
                z = complex((j - x) / beta, (i - y) / beta)
                light += w
                square += w * ((j - x) ** 2 + (i - y) ** 2)
                term = complex(w, 0.0)
                for p in range(1, power.shape[0]):
                    term *= z
                    power[p] += term
    if not light > 0.0:
        power[:] = 0.0
        return 0.0
    for p in range(1, power.shape[0]):
        power[p] /= light
    return (square / light - 2.0 * beta * spread) / (beta * beta)


@jit
def start_shape(index: int, power: Complexes, square: float, roots: Complexes, coefficient: Complexes) -> bool:
    """Write start `index` of the group's shape into `roots` (K,), px about the path; False where there is no such start.

    0: the roots of the moments; 1, 2: the K-gon in phase with the K-th moment and half a step on; 3, 4: likewise the
    (K - 1)-gon with the last target at the centre.
    """
    k = roots.shape[0]
    if k == 1:
        roots[0] = 0.0
        return index == 0
    if index == 0:
        prony_start(power, roots, coefficient)
        for m in range(k):
            size = abs(roots[m])
            if size > 0.6:
                roots[m] *= 0.6 / size
        return True
    if k == 2:
        return False
    if index <= 2:
        polygon_start(power, square, index - 1, roots)
        return True
    if k >= 4 and index <= 4:
        roots[k - 1] = 0.0
        polygon_start(power, square * k / (k - 1), index - 3, roots[: k - 1])
        return True
    return False
