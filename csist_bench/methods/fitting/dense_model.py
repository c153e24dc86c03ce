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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit
from csist_bench.methods.fitting.linear_algebra import cholesky, solve
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import LOG_ROOT_2PI, ROOT_2, axis_response, log_tail

Floats = NDArray[np.float64]

LEVELS = 3  # unknowns of a plane
LEVEL_STEPS = 8  # at most; a single one is exact where neither shot noise nor clipping counts
LEVEL_TOLERANCE = 1e-6  # of the cost
WIDTHS = 2  # unknowns of the PSF's widths


class DenseWorkspace(NamedTuple):
    """Scratch of the dense model of up to K targets in an n x n window.

    images (3K + 2, n n), weighted (n n,), axis values and slopes (6, n) along x and y in turn, level (3,) grey levels,
    its normal matrix (3, 3) and gradient (3,), coupling (3K + 2, 3), widths (2,) as factors of the camera's.
    """

    images: Floats
    weighted: Floats
    axes: Floats
    taps: Floats
    level: Floats
    level_normal: Floats
    level_gradient: Floats
    coupling: Floats
    widths: Floats


@jit
def dense_workspace(targets: int, size: int) -> DenseWorkspace:
    """Return the scratch for up to `targets` targets in a window of `size` px a side."""
    unknowns = 3 * targets + WIDTHS
    return DenseWorkspace(
        np.zeros((unknowns, size * size)),
        np.zeros(size * size),
        np.zeros((6, size)),
        np.zeros((4, size, 4)),
        np.zeros(LEVELS),
        np.zeros((LEVELS, LEVELS)),
        np.zeros(LEVELS),
        np.zeros((unknowns, LEVELS)),
        np.ones(WIDTHS),
    )


@jit
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


@jit
def fill_images(
    theta: Floats, row: int, column: int, noise_model: NoiseModel, freed: bool, work: DenseWorkspace, model: Floats
) -> None:
    """Fill the derivative images and the light of targets theta (K, 3) in the window at (row, column)."""
    n, targets = model.shape[0], theta.shape[0]
    a, da, aw, b, db, bw = work.axes[0], work.axes[1], work.axes[2], work.axes[3], work.axes[4], work.axes[5]
    images, widths = work.images, work.widths
    model[:] = 0.0
    if freed:
        images[3 * targets : 3 * targets + WIDTHS] = 0.0
    for k in range(targets):
        s = theta[k, 2]
        if noise_model.spline.shape[0] > 0:
            spline_images(theta[k], row, column, noise_model, freed, 3 * targets, k, work, model)
            continue
        if freed or widths[0] != 1.0 or widths[1] != 1.0:
            gaussian_response(theta[k, 0], column, noise_model.sigma_x * widths[0], a, da, aw)
            gaussian_response(theta[k, 1], row, noise_model.sigma_y * widths[1], b, db, bw)
        else:
            axis_response(theta[k, 0], column, noise_model.table, a, da)
            axis_response(theta[k, 1], row, noise_model.table_y, b, db)
        for i in range(n):
            for j in range(n):
                at = i * n + j
                value = a[j] * b[i]
                images[3 * k, at] = s * da[j] * b[i]
                images[3 * k + 1, at] = s * a[j] * db[i]
                images[3 * k + 2, at] = value
                model[i, j] += s * value
        if freed:
            # A width changes by the factor: d / d factor = sigma d / d sigma.
            for i in range(n):
                for j in range(n):
                    at = i * n + j
                    images[3 * targets, at] += s * aw[j] * b[i] * noise_model.sigma_x
                    images[3 * targets + 1, at] += s * a[j] * bw[i] * noise_model.sigma_y


@jit
def gaussian_response(position: float, first: int, sigma: float, q: Floats, dq: Floats, dw: Floats) -> None:
    """Write the pixel integrals of a Gaussian of width `sigma` px, and their derivatives in position and in sigma."""
    n = q.shape[0]
    z = min(max((first - 0.5 - position) / sigma, -1e3), 1e3)
    tail, density = 0.5 * math.erfc(-z / ROOT_2), math.exp(-0.5 * z * z - LOG_ROOT_2PI)
    for i in range(n):
        far = min(max((first + i + 0.5 - position) / sigma, -1e3), 1e3)
        far_tail, far_density = 0.5 * math.erfc(-far / ROOT_2), math.exp(-0.5 * far * far - LOG_ROOT_2PI)
        q[i] = far_tail - tail
        dq[i] = (density - far_density) / sigma
        dw[i] = (z * density - far * far_density) / sigma
        z, tail, density = far, far_tail, far_density


