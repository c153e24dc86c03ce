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

from csist_bench.jit import jit

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
    table = np.empty((phases, TAYLOR_ORDER + 1, 2 * reach + 1))
    # Differences of the nearer tail keep relative precision on both sides.
    upper = ndtr(-edge[:, :-1]) - ndtr(-edge[:, 1:])
    table[:, 0] = np.where(edge[:, :-1] > 0, upper, np.diff(ndtr(edge), axis=1))
    # d^n/dx^n Phi((e - x) / sigma) = -He_(n-1)(z) phi(z) / sigma^n with z = (e - x) / sigma, He Hermite polynomials.
    hermite, before = np.ones_like(edge), np.zeros_like(edge)
    factor = 1.0
    for n in range(1, TAYLOR_ORDER + 1):
        factor /= n * psf_sigma
        table[:, n] = -np.diff(hermite * density, axis=1) * factor
        hermite, before = edge * hermite - (n - 1) * before, hermite
    return table


@jit
def axis_response(position: float, first: int, table: Floats, q: Floats, dq: Floats) -> None:
    """Write q(i - position) and its derivative in `position` for pixels i = first..first + n - 1 into q, dq (n,)."""
    n = q.shape[0]
    phases, taps = table.shape[0], table.shape[2]
    # Relative to the window first, so that a far position cannot overflow the integer conversion.
    away = min(max(position - first, -1e6), 1e6)
    nearest = math.floor(away + 0.5)
    place = (away - nearest + 0.5) * phases
    phase = min(int(place), phases - 1)
    h = (place - phase - 0.5) / phases
    start = taps // 2 - int(nearest)
    low, high = min(max(-start, 0), n), max(min(taps - start, n), 0)
    for i in range(low):
        q[i] = 0.0
        dq[i] = 0.0
    for i in range(high, n):
        q[i] = 0.0
        dq[i] = 0.0
    for i in range(low, high):
        c1, c2, c3 = table[phase, 1, start + i], table[phase, 2, start + i], table[phase, 3, start + i]
        c4, c5 = table[phase, 4, start + i], table[phase, 5, start + i]
        q[i] = table[phase, 0, start + i] + h * (c1 + h * (c2 + h * (c3 + h * (c4 + h * c5))))
        dq[i] = c1 + h * (2.0 * c2 + h * (3.0 * c3 + h * (4.0 * c4 + h * 5.0 * c5)))


@jit
def window_origin(frame: Floats, size: int) -> tuple[int, int]:
    """Return (row, column) of the size x size window about the brightest blob, shifted to lie inside the frame.

    The blob is the 3 x 3 sum that is largest; the window is centred on the rounded centroid of the positive pixels
    within `size` about it. Background must have been subtracted.
    """
    height, width = frame.shape
    peak_row, peak_column, best = 0, 0, -math.inf
    for i in range(height):
        for j in range(width):
            total = 0.0
            for u in range(max(i - 1, 0), min(i + 2, height)):
                for v in range(max(j - 1, 0), min(j + 2, width)):
                    total += frame[u, v]
            if total > best:
                peak_row, peak_column, best = i, j, total
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


