"""Harmonic moments of a window."""

import numpy as np

from csist_bench.methods.fitting import pixel_model as fitting
from csist_bench.methods.ml._kernels.starts import harmonic_moments
from tests.reference.naive_fitting import naive_model


def test_a_single_target_has_no_moments_and_a_pair_has_its_own():
    a, b, slope, power = np.zeros((1, 8)), np.zeros((1, 8)), np.zeros((1, 8)), np.zeros(5, np.complex128)
    table = fitting.psf_table(0.5)
    pair = 0.2 * np.exp(1j * 0.7) * np.array([1, -1]) + 2.1 + 1.9j
    for points in (pair.mean() * np.ones(1), pair):
        theta = np.array([[z.real, z.imag, 100.0] for z in points])
        pixels = naive_model(theta, np.arange(5), np.arange(5), 0.5)
        x, y, square = harmonic_moments(pixels, 0.5, table, table, a, b, slope, power)
        wanted = np.mean((points - pair.mean()) ** 2)
        assert abs(complex(x, y) - pair.mean()) < 0.03
        assert abs(power[2] - wanted) < 0.012
        assert abs(square - abs(wanted)) < 0.025
