"""Starts of fits from the moments of the light alone, so that no angle is fixed beforehand.

A radial PSF leaves harmonic moments as they are: the integral of z^p PSF(z - z_k) is z_k^p, z = x + i y about any
centre. Under a Gaussian weight of variance v about the centre, which keeps the noise of far pixels out, the p-th moment
shrinks by beta^p with beta = v / (v + S^2 + 1/12), S the PSF's sigma and 1/12 the pixel's. For K equal targets the
moments give the power sums of the positions, Newton's identities the polynomial whose roots they are (Prony's method),
and Durand-Kerner its roots. Regular polygons rotated to the phase of the K-th moment are further starts.
"""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit_inner

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

WEIGHT_VARIANCE = 3.2  # of the Gaussian weight, in units of psf_sigma^2 (0.8 px^2 at 0.5 px)
PIXEL_VARIANCE = 1.0 / 12.0
ROOT_STEPS = 12
LEAST_RADIUS, LARGEST_RADIUS = 0.1, 0.6  # px, of a ring of starts


@jit_inner
def prony_start(power: Complexes, roots: Complexes, coefficient: Complexes) -> None:
    """Write K positions about the centre whose mean powers are `power` (>= K + 1,) into `roots` (K,).

    `coefficient` (K + 1,) is scratch: the elementary symmetric polynomials by Newton's identities.
    """
    k = roots.shape[0]
    coefficient[0] = 1.0
    for m in range(1, k + 1):
        total = complex(0.0, 0.0)
        sign = 1.0
        for j in range(1, m + 1):
            total += sign * coefficient[m - j] * k * power[j]
            sign = -sign
        coefficient[m] = total / m
    size = max(abs(coefficient[k]) ** (1.0 / k), 0.05)
    for m in range(k):
        roots[m] = size * cmath.exp(complex(0.0, 2.0 * math.pi * m / k + 0.4))
    for _ in range(ROOT_STEPS):
        for m in range(k):
            z = roots[m]
            value = complex(1.0, 0.0)
            sign = -1.0
            for j in range(1, k + 1):
                value = value * z + sign * coefficient[j]
                sign = -sign
            apart = complex(1.0, 0.0)
            for j in range(k):
                if j != m:
                    apart *= z - roots[j]
            if abs(apart) > 1e-12:
                roots[m] = z - value / apart


@jit_inner
def polygon_start(power: Complexes, square: float, half_steps: int, roots: Complexes) -> None:
    """Write a regular K-gon about the centre into `roots` (K,): radius^2 = `square` px^2 within bounds.

    Its phase is that of the K-th moment plus `half_steps` times half the angle between two corners.
    """
    k = roots.shape[0]
    radius = min(max(math.sqrt(max(square, 0.0)), LEAST_RADIUS), LARGEST_RADIUS)
    phase = (math.atan2(power[k].imag, power[k].real) + half_steps * math.pi) / k
    for m in range(k):
        roots[m] = radius * cmath.exp(complex(0.0, phase + 2.0 * math.pi * m / k))