@jit
def spline_images(
    theta: Floats,
    row: int,
    column: int,
    noise_model: NoiseModel,
    freed: bool,
    first_width: int,
    k: int,
    work: DenseWorkspace,
    model: Floats,
) -> None:
    """Fill the images of one target from the bicubic B-spline of the PSF; width factors stretch it about its centre.

    Pixel (i, j) of a target at (x, y) lies at ((j - x), (i - y)) / step from the centre of the coefficients.
    """
    n, images, widths = model.shape[0], work.images, work.widths
    spline, step = noise_model.spline, noise_model.spline_step
    middle = 0.5 * (spline.shape[0] - 1)
    x, y, s = theta[0], theta[1], theta[2]
    first_x, first_y = np.empty(n, np.int64), np.empty(n, np.int64)
    for j in range(n):
        first_x[j] = spline_taps((column + j - x) / (step * widths[0]) + middle, work.taps[0, j], work.taps[1, j])
        first_y[j] = spline_taps((row + j - y) / (step * widths[1]) + middle, work.taps[2, j], work.taps[3, j])
    area = widths[0] * widths[1]
    size = spline.shape[0]
    for i in range(n):
        for j in range(n):
            at = i * n + j
            value, by_x, by_y = 0.0, 0.0, 0.0
            for v in range(4):
                line = first_y[i] + v
                if line < 0 or line >= size:
                    continue
                along, slope = 0.0, 0.0
                for u in range(4):
                    place = first_x[j] + u
                    if 0 <= place < size:
                        c = spline[line, place]
                        along += work.taps[0, j, u] * c
                        slope += work.taps[1, j, u] * c
                value += work.taps[2, i, v] * along
                by_x += work.taps[2, i, v] * slope
                by_y += work.taps[3, i, v] * along
            value /= area
            by_x /= area * step * widths[0]
            by_y /= area * step * widths[1]
            images[3 * k, at] = -s * by_x
            images[3 * k + 1, at] = -s * by_y
            images[3 * k + 2, at] = value
            model[i, j] += s * value
            if freed:
                images[first_width, at] -= s * (value + (column + j - x) * by_x) / widths[0]
                images[first_width + 1, at] -= s * (value + (row + i - y) * by_y) / widths[1]


@jit
def spline_taps(place: float, weight: Floats, slope: Floats) -> int:
    """Write the four weights of a cubic B-spline at `place`, in nodes, and their slopes; return the first node."""
    place = min(max(place, -1e6), 1e6)
    node = math.floor(place)
    t = place - node
    r = 1.0 - t
    weight[0], weight[3] = r * r * r / 6.0, t * t * t / 6.0
    weight[1] = (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0
    weight[2] = (4.0 - 6.0 * r * r + 3.0 * r * r * r) / 6.0
    slope[0], slope[3] = -0.5 * r * r, 0.5 * t * t
    slope[1] = -2.0 * t + 1.5 * t * t
    slope[2] = 2.0 * r - 1.5 * r * r
    return int(node) - 1


@jit
def level_basis(which: int, i: int, j: int, n: int) -> float:
    """Return the background's basis at pixel (i, j) of a window: 1, then the slopes along x and y over half of it."""
    if which == 0:
        return 1.0
    return (2.0 * (j if which == 1 else i) - (n - 1)) / n


@jit
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
    """Fit the background of a window to what the targets' light leaves; return -2 log likelihood there."""
    level, unknowns = work.level, noise_model.background
    level[:] = 0.0
    cost = dense_terms(pixels, row, column, noise_model, unknowns > 0, model, level, score, curvature)
    for iteration in range(LEVEL_STEPS if unknowns else 0):
        promised = level_step(unknowns, work, score, curvature)
        if promised < LEVEL_TOLERANCE and iteration > 0:
            break
        for p in range(unknowns):
            level[p] += work.level_gradient[p]
        # The first step weighs all pixels alike; from there on each counts as its own light says.
        cost = dense_terms(pixels, row, column, noise_model, False, model, level, score, curvature)
    return cost


@jit
def level_step(unknowns: int, work: DenseWorkspace, score: Floats, curvature: Floats) -> float:
    """Write the background's Gauss-Newton step to `work.level_gradient`; return the decrease of cost it promises.

    The factor of its normal matrix is left in `work.level_normal`.
    """
    n, normal, gradient = score.shape[0], work.level_normal, work.level_gradient
    normal[:] = 0.0
    gradient[:] = 0.0
    for i in range(n):
        for j in range(n):
            for p in range(unknowns):
                along = level_basis(p, i, j, n)
                gradient[p] += along * score[i, j]
                for q in range(p + 1):
                    normal[p, q] += along * level_basis(q, i, j, n) * curvature[i, j]
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


@jit
def dense_terms(
    pixels: Floats,
    row: int,
    column: int,
    noise_model: NoiseModel,
    plain: bool,
    model: Floats,
    level: Floats,
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
    mapped, levels = noise_model.variance_map.shape[0] > 0, noise_model.background
    for i in range(n):
        for j in range(n):
            read = noise_model.variance_map[row + i, column + j] if mapped else noise_model.variance
            clipped = pixels[i, j] >= saturation
            if read == math.inf or (plain and clipped):
                score[i, j], curvature[i, j] = 0.0, 0.0
                continue
            light = model[i, j]
            for p in range(levels):
                light += level[p] * level_basis(p, i, j, n)
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


@jit
def dense_equations(
    unknowns: int,
    levels: int,
    work: DenseWorkspace,
    score: Floats,
    curvature: Floats,
    normal: Floats,
    gradient: Floats,
) -> None:
    """Fill `normal` (U, U) and `gradient` (U,) of the first `unknowns` images, the background's share taken off."""
    n, images, weighted, coupling = score.shape[0], work.images, work.weighted, work.coupling
    if levels:
        level_step(levels, work, score, curvature)
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
        for level in range(levels):
            total = 0.0
            for i in range(n):
                for j in range(n):
                    total += weighted[i * n + j] * level_basis(level, i, j, n)
            coupling[p, level] = total
    if levels:
        take_off_level(unknowns, levels, work, normal)


@jit
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


@jit
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
