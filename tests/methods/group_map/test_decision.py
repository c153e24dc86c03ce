"""Weighing hypotheses."""

from __future__ import annotations

import numpy as np

from csist_bench.methods.group_map._kernels import decision as group_decision


def test_a_solution_found_twice_counts_once() -> None:
    xy = np.array([[[1.0, 1.0], [2.0, 2.0]], [[2.0, 2.001], [1.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]])
    probability = group_decision.hypothesis_probabilities(np.array([0.0, -0.1, 0.0]), np.array([2, 2, 2]), xy)
    np.testing.assert_allclose(probability, [0.5, 0.0, 0.5])
