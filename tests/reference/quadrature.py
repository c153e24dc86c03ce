"""Naive renderer: a numeric double integral of the Gaussian over every pixel (the published way)."""

import math

import numpy as np
from scipy.integrate import dblquad


def frame_by_quadrature(targets, psf_sigma, size):
    """Return one frame of targets [(x, y, intensity), ...] by `size * size` double integrals per target."""
    frame = np.zeros((size, size))
    for x, y, intensity in targets:

        def density(v, u, x=x, y=y):
            return math.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * psf_sigma**2)) / (2 * math.pi * psf_sigma**2)

        for i in range(size):
            for j in range(size):
                value, _ = dblquad(density, j - 0.5, j + 0.5, i - 0.5, i + 0.5, epsabs=1e-12, epsrel=1e-11)
                frame[i, j] += intensity * value
    return frame
