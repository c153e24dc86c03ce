"""Small linear algebra against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.methods.fitting import linear_algebra
from csist_bench.methods.fitting.lanes import padded


@given(seed=st.integers(0, 10**6), n=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_the_small_linear_algebra_equals_numpy(seed, n):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n + 2))
    matrix = root @ root.T + 0.1 * np.eye(n)
    factor, vector, out = matrix.copy(), rng.standard_normal(n), np.zeros((n, n))
    expected = np.linalg.solve(matrix, vector)
    assert linear_algebra.cholesky(factor, n)
    linear_algebra.solve(factor, n, vector)
    linear_algebra.inverse(factor, n, out)
    np.testing.assert_allclose(vector, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(out, np.linalg.inv(matrix), rtol=1e-6, atol=1e-9)
    assert linear_algebra.log_determinant(factor, n) == pytest.approx(np.linalg.slogdet(matrix)[1], abs=1e-8)


@pytest.mark.parametrize("n", [1, 3, 7, 8, 9, 16, 24])
def test_elimination_has_the_bits_of_factor_and_solution(n):
    rng = np.random.default_rng(n)
    root = rng.standard_normal((n, n + 2))
    matrix, vector, solution = root @ root.T + 0.1 * np.eye(n), rng.standard_normal(n), np.zeros(n)
    rows = np.full((n, padded(n + 1)), np.nan)
    for p in range(n):
        rows[p, p:n], rows[p, n] = matrix[p, p:], vector[p]
    assert linear_algebra.eliminate(rows, n, solution)
    factor = matrix.copy()
    linear_algebra.cholesky(factor, n)
    linear_algebra.solve(factor, n, vector)
    assert solution.tobytes() == vector.tobytes()
    matrix[n - 1, n - 1] = -1.0
    rows = np.hstack([matrix, np.zeros((n, padded(n + 1) - n))])
    assert not linear_algebra.eliminate(rows, n, solution)


def test_a_matrix_that_is_not_positive_has_no_factor():
    assert not linear_algebra.cholesky(np.diag([1.0, -1.0]), 2)
    assert not linear_algebra.cholesky(np.full((2, 2), np.nan), 2)


@pytest.mark.parametrize("n", [1, 3, 8, 9, 16, 17])
def test_an_inverse_has_the_bits_of_one_solution_a_column(n):
    root = np.random.default_rng(n).standard_normal((n, n + 2))
    factor, out = root @ root.T + 0.1 * np.eye(n), np.full((n + 1, n + 1), 7.0)
    linear_algebra.cholesky(factor, n)
    linear_algebra.inverse(factor, n, out)
    for column, unit in enumerate(np.eye(n)):
        linear_algebra.solve(factor, n, unit)
        assert out[column, :n].tobytes() == unit.tobytes()
    assert (out[n] == 7.0).all()
    assert (out[:, n] == 7.0).all()