@jit
def cut_window(frame: Floats, row: int, column: int, pixels: Floats) -> None:
    """Copy the window at (row, column) of a frame (H, W) into `pixels` (n, n)."""
    for i in range(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            pixels[i, j] = frame[row + i, column + j]


@jit
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
    """Fill the responses of targets theta (K, 3) and their sum, `model` (n, n), in the window at (row, column).

    a, da (K, n) belong to x (columns) and `table_x`, b, db (K, n) to y (rows) and `table_y`.
    """
    model[:] = 0.0
    rows, columns = model.shape
    for k in range(theta.shape[0]):
        axis_response(theta[k, 0], column, table_x, a[k], da[k])
        axis_response(theta[k, 1], row, table_y, b[k], db[k])
        for i in range(rows):
            weight = theta[k, 2] * b[k, i]
            for j in range(columns):
                model[i, j] += weight * a[k, j]


@jit
def log_tail(z: float) -> tuple[float, float]:
    """Return log Phi(z) and phi(z) / Phi(z) of the normal distribution, for any z without overflow."""
    if z > -8.0:
        tail = 0.5 * math.erfc(-z / ROOT_2)
        return math.log(tail), math.exp(-0.5 * z * z - LOG_ROOT_2PI) / tail
    # Laplace's continued fraction of the Mills ratio, to 1e-9 relative from |z| = 8 on.
    u = -z
    ratio = u + 1.0 / (u + 2.0 / (u + 3.0 / (u + 4.0 / (u + 5.0 / (u + 6.0 / u)))))
    return -0.5 * z * z - LOG_ROOT_2PI - math.log(ratio), ratio


@jit
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
    score, curvature : out, the shape of the pixels; curvature is the expected one (clipped: the observed one)
    """
    cost = 0.0
    rows, columns = pixels.shape
    inverse = 1.0 / variance
    if gain == 0.0 and saturation == math.inf:
        for i in range(rows):
            for j in range(columns):
                residual = pixels[i, j] - model[i, j]
                score[i, j] = residual * inverse
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
                score[i, j] = ratio / sd
                curvature[i, j] = ratio * (ratio + z) / spread
            else:
                residual = pixels[i, j] - model[i, j]
                scaled = residual / spread
                cost += residual * scaled
                score[i, j] = scaled
                curvature[i, j] = 1.0 / spread
                if gain > 0.0:
                    # The variance grows with the model, so log variance and its slope count as well.
                    cost += math.log(spread / variance)
                    score[i, j] += 0.5 * gain * (scaled * scaled - 1.0 / spread)
                    curvature[i, j] += 0.5 * (gain / spread) ** 2
    return cost


@jit
def normal_equations(
    theta: Floats,
    a: Floats,
    da: Floats,
    b: Floats,
    db: Floats,
    score: Floats,
    curvature: Floats,
    base: float,
    jacobian: Floats,
    normal: Floats,
    gradient: Floats,
) -> None:
    """Fill F = J' W J, `normal` (3K, 3K), and g = J' r, `gradient` (3K,), of one window; r = score, W = curvature.

    Unknowns are ordered (x_1, y_1, s_1, x_2, ...). F is summed by separability for the uniform weight `base` (0: none),
    <d_xk, d_xl> = base s_k s_l (a'_k . a'_l)(b_k . b_l) and so on; each pixel whose curvature differs from `base` is
    corrected by a rank-one term; `jacobian` (3K,) is scratch for that pixel's row of J.
    """
    targets, rows, columns = theta.shape[0], score.shape[0], score.shape[1]
    for k in range(targets):
        gradient_x, gradient_y, gradient_s = 0.0, 0.0, 0.0
        for i in range(rows):
            value, slope = 0.0, 0.0
            for j in range(columns):
                value += score[i, j] * a[k, j]
                slope += score[i, j] * da[k, j]
            gradient_x += b[k, i] * slope
            gradient_y += db[k, i] * value
            gradient_s += b[k, i] * value
        gradient[3 * k] = theta[k, 2] * gradient_x
        gradient[3 * k + 1] = theta[k, 2] * gradient_y
        gradient[3 * k + 2] = gradient_s
    _separable_products(theta, a, da, b, db, base, normal)
    unknowns = 3 * targets
    for i in range(rows):
        for j in range(columns):
            extra = curvature[i, j] - base
            if extra != 0.0:
                for k in range(targets):
                    jacobian[3 * k] = theta[k, 2] * da[k, j] * b[k, i]
                    jacobian[3 * k + 1] = theta[k, 2] * a[k, j] * db[k, i]
                    jacobian[3 * k + 2] = a[k, j] * b[k, i]
                for p in range(unknowns):
                    for r in range(p + 1):
                        normal[p, r] += extra * jacobian[p] * jacobian[r]
    for p in range(unknowns):
        for r in range(p):
            normal[r, p] = normal[p, r]


@jit
def _separable_products(
    theta: Floats, a: Floats, da: Floats, b: Floats, db: Floats, base: float, normal: Floats
) -> None:
    """Fill the lower triangle of `base` J'J, block (k, l) by block, from dot products along each axis."""
    for k in range(theta.shape[0]):
        for m in range(k + 1):
            aa, ad, da_a, dd = 0.0, 0.0, 0.0, 0.0
            for j in range(a.shape[1]):
                aa += a[k, j] * a[m, j]
                ad += a[k, j] * da[m, j]
                da_a += da[k, j] * a[m, j]
                dd += da[k, j] * da[m, j]
            bb, bd, db_b, ee = 0.0, 0.0, 0.0, 0.0
            for i in range(b.shape[1]):
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
