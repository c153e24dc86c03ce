"""The pixel model of any camera: a tabulated PSF, a background fitted with the targets, maps of single pixels.

`pixel_model` is the quick way of a camera whose PSF is separable, whose background is known and whose pixels are alike.
Here the derivative of the light in every unknown is an image of its own, `images` (U, n n): x, y, s of each target,
then the widths along x and y as factors of the camera's, where they are fitted. The background of a frame, a constant
or a plane, is linear and no unknown of the fit: at every theta it is the one that fits best (variable projection, Golub
& Pereyra, 1973), and what it takes from the information on theta is taken off the normal matrix (Schur complement), so
that all errors include it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit_inner
from csist_bench.methods.fitting.dense_images import DenseWorkspace, fill_images
from csist_bench.methods.fitting.linear_algebra import cholesky, solve
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import log_tail

Floats = NDArray[np.float64]

LEVEL_STEPS = 8  # at most; a single one is exact where neither shot noise nor clipping counts
LEVEL_TOLERANCE = 1e-6  # of the cost


@jit_inner
def dense_cost(
    theta: Floats,
    pixels: Floats,
    row: int,
    column: int,
    noise_model: NoiseModel,
    freed: bool,
    work: DenseWorkspace,
    model: Floats,
    score: Floats,
    curvature: Floats,
) -> float:
    """Return -2 log likelihood of pixels (n, n) at theta (K, 3), the background being the one that fits best.

    `freed`: the derivative in the widths is wanted too. `model`, the targets' light alone, score and curvature (n, n)
    are out; `work.level` holds the background.
    """
    fill_images(theta, row, column, noise_model, freed, work, model)
    return fit_level(pixels, row, column, noise_model, model, work, score, curvature)


@jit_inner
def fit_level(
    pixels: Floats,
    row: int,
    column: int,
    noise_model: NoiseModel,
    model: Floats,
    work: DenseWorkspace,
    score: Floats,
    curvature: Floats,
) -> float:
    """Fit the background of a window to what the targets' light leaves; return -2 log likelihood there.

    The factor of the background's normal matrix there is left in `work.level_normal`.
    """
    level, unknowns = work.level, noise_model.background
    level[:] = 0.0
    cost = dense_terms(pixels, row, column, noise_model, unknowns > 0, model, work, score, curvature)
    if unknowns == 0:
        return cost
    linear = noise_model.gain == 0.0 and noise_model.saturation == math.inf
    for iteration in range(LEVEL_STEPS):
        promised = level_step(unknowns, work, score, curvature)
        if promised < LEVEL_TOLERANCE and iteration > 0:
            return cost
        for p in range(unknowns):
            level[p] += work.level_gradient[p]
        # The first step weighs all pixels alike; from there on each counts as its own light says.
        cost = dense_terms(pixels, row, column, noise_model, False, model, work, score, curvature)
        if linear:
            return cost
    level_step(unknowns, work, score, curvature)
    return cost


@jit_inner
def level_step(unknowns: int, work: DenseWorkspace, score: Floats, curvature: Floats) -> float:
    """Write the background's Gauss-Newton step to `work.level_gradient`; return the decrease of cost it promises.

    The factor of its normal matrix is left in `work.level_normal`.
    """
    n, normal, gradient, slope = score.shape[0], work.level_normal, work.level_gradient, work.slope
    normal[:] = 0.0
    gradient[:] = 0.0
    for i in range(n):
        weight, weight_x, weight_xx, total, total_x = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(n):
            along = curvature[i, j] * slope[j]
            weight += curvature[i, j]
            weight_x += along
            weight_xx += along * slope[j]
            total += score[i, j]
            total_x += score[i, j] * slope[j]
        gradient[0] += total
        gradient[1] += total_x
        gradient[2] += slope[i] * total
        normal[0, 0] += weight
        normal[1, 0] += weight_x
        normal[1, 1] += weight_xx
        normal[2, 0] += slope[i] * weight
        normal[2, 1] += slope[i] * weight_x
        normal[2, 2] += slope[i] * slope[i] * weight
    for p in range(unknowns):
        normal[p, p] += 1e-12 * normal[p, p] + 1e-300
    if not cholesky(normal, unknowns):
        return 0.0
    right = work.coupling[0, :unknowns]
    for p in range(unknowns):
        right[p] = gradient[p]
    solve(normal, unknowns, gradient)
    promised = 0.0
    for p in range(unknowns):
        promised += right[p] * gradient[p]
    return promised


@jit_inner
def dense_terms(
    pixels: Floats,
    row: int,
    column: int,
    noise_model: NoiseModel,
    plain: bool,
    model: Floats,
    work: DenseWorkspace,
    score: Floats,
    curvature: Floats,
) -> float:
    """Compare pixels (n, n) with the targets' light and the background: return -2 log likelihood, fill its slopes.

    A pixel's variance is its read noise squared plus gain times all light that falls on it. Bad pixels (of infinite
    variance) tell nothing; clipped ones only that the light was at or above the edge. `plain`: all others alike, by
    their read noise alone, and none of the clipped ones.
    """
    n, cost = pixels.shape[0], 0.0
    gain, saturation, offset = noise_model.gain, noise_model.saturation, noise_model.offset
    mapped, level, slope = noise_model.variance_map.shape[0] > 0, work.level, work.slope
    for i in range(n):
        base = level[0] + level[2] * slope[i]
        for j in range(n):
            read = noise_model.variance_map[row + i, column + j] if mapped else noise_model.variance
            clipped = pixels[i, j] >= saturation
            if read == math.inf or (plain and clipped):
                score[i, j], curvature[i, j] = 0.0, 0.0
                continue
            light = model[i, j] + (base + level[1] * slope[j])
            spread = read if plain else read + gain * max(light + offset, 0.0)
            if clipped:
                sd = math.sqrt(spread)
                z = (light - noise_model.edge) / sd
                log_probability, ratio = log_tail(z)
                cost -= 2.0 * log_probability
                score[i, j] = ratio / sd
                curvature[i, j] = ratio * (ratio + z) / spread
                continue
            residual = pixels[i, j] - light
            scaled = residual / spread
            cost += residual * scaled
            score[i, j], curvature[i, j] = scaled, 1.0 / spread
            if gain > 0.0 and not plain:
                # The variance grows with the light, so log variance and its slope count as well.
                cost += math.log(spread / read)
                score[i, j] += 0.5 * gain * (scaled * scaled - 1.0 / spread)
                curvature[i, j] += 0.5 * (gain / spread) ** 2
    return cost


@jit_inner
def dense_equations(
    unknowns: int,
    levels: int,
    work: DenseWorkspace,
    score: Floats,
    curvature: Floats,
    normal: Floats,
    gradient: Floats,
) -> None:
    """Fill `normal` (U, U) and `gradient` (U,) of the first `unknowns` images, the background's share taken off.

    All else is taken as the last `dense_cost` left it.
    """
    n, images, weighted, coupling = score.shape[0], work.images, work.weighted, work.coupling
    for p in range(unknowns):
        row, slope = images[p], 0.0
        for i in range(n):
            for j in range(n):
                at = i * n + j
                weighted[at] = row[at] * curvature[i, j]
                slope += row[at] * score[i, j]
        gradient[p] = slope
        for q in range(p + 1):
            normal[p, q] = dot_product(weighted, images[q])
            normal[q, p] = normal[p, q]
        if levels:
            couple_level(weighted, work.slope, coupling[p])
    if levels:
        take_off_level(unknowns, levels, work, normal)


@jit_inner
def couple_level(weighted: Floats, slope: Floats, coupling: Floats) -> None:
    """Write the products (3,) of a weighted image (n n,) and the background's basis."""
    n = slope.shape[0]
    coupling[:] = 0.0
    for i in range(n):
        total, total_x = 0.0, 0.0
        for j in range(n):
            total += weighted[i * n + j]
            total_x += weighted[i * n + j] * slope[j]
        coupling[0] += total
        coupling[1] += total_x
        coupling[2] += slope[i] * total


@jit_inner
def take_off_level(unknowns: int, levels: int, work: DenseWorkspace, normal: Floats) -> None:
    """Take the background's share, C N^-1 C', off a normal matrix; the factor of N is in `work.level_normal`."""
    coupling, factor = work.coupling, work.level_normal
    for p in range(unknowns):
        for level in range(levels):
            value = coupling[p, level]
            for other in range(level):
                value -= factor[level, other] * coupling[p, other]
            coupling[p, level] = value / factor[level, level]
    for p in range(unknowns):
        for q in range(p + 1):
            for level in range(levels):
                normal[p, q] -= coupling[p, level] * coupling[q, level]
            normal[q, p] = normal[p, q]


@jit_inner
def dot_product(a: Floats, b: Floats) -> float:
    """Return the dot product of two vectors, by four sums side by side."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = a.shape[0] - a.shape[0] % 4
    for i in range(0, whole, 4):
        first += a[i] * b[i]
        second += a[i + 1] * b[i + 1]
        third += a[i + 2] * b[i + 2]
        fourth += a[i + 3] * b[i + 3]
    for i in range(whole, a.shape[0]):
        first += a[i] * b[i]
    return (first + second) + (third + fourth)
