"""The light of targets on the pixels of a window, and an image of its own for its derivative in every unknown.

The PSF is a Gaussian of two widths, or a bicubic B-spline; both can be stretched by a factor along either axis.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import by_reference, jit, jit_inner
from csist_bench.methods.fitting.lanes import padded
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import LOG_ROOT_2PI, ROOT_2, axis_response

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = 3  # unknowns of a plane
WIDTHS = 2  # unknowns of the PSF's widths


@by_reference
class DenseWorkspace:
    """Scratch of the dense model of up to K targets in an n x n window.

    images (3K + 2, n n), weighted (n n,), axis values and slopes (6, n) along x and y in turn, first (2, n) and taps
    (4, n, 4) of a spline, slope (n,) of the background along either axis over half the window, level (3,) grey levels,
    its normal matrix (3, 3) or the factor of it, and gradient (3,), coupling (3K + 2, 3), widths (2,) as factors of
    the camera's.
    """

    images: Floats
    weighted: Floats
    axes: Floats
    first: Ints
    taps: Floats
    slope: Floats
    level: Floats
    level_normal: Floats
    level_gradient: Floats
    coupling: Floats
    widths: Floats


@jit
def dense_workspace(targets: int, size: int) -> DenseWorkspace:
    """Return the scratch for up to `targets` targets in a window of `size` px a side."""
    unknowns = 3 * targets + WIDTHS
    slope = np.zeros(size)
    for j in range(size):
        slope[j] = (2.0 * j - (size - 1)) / size
    return DenseWorkspace(
        np.zeros((unknowns, size * size)),
        np.zeros(size * size),
        np.zeros((6, padded(size))),
        np.zeros((2, size), np.int64),
        np.zeros((4, size, 4)),
        slope,
        np.zeros(LEVELS),
        np.zeros((LEVELS, LEVELS)),
        np.zeros(LEVELS),
        np.zeros((unknowns, LEVELS)),
        np.ones(WIDTHS),
    )


@jit_inner
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
            gaussian_response(theta[k, 0], column, noise_model.sigma_x * widths[0], n, a, da, aw)
            gaussian_response(theta[k, 1], row, noise_model.sigma_y * widths[1], n, b, db, bw)
        else:
            axis_response(theta[k, 0], column, noise_model.table, 0, work.axes[:1], work.axes[1:])
            axis_response(theta[k, 1], row, noise_model.table_y, 0, work.axes[3:], work.axes[4:])
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


@jit_inner
def gaussian_response(position: float, first: int, sigma: float, n: int, q: Floats, dq: Floats, dw: Floats) -> None:
    """Write n pixel integrals of a Gaussian of width `sigma` px, and their derivatives in position and in sigma."""
    z = min(max((first - 0.5 - position) / sigma, -1e3), 1e3)
    tail, density = 0.5 * math.erfc(-z / ROOT_2), math.exp(-0.5 * z * z - LOG_ROOT_2PI)
    for i in range(n):
        far = min(max((first + i + 0.5 - position) / sigma, -1e3), 1e3)
        far_tail, far_density = 0.5 * math.erfc(-far / ROOT_2), math.exp(-0.5 * far * far - LOG_ROOT_2PI)
        q[i] = far_tail - tail
        dq[i] = (density - far_density) / sigma
        dw[i] = (z * density - far * far_density) / sigma
        z, tail, density = far, far_tail, far_density


@jit_inner
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
    size, middle = spline.shape[0], 0.5 * (spline.shape[0] - 1)
    x, y, s = theta[0], theta[1], theta[2]
    first_x, first_y, taps = work.first[0], work.first[1], work.taps
    for j in range(n):
        first_x[j] = spline_taps((column + j - x) / (step * widths[0]) + middle, taps[0, j], taps[1, j])
        first_y[j] = spline_taps((row + j - y) / (step * widths[1]) + middle, taps[2, j], taps[3, j])
    area = widths[0] * widths[1]
    by_column, by_row = 1.0 / (area * step * widths[0]), 1.0 / (area * step * widths[1])
    for i in range(n):
        line, seen = first_y[i], 0 <= first_y[i] <= size - 4
        for j in range(n):
            at, place = i * n + j, first_x[j]
            if not seen or place < 0 or place > size - 4:
                # The outermost coefficients are zero, so that the response ends before its taps do.
                images[3 * k, at], images[3 * k + 1, at], images[3 * k + 2, at] = 0.0, 0.0, 0.0
                continue
            value, by_x, by_y = 0.0, 0.0, 0.0
            for v in range(4):
                along, slope = 0.0, 0.0
                for u in range(4):
                    c = spline[line + v, place + u]
                    along += taps[0, j, u] * c
                    slope += taps[1, j, u] * c
                value += taps[2, i, v] * along
                by_x += taps[2, i, v] * slope
                by_y += taps[3, i, v] * along
            value /= area
            by_x *= by_column
            by_y *= by_row
            images[3 * k, at] = -s * by_x
            images[3 * k + 1, at] = -s * by_y
            images[3 * k + 2, at] = value
            model[i, j] += s * value
            if freed:
                images[first_width, at] -= s * (value + (column + j - x) * by_x) / widths[0]
                images[first_width + 1, at] -= s * (value + (row + i - y) * by_y) / widths[1]


@jit_inner
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
