"""Starts from power sums."""

import numpy as np

from csist_bench.methods.fitting.starts import prony_start


def test_prony_finds_the_points_whose_powers_it_is_given():
    points = np.array([0.3 + 0.1j, -0.2 + 0.25j, -0.15 - 0.3j, 0.05 - 0.05j])
    power = np.array([np.mean(points**p) for p in range(5)])
    roots = np.zeros(4, np.complex128)
    prony_start(power, roots, np.zeros(5, np.complex128))
    np.testing.assert_allclose(np.sort_complex(roots), np.sort_complex(points), atol=1e-6)
