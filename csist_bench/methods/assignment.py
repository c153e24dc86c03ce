"""The assignment of largest weight between the rows and columns of many small tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assigned(weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the column of every row in the assignment of largest weight, shape (F, R); -1 for none.

    Parameters
    ----------
    weight : ndarray, shape (F, R, C)
        At least 0; a pair of weight 0 is never assigned.
    """
    f, r, c = weight.shape
    if not r or not c:
        return np.full((f, r), -1)
    column = weight.argmax(axis=2)
    best = np.take_along_axis(weight, column[..., None], axis=2)[..., 0]
    column = np.where(best > 0, column, -1)
    # Where every row can have its own best column, nothing weighs more; the others need a solver.
    ranked = np.sort(np.where(column < 0, -1 - np.arange(r), column), axis=1)
    for one in np.flatnonzero((ranked[:, 1:] == ranked[:, :-1]).any(axis=1)):
        column[one] = _solved(weight[one])
    return column


def _solved(weight: NDArray[np.float64]) -> NDArray[np.int64]:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(weight, maximize=True)
    column = np.full(len(weight), -1)
    column[rows] = np.where(weight[rows, columns] > 0, columns, -1)
    return column
