"""Which minima of a sequence fit are one."""

from __future__ import annotations

import numpy as np

from csist_bench.methods.ml_seq._kernels.search import STARTS, StartFits, drop_repeats, same_shape


def test_shapes_are_the_same_in_any_order() -> None:
    a = np.array([0.3, 0.0, 235.0, -0.3, 0.1, 240.0])
    swapped = np.array([-0.3, 0.1, 230.0, 0.31, 0.0, 235.0])
    assert same_shape(a, swapped, 2)
    swapped[0] += 0.03
    assert not same_shape(a, swapped, 2)


def test_one_fit_of_each_minimum_stays_and_none_far_above_the_best() -> None:
    solutions = np.zeros((STARTS, 3))
    solutions[:, 0] = [0.0, 0.01, 0.5, 0.5, 1.0]
    search = StartFits(solutions, np.array([10.0, 11.0, 13.0, 12.0, 40.0]), np.ones(STARTS, np.bool_))
    drop_repeats(search, 1)
    assert search.kept.tolist() == [True, False, False, True, False]
