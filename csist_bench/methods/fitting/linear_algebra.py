"""Linear algebra of small symmetric positive matrices, in place, on the leading n x n block of the caller's arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit_bare, jit_inner
from csist_bench.methods.fitting.lanes import LANES, load, padded, store

Floats = NDArray[np.float64]


@jit_bare
def copy_rows(source: Floats, out: Floats) -> None:
    """Copy a 2-D array entry by entry: compiled, a slice assignment costs seconds more than this loop."""
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            out[i, j] = source[i, j]


@jit_bare
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


@jit_bare
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


@jit_bare
def eliminate(rows: Floats, n: int, solution: Floats) -> bool:
    """Solve M x = v of a symmetric M by Cholesky; `rows` (n, padded(n + 1)) hold M's upper triangle, v in column n.

    False where M is not positive. Steps are those of `cholesky` and `solve`, entry by entry in the same order, to the
    same bits: but each row of the factor is taken off all later ones at once, v with them. `rows` are overwritten, and
    below the diagonal without meaning.
    """
    for k in range(n):
        if not rows[k, k] > 0.0:
            return False
        root = math.sqrt(rows[k, k])
        for i in range(k // LANES * LANES, n + 1, LANES):
            store(rows, (k, i), load(rows, (k, i)) / root)
        solution[k] = root  # not into the row, where the lanes read next would have to wait for a single number
        for j in range(k + 1, n):
            share = rows[k, j]
            for i in range(j // LANES * LANES, n + 1, LANES):
                store(rows, (j, i), load(rows, (j, i)) - load(rows, (k, i)) * share)
    for i in range(n - 1, -1, -1):
        total = rows[i, n]
        for k in range(i + 1, n):
            total -= rows[i, k] * solution[k]
        solution[i] = total / solution[i]
    return True


@jit_inner
def inverse(factor: Floats, n: int, out: Floats) -> None:
    """Write the inverse of L L' into the leading n x n block of `out`, L the Cholesky `factor`."""
    rows = np.zeros((n, padded(n)))
    for i in range(n):
        rows[i, i] = 1.0
    solve_rows(factor, n, rows)
    for column in range(n):
        for i in range(n):
            out[column, i] = rows[i, column]


@jit_bare
def solve_rows(factor: Floats, n: int, rows: Floats) -> None:
    """Do to each column of `rows` (n, padded) what `solve` does to a vector, LANES of them side by side."""
    for first in range(0, rows.shape[1], LANES):
        for i in range(n):
            total = load(rows, (i, first))
            for k in range(i):
                total = total - factor[i, k] * load(rows, (k, first))
            store(rows, (i, first), total / factor[i, i])
        for i in range(n - 1, -1, -1):
            total = load(rows, (i, first))
            for k in range(i + 1, n):
                total = total - factor[k, i] * load(rows, (k, first))
            store(rows, (i, first), total / factor[i, i])


@jit_inner
def log_determinant(factor: Floats, n: int) -> float:
    """Return log det of L L'."""
    total = 0.0
    for i in range(n):
        total += math.log(factor[i, i])
    return 2.0 * total


@jit_inner
def copy_array(source: Floats, out: Floats) -> None:
    """Copy an array into another of its shape (plain loops compile several times faster than a slice assignment)."""
    flat_source, flat_out = source.ravel(), out.ravel()
    for i in range(flat_source.shape[0]):
        flat_out[i] = flat_source[i]


@jit_inner
def solve_lower(row: Floats, factor: Floats, n: int) -> None:
    """Replace a row (n,) by L^-1 row, L the Cholesky `factor`: its products with other such rows are covariances."""
    for i in range(n):
        total = row[i]
        for j in range(i):
            total -= factor[i, j] * row[j]
        row[i] = total / factor[i, i]
