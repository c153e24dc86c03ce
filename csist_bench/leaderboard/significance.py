"""Which rows differ by more than chance, and the ranks that follow from it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from csist_bench.leaderboard.rows import Row
from csist_bench.leaderboard.trajectories import Influence, kept_influence

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVEL = 0.05


def ranks(rows: Sequence[Row], leaderboard: str | Path, level: float = LEVEL) -> dict[Row, int]:
    """Return the rank of the rows of one table whose influences are kept beside the leaderboard.

    A rank is 1 + the number of rows that are significantly better: of all pairs of the table, by Holm's correction of
    the two-sided p-values of the paired differences in CSO-mAP (Holm 1979). Rows that were scored on other
    trajectories than most, or whose influences were not kept, have none.

    Raises
    ------
    InputError
        If a file of influences is damaged.
    """
    kept = {row: found for row in rows if row.measured and (found := kept_influence(leaderboard, row)) is not None}
    alike = _on_the_same_trajectories(kept)
    if not alike:
        return {}
    chosen = list(alike)
    scores = np.array([row.cso_map for row in chosen])
    influence = np.stack([alike[row].cso_map for row in chosen])
    better = significantly_better(scores, influence, level)
    return {row: 1 + int(better[:, i].sum()) for i, row in enumerate(chosen)}


def _on_the_same_trajectories(kept: dict[Row, Influence]) -> dict[Row, Influence]:
    groups: dict[bytes, dict[Row, Influence]] = {}
    for row, influence in kept.items():
        groups.setdefault(influence.trajectories.tobytes(), {})[row] = influence
    return max(groups.values(), key=len, default={})


def significantly_better(scores: Floats, influence: Floats, level: float = LEVEL) -> Bools:
    """Return which of R methods are significantly better than which, shape (R, R): [better, worse].

    Parameters
    ----------
    scores : ndarray, shape (R,), percent
    influence : ndarray, shape (R, M), percent
        Of the same trajectories on the score of each method.
    """
    pairs = list(itertools.combinations(range(len(scores)), 2))
    better = np.zeros((len(scores), len(scores)), dtype=bool)
    if not pairs:
        return better
    first, second = np.array(pairs).T
    apart = scores[second] - scores[first]
    products = influence @ influence.T
    square = np.diag(products)
    spread = np.sqrt(np.maximum(square[first] + square[second] - 2 * products[first, second], 0.0))
    # Equal answers have no spread and no difference; rounding leaves a little of both.
    same = spread <= 1e-7 * np.sqrt(np.maximum(square[first], square[second]))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(same, np.where(np.abs(apart) > 1e-9, 0.0, 1.0), erfc(np.abs(apart) / spread / np.sqrt(2)))
    rejected = holm(p, level)
    better[first[rejected & (apart < 0)], second[rejected & (apart < 0)]] = True
    better[second[rejected & (apart > 0)], first[rejected & (apart > 0)]] = True
    return better


def holm(p: Floats, level: float = LEVEL) -> Bools:
    """Return which of n hypotheses are rejected at a family-wise level (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    passed = p[order] <= level / np.arange(len(p), 0, -1)
    rejected = np.zeros(len(p), dtype=bool)
    rejected[order[: int(np.argmin(passed)) if not passed.all() else len(p)]] = True
    return rejected
