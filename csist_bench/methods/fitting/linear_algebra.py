"""Linear algebra of small symmetric positive matrices, in place, on the leading n x n block of the caller's arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit

Floats = NDArray[np.float64]


@jit
def copy_rows(source: Floats, out: Floats) -> None:
    """Copy a 2-D array entry by entry: compiled, a slice assignment costs seconds more than this loop."""
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            out[i, j] = source[i, j]


@jit
def cholesky(matrix: Floats, n: int) -> bool:
    """Replace the lower triangle of the leading n x n block by its Cholesky factor; False where it is not positive."""
    for j in range(n):
        for i in range(j, n):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                matrix[j, j] = math.sqrt(total)
            else:
                matrix[i, j] = total / matrix[j, j]
    return True


@jit
def solve(factor: Floats, n: int, vector: Floats) -> None:
    """Replace `vector` (n,) by the solution of L L' x = vector, L the Cholesky `factor`."""
    for i in range(n):
        total = vector[i]
        for k in range(i):
            total -= factor[i, k] * vector[k]
        vector[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        total = vector[i]
        for k in range(i + 1, n):
            total -= factor[k, i] * vector[k]
        vector[i] = total / factor[i, i]


@jit
def inverse(factor: Floats, n: int, out: Floats) -> None:
    """Write the inverse of L L' into the leading n x n block of `out`, L the Cholesky `factor`."""
    for column in range(n):
        for i in range(n):
            out[column, i] = 1.0 if i == column else 0.0
        solve(factor, n, out[column, :n])


@jit
def log_determinant(factor: Floats, n: int) -> float:
    """Return log det of L L'."""
    total = 0.0
    for i in range(n):
        total += math.log(factor[i, i])
    return 2.0 * total


@jit
def copy_array(source: Floats, out: Floats) -> None:
    """Copy an array into another of its shape (plain loops compile several times faster than a slice assignment)."""
    flat_source, flat_out = source.ravel(), out.ravel()
    for i in range(flat_source.shape[0]):
        flat_out[i] = flat_source[i]


@jit
def solve_lower(row: Floats, factor: Floats, n: int) -> None:
    """Replace a row (n,) by L^-1 row, L the Cholesky `factor`: its products with other such rows are covariances."""
    for i in range(n):
        total = row[i]
        for j in range(i):
            total -= factor[i, j] * row[j]
        row[i] = total / factor[i, i]
