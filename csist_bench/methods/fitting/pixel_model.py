"""Fitting kernels: what every off-grid fit of point targets to pixels is built from.

A frame's window of n x n pixels is modelled as m[i, j] = sum_k s_k b_k[i] a_k[j], where a_k and b_k are the 1-D pixel
integrals of the PSF (`simulation.optics`) at x_k and y_k. The unknowns of one frame are theta (K, 3) = (x, y, s) in px
and grey levels. Its parts, in the order of a Gauss-Newton step:

- `window_origin` picks the window; `axis_response` answers a_k with its derivative from `psf_table`;
- `window_model` fills the responses of K targets and the model m;
- `pixel_terms` compares m with the pixels: -2 log likelihood, its score and curvature in m (noise, clipping);
- `normal_equations` gathers F = J' W J and g = J' r from those; by separability where the weights are uniform;
- `methods.fitting.linear_algebra` solves them in place.

Every array is the caller's; the window's origin is (row, column) in px. Numbers come out, nothing is checked.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from csist_bench.jit import jit_bare, jit_inner
from csist_bench.methods.fitting.lanes import LANES, lane, lanes_of, load, padded, store, zeros

Floats = NDArray[np.float64]

TAYLOR_ORDER = 5
# Phases of the table per px at psf_sigma = 1: with fifth order both value and slope are good to 1e-12 / psf_sigma.
PHASES_PER_SIGMA = 64.0
REACH_SIGMAS = 7.0
ROOT_2 = math.sqrt(2.0)
LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)


@functools.lru_cache(maxsize=32)
def psf_table(psf_sigma: float) -> Floats:
    """Return the Taylor coefficients of the 1-D pixel integral q(i - x) in x, shape (phases, order + 1, taps).

    A position is split into its nearest pixel and a phase of [-1/2, 1/2); entry [p, n, t] is the n-th derivative over
    n! at the middle of phase p, for the pixel t - taps // 2 away from the nearest one. Pixels further than that get
    less than 3e-12 of the light. Any measured PSF can be tabulated likewise.
    """
    phases = max(8, math.ceil(PHASES_PER_SIGMA / psf_sigma))
    reach = math.ceil(REACH_SIGMAS * psf_sigma + 1.0)
    phase = (np.arange(phases) + 0.5) / phases - 0.5
    edge = (np.arange(-reach, reach + 2)[None, :] - 0.5 - phase[:, None]) / psf_sigma
    density = np.exp(-0.5 * edge**2) / math.sqrt(2 * math.pi)
    table = np.zeros((phases, TAYLOR_ORDER + 1, 2 * reach + 1 + 2 * LANES))
    taps = slice(LANES, -LANES)  # beyond them no light, so that lanes may begin anywhere about the target
    # Differences of the nearer tail keep relative precision on both sides.
    upper = ndtr(-edge[:, :-1]) - ndtr(-edge[:, 1:])
    table[:, 0, taps] = np.where(edge[:, :-1] > 0, upper, np.diff(ndtr(edge), axis=1))
    # d^n/dx^n Phi((e - x) / sigma) = -He_(n-1)(z) phi(z) / sigma^n with z = (e - x) / sigma, He Hermite polynomials.
    hermite, before = np.ones_like(edge), np.zeros_like(edge)
    factor = 1.0
    for n in range(1, TAYLOR_ORDER + 1):
        factor /= n * psf_sigma
        table[:, n, taps] = -np.diff(hermite * density, axis=1) * factor
        hermite, before = edge * hermite - (n - 1) * before, hermite
    return table


@jit_bare
def axis_response(position: float, first: int, table: Floats, row: int, q: Floats, dq: Floats) -> None:
    """Write q(i - position) and its derivative in `position` for pixels i = first.. into a row of q, dq (K, padded)."""
    phase, start, h = table_place(position, first, table.shape[0], table.shape[2])
    table_response(phase, start, h, table, row, q, dq)


@jit_bare
def table_place(position: float, first: int, phases: int, taps: int) -> tuple[int, int, float]:
    """Return phase and first tap of a position in a table, and how far it is from the middle of that phase, px."""
    # Relative to the window first, so that a far position cannot overflow the integer conversion.
    away = min(max(position - first, -1e6), 1e6)
    nearest = math.floor(away + 0.5)
    place = (away - nearest + 0.5) * phases
    phase = min(int(place), phases - 1)
    h = (place - phase - 0.5) / phases
    return phase, taps // 2 - int(nearest), h


@jit_bare
def table_response(phase: int, start: int, h: float, table: Floats, row: int, q: Floats, dq: Floats) -> None:
    """Write the response and its derivative at a place in the table (`table_place`) into a row of q, dq (K, padded)."""
    taps = table.shape[2]
    for i in range(0, q.shape[1], LANES):
        at = min(max(start + i, 0), taps - LANES)
        c1, c2, c3 = load(table, (phase, 1, at)), load(table, (phase, 2, at)), load(table, (phase, 3, at))
        c4, c5 = load(table, (phase, 4, at)), load(table, (phase, 5, at))
        store(q, (row, i), load(table, (phase, 0, at)) + h * (c1 + h * (c2 + h * (c3 + h * (c4 + h * c5)))))
        store(dq, (row, i), c1 + h * (2.0 * c2 + h * (3.0 * c3 + h * (4.0 * c4 + h * 5.0 * c5))))


@jit_inner
def window_origin(frame: Floats, size: int) -> tuple[int, int]:
    """Return (row, column) of the size x size window about the brightest blob, shifted to lie inside the frame.

    The blob is the 3 x 3 sum that is largest; the window is centred on the rounded centroid of the positive pixels
    within `size` about it. Background must have been subtracted.
    """
    height, width = frame.shape
    # With a border without light, so that every pixel has neighbours.
    bordered, sums = zeros(height + 2, padded(width) + LANES), zeros(height, padded(width))[0]
    for i in range(height):
        for j in range(width):
            bordered[i + 1, j + 1] = frame[i, j]
    peak_row, peak_column, best = 0, 0, -math.inf
    for i in range(height):
        for first in range(0, width, LANES):
            total = lanes_of(0.0)
            for u in range(3):
                for v in range(3):
                    total = total + load(bordered, (i + u, first + v))
            store(sums, first, total)
        for j in range(width):
            if sums[j] > best:
                peak_row, peak_column, best = i, j, sums[j]
    half = size // 2
    light, row, column = 0.0, 0.0, 0.0
    for i in range(max(peak_row - half, 0), min(peak_row + half + 1, height)):
        for j in range(max(peak_column - half, 0), min(peak_column + half + 1, width)):
            value = max(frame[i, j], 0.0)
            light += value
            row += value * i
            column += value * j
    if light > 0.0:
        peak_row, peak_column = math.floor(row / light + 0.5), math.floor(column / light + 0.5)
    return min(max(peak_row - half, 0), height - size), min(max(peak_column - half, 0), width - size)


@jit_bare
def cut_window(frame: Floats, row: int, column: int, pixels: Floats) -> None:
    """Copy the window at (row, column) of a frame (H, W) into `pixels` (n, n)."""
    for i in range(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            pixels[i, j] = frame[row + i, column + j]


@jit_bare
def window_model(
    theta: Floats,
    row: int,
    column: int,
    table_x: Floats,
    table_y: Floats,
    a: Floats,
    da: Floats,
    b: Floats,
    db: Floats,
    model: Floats,
) -> None:
    """Fill the responses of targets theta (K, 3) and their sum, `model` (n, padded), in the window at (row, column).

    a, da (K or more, padded) belong to x (columns) and `table_x`, b, db to y (rows) and `table_y`.
    """
    targets = theta.shape[0]
    for k in range(targets):
        axis_response(theta[k, 0], column, table_x, k, a, da)
        axis_response(theta[k, 1], row, table_y, k, b, db)
    for j in range(0, model.shape[1], LANES):
        for i in range(model.shape[0]):
            light = lanes_of(0.0)
            for k in range(targets):
                light = light + theta[k, 2] * b[k, i] * load(a, (k, j))
            store(model, (i, j), light)


@jit_bare
def log_tail(z: float) -> tuple[float, float]:
    """Return log Phi(z) and phi(z) / Phi(z) of the normal distribution, for any z without overflow."""
    if z > -8.0:
        tail = 0.5 * math.erfc(-z / ROOT_2)
        return math.log(tail), math.exp(-0.5 * z * z - LOG_ROOT_2PI) / tail
    # Laplace's continued fraction of the Mills ratio, to 1e-9 relative from |z| = 8 on.
    u = -z
    ratio = u + 1.0 / (u + 2.0 / (u + 3.0 / (u + 4.0 / (u + 5.0 / (u + 6.0 / u)))))
    return -0.5 * z * z - LOG_ROOT_2PI - math.log(ratio), ratio


@jit_bare
def pixel_terms(
    pixels: Floats,
    model: Floats,
    variance: float,
    gain: float,
    saturation: float,
    edge: float,
    score: Floats,
    curvature: Floats,
) -> float:
    """Compare a model with pixels: return -2 log likelihood, fill the score and curvature of log likelihood in m.

    Parameters
    ----------
    variance : of the read noise, grey levels squared
    gain : of the shot noise; a pixel's variance is variance + gain * max(m, 0)
    saturation, edge : a pixel at or above `saturation` is clipped, and says only that the light was at or above
        `edge`: the Tobit term -2 log Phi((m - edge) / sd), with weight r (r + z) / variance, r = phi(z) / Phi(z)
    score, curvature : out, (n, padded); curvature is the expected one (clipped: the observed one); the score stands
        [column, row], so that the sums along the rows of a window run side by side
    """
    cost = 0.0
    rows, columns = pixels.shape
    inverse = 1.0 / variance
    if gain == 0.0 and saturation == math.inf:
        for i in range(rows):
            for j in range(columns):
                residual = pixels[i, j] - model[i, j]
                score[j, i] = residual * inverse
                cost += residual * residual
        curvature[:] = inverse
        return cost * inverse
    for i in range(rows):
        for j in range(columns):
            spread = variance + gain * max(model[i, j], 0.0)
            if pixels[i, j] >= saturation:
                sd = math.sqrt(spread)
                z = (model[i, j] - edge) / sd
                log_probability, ratio = log_tail(z)
                cost -= 2.0 * log_probability
                score[j, i] = ratio / sd
                curvature[i, j] = ratio * (ratio + z) / spread
            else:
                residual = pixels[i, j] - model[i, j]
                scaled = residual / spread
                cost += residual * scaled
                score[j, i] = scaled
                curvature[i, j] = 1.0 / spread
                if gain > 0.0:
                    # The variance grows with the model, so log variance and its slope count as well.
                    cost += math.log(spread / variance)
                    score[j, i] += 0.5 * gain * (scaled * scaled - 1.0 / spread)
                    curvature[i, j] += 0.5 * (gain / spread) ** 2
    return cost


@jit_bare
def normal_equations(
    theta: Floats,
    a: Floats,
    da: Floats,
    b: Floats,
    db: Floats,
    score: Floats,
    curvature: Floats,
    base: float,
    uniform: bool,
    jacobian: Floats,
    normal: Floats,
    gradient: Floats,
) -> None:
    """Fill F = J' W J, `normal` (3K, 3K), and g = J' r, `gradient` (3K,), of one window; r = score, W = curvature.

    Unknowns are ordered (x_1, y_1, s_1, x_2, ...). F is summed by separability for the uniform weight `base` (0: none),
    <d_xk, d_xl> = base s_k s_l (a'_k . a'_l)(b_k . b_l) and so on; each pixel whose curvature differs from `base` is
    corrected by a rank-one term, unless all are known to be alike (`uniform`); `jacobian` (3K,) is scratch for that
    pixel's row of J.
    """
    targets, size = theta.shape[0], score.shape[0]
    for k in range(targets):
        gradient_x, gradient_y, gradient_s = 0.0, 0.0, 0.0
        for first in range(0, size, LANES):
            value, slope = lanes_of(0.0), lanes_of(0.0)
            for j in range(size):
                value = value + load(score, (j, first)) * a[k, j]
                slope = slope + load(score, (j, first)) * da[k, j]
            along_x, along_y = load(b, (k, first)) * slope, load(db, (k, first)) * value
            along_s = load(b, (k, first)) * value
            for i in range(min(size - first, LANES)):
                gradient_x += lane(along_x, i)
                gradient_y += lane(along_y, i)
                gradient_s += lane(along_s, i)
        gradient[3 * k] = theta[k, 2] * gradient_x
        gradient[3 * k + 1] = theta[k, 2] * gradient_y
        gradient[3 * k + 2] = gradient_s
    _separable_products(theta, a, da, b, db, size, base, normal)
    unknowns = 3 * targets
    if not uniform:
        add_pixels(theta, a, da, b, db, curvature, base, jacobian, normal)
    for p in range(unknowns):
        for r in range(p):
            normal[r, p] = normal[p, r]


@jit_bare
def add_pixels(
    theta: Floats,
    a: Floats,
    da: Floats,
    b: Floats,
    db: Floats,
    curvature: Floats,
    base: float,
    jacobian: Floats,
    normal: Floats,
) -> None:
    """Add the rank-one term of every pixel whose curvature is not `base` to the lower triangle of `normal`."""
    targets, size = theta.shape[0], curvature.shape[0]
    for i in range(size):
        for j in range(size):
            extra = curvature[i, j] - base
            if extra != 0.0:
                for k in range(targets):
                    jacobian[3 * k] = theta[k, 2] * da[k, j] * b[k, i]
                    jacobian[3 * k + 1] = theta[k, 2] * a[k, j] * db[k, i]
                    jacobian[3 * k + 2] = a[k, j] * b[k, i]
                for p in range(3 * targets):
                    for r in range(p + 1):
                        normal[p, r] += extra * jacobian[p] * jacobian[r]


@jit_bare
def _separable_products(
    theta: Floats, a: Floats, da: Floats, b: Floats, db: Floats, size: int, base: float, normal: Floats
) -> None:
    """Fill the lower triangle of `base` J'J, block (k, l) by block, from dot products along each axis."""
    for k in range(theta.shape[0]):
        for m in range(k + 1):
            aa, ad, da_a, dd = 0.0, 0.0, 0.0, 0.0
            for j in range(size):
                aa += a[k, j] * a[m, j]
                ad += a[k, j] * da[m, j]
                da_a += da[k, j] * a[m, j]
                dd += da[k, j] * da[m, j]
            bb, bd, db_b, ee = 0.0, 0.0, 0.0, 0.0
            for i in range(size):
                bb += b[k, i] * b[m, i]
                bd += b[k, i] * db[m, i]
                db_b += db[k, i] * b[m, i]
                ee += db[k, i] * db[m, i]
            s, t = theta[k, 2], theta[m, 2]
            p, r = 3 * k, 3 * m
            normal[p, r] = base * s * t * dd * bb
            normal[p, r + 1] = base * s * t * da_a * bd
            normal[p, r + 2] = base * s * da_a * bb
            normal[p + 1, r] = base * s * t * ad * db_b
            normal[p + 1, r + 1] = base * s * t * aa * ee
            normal[p + 1, r + 2] = base * s * aa * db_b
            normal[p + 2, r] = base * t * ad * bb
            normal[p + 2, r + 1] = base * t * aa * bd
            normal[p + 2, r + 2] = base * aa * bb
