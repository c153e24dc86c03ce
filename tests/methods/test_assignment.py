"""The assignment of largest weight."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from csist_bench.methods.assignment import assigned


def test_the_assignment_is_that_of_largest_weight():
    rng = np.random.default_rng(0)
    for _ in range(50):
        r, c = rng.integers(1, 5, 2).tolist()
        weight = rng.random((20, r, c)) * (rng.random((20, r, c)) < 0.6)
        column = assigned(weight)
        for one, found in zip(weight, column):
            used = found[found >= 0]
            assert len(set(used)) == len(used)
            assert all(one[row, col] > 0 for row, col in enumerate(found) if col >= 0)
            total = sum(one[row, col] for row, col in enumerate(found) if col >= 0)
            wide = one if r <= c else one.T
            best = max(sum(wide[i, j] for i, j in enumerate(p)) for p in permutations(range(max(r, c)), min(r, c)))
            assert total == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("shape", [(3, 0, 2), (3, 2, 0), (0, 2, 2)])
def test_nothing_is_assigned_to_nothing(shape):
    assert (assigned(np.zeros(shape)) == -1).all()
