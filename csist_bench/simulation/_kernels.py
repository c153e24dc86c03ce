"""Rendering kernel: pixel-integrated Gaussian spots, by separable products.

The caller (`simulate.frames_from_targets`) validates and allocates. Equation in `csist_bench.simulation.optics`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner

# Beyond this many sigma from the target a pixel receives less than 3e-12 of the light and is skipped.
REACH_SIGMAS = 7.0


@jit_inner
def pixel_integrals(position: float, scale: float, first: int, last: int, out: NDArray[np.float64]) -> None:
    """Write q(i - position) for pixels i = first..last-1 into out[i]; `scale` = 1 / (sigma sqrt 2).

    Each pixel edge costs one tail t = erfc(|edge - position| scale) / 2; a pixel is the difference of the tails of its
    edges, or 1 minus their sum where it holds the target. So both tails keep their relative precision.
    """
    edge = first - 0.5 - position
    tail = 0.5 * math.erfc(abs(edge) * scale)
    for i in range(first, last):
        beyond = edge + 1.0
        next_tail = 0.5 * math.erfc(abs(beyond) * scale)
        if edge < 0.0 < beyond:
            out[i] = 1.0 - tail - next_tail
        else:
            out[i] = abs(tail - next_tail)
        edge, tail = beyond, next_tail


@jit_inner
def add_target(
    frame: NDArray[np.float64],
    x: float,
    y: float,
    intensity: float,
    psf_sigma: float,
    row: NDArray[np.float64],
    column: NDArray[np.float64],
) -> None:
    """Add one target to a frame (H, W); `row` (H,) and `column` (W,) are scratch."""
    height, width = frame.shape
    reach = REACH_SIGMAS * psf_sigma + 0.5
    # Clamped as floats first: a far-away target must not overflow the integer conversion.
    x0, x1 = int(min(max(math.ceil(x - reach), 0.0), width)), int(max(min(math.floor(x + reach) + 1.0, width), 0.0))
    y0, y1 = int(min(max(math.ceil(y - reach), 0.0), height)), int(max(min(math.floor(y + reach) + 1.0, height), 0.0))
    if x0 >= x1 or y0 >= y1:
        return
    scale = 1.0 / (psf_sigma * math.sqrt(2.0))
    pixel_integrals(x, scale, x0, x1, column)
    pixel_integrals(y, scale, y0, y1, row)
    for i in range(y0, y1):
        weight = intensity * row[i]
        for j in range(x0, x1):
            frame[i, j] += weight * column[j]


@jit
def render(
    xy: NDArray[np.float64],
    intensity: NDArray[np.float64],
    psf_sigma: float,
    scratch: NDArray[np.float64],
    out: NDArray[np.floating],
) -> None:
    """Render F frames of up to K targets into `out` (F, H, W); `xy` (F, K, 2), `intensity` (F, K), NaN = absent.

    `scratch` (H, W) accumulates one frame in float64 whatever the type of `out`.
    """
    height, width = scratch.shape
    row, column = np.empty(height), np.empty(width)
    for f in range(xy.shape[0]):
        scratch[:] = 0.0
        for k in range(xy.shape[1]):
            x, y, s = xy[f, k, 0], xy[f, k, 1], intensity[f, k]
            if not (math.isnan(x) or math.isnan(y) or math.isnan(s)):
                add_target(scratch, x, y, s, psf_sigma, row, column)
        out[f] = scratch
