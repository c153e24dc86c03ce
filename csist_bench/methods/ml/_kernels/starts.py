"""Starts of single-frame fits, from the moments of the window's light about its own centre."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit_inner
from csist_bench.methods.fitting.pixel_model import axis_response
from csist_bench.methods.fitting.starts import (
    LARGEST_RADIUS,
    PIXEL_VARIANCE,
    WEIGHT_VARIANCE,
    polygon_start,
    prony_start,
)

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

CENTRE_STEPS = 3
ORIGIN = 0  # of coordinates within the window, and the row of scratch that is filled


@jit_inner
def centre_of(pixels: Floats, v: float, beta: float) -> tuple[float, float]:
    """Return the light's centre (x, y) within a window under a Gaussian weight that follows it."""
    n = pixels.shape[0]
    x = y = 0.5 * (n - 1)
    for _ in range(CENTRE_STEPS):
        light, along_x, along_y = 0.0, 0.0, 0.0
        for i in range(n):
            for j in range(n):
                w = math.exp(-0.5 * ((j - x) ** 2 + (i - y) ** 2) / v) * pixels[i, j]
                light += w
                along_x += w * (j - x)
                along_y += w * (i - y)
        if not light > 0.0:
            break
        x = min(max(x + along_x / light / beta, 0.0), n - 1.0)
        y = min(max(y + along_y / light / beta, 0.0), n - 1.0)
    return x, y


@jit_inner
def harmonic_moments(
    pixels: Floats,
    psf_sigma: float,
    table_x: Floats,
    table_y: Floats,
    a: Floats,
    b: Floats,
    slope: Floats,
    power: Complexes,
) -> tuple[float, float, float]:
    """Fill the normalised harmonic moments of a window and return its centre (x, y) and mean squared radius.

    Coordinates are px within the window. `power` (P + 1,): entry p is the mean of (z_k - centre)^p over the light. A
    single target of the same light at the centre is taken off first: it has no moments of its own, but pixels as wide
    as the PSF give it some. a, b, slope (1 or more, padded) are scratch.
    """
    n = pixels.shape[0]
    v = WEIGHT_VARIANCE * psf_sigma * psf_sigma
    beta = v / (v + psf_sigma * psf_sigma + PIXEL_VARIANCE)
    x, y = centre_of(pixels, v, beta)
    first = int(ORIGIN)  # a bare 0 is a type of its own to the compiler, for which it would start anew
    axis_response(x, first, table_x, first, a, slope)
    axis_response(y, first, table_y, first, b, slope)
    light, unit = 0.0, 0.0
    for i in range(n):
        for j in range(n):
            w = math.exp(-0.5 * ((j - x) ** 2 + (i - y) ** 2) / v)
            light += w * pixels[i, j]
            unit += w * a[0, j] * b[0, i]
    power[:] = 0.0
    if not light > 0.0:
        return x, y, 0.0
    square = 0.0
    for i in range(n):
        for j in range(n):
            z = complex(j - x, i - y) / beta
            distance = (j - x) ** 2 + (i - y) ** 2
            w = math.exp(-0.5 * distance / v) * (pixels[i, j] / light - a[0, j] * b[0, i] / unit)
            square += w * distance / (beta * beta)
            term = complex(w, 0.0)
            for p in range(1, power.shape[0]):
                term *= z
                power[p] += term
    return x, y, square


@jit_inner
def write_start(which: int, power: Complexes, square: float, roots: Complexes, coefficient: Complexes) -> bool:
    """Write start number `which` for K targets about the centre into `roots` (K,); False where there is none.

    In turn: Prony's roots, a K-gon in either phase, from K = 4 on a (K - 1)-gon about a central target in either phase.
    """
    k = roots.shape[0]
    if which == 0:
        prony_start(power, roots, coefficient)
        for m in range(k):
            size = abs(roots[m])
            if size > LARGEST_RADIUS:
                roots[m] *= LARGEST_RADIUS / size
        return True
    if which <= (1 if k <= 2 else 2):
        polygon_start(power, square, which % 2, roots)
        return True
    if k >= 4 and which <= 4:
        polygon_start(power, square * k / (k - 1), which % 2, roots[: k - 1])
        roots[k - 1] = 0.0
        return True
    return False
