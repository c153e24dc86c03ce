"""Which rows are better by more than chance: Holm's correction by hand, ranks, and simulated ties."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.leaderboard.significance import holm, ranks, significantly_better
from csist_bench.leaderboard.trajectories import Influence, keep_influence
from tests.helpers.rows import row


def test_holm_by_hand():
    """The k-th smallest of n must be at most 0.05 / (n - k + 1); the first that is not ends it."""
    assert holm(np.array([0.03, 0.012, 0.2, 0.026])).tolist() == [False, True, False, False]
    assert holm(np.array([0.03, 0.012, 0.04, 0.016])).tolist() == [False, True, False, True]
    assert holm(np.array([0.01, 0.012, 0.02, 0.016])).tolist() == [True] * 4
    assert holm(np.array([0.05])).tolist() == [True]
    assert holm(np.array([0.051])).tolist() == [False]
    assert holm(np.array([])).tolist() == []


def test_pairs_share_what_is_hard_for_both():
    """Large spreads that are common to two methods do not hide a small, steady difference."""
    rng = np.random.default_rng(0)
    common = rng.normal(0, 1, 100)
    influence = np.stack([common, common + rng.normal(0, 0.01, 100), rng.normal(0, 1, 100)])
    found = significantly_better(np.array([50.0, 51.0, 52.0]), influence)
    assert np.argwhere(found).tolist() == [[1, 0]]


def test_equal_answers_are_tied_and_equal_scores_are_never_better():
    influence = np.tile(np.random.default_rng(0).normal(0, 1e-3, 50), (2, 1))
    assert not significantly_better(np.array([50.0, 50.0]), influence).any()
    assert not significantly_better(np.array([100.0, 100.0]), np.zeros((2, 50))).any()


def test_rows_that_differ_by_chance_are_rarely_told_apart():
    """Twelve equal methods: in a table of them any pair is told apart at most 5 times in a hundred."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        influence = rng.normal(0, 0.1, (12, 80))
        influence -= influence.mean(axis=1, keepdims=True)
        wrong += significantly_better(50 + rng.normal(0, 0.1 * np.sqrt(80), 12), influence).any()
    assert wrong / 300 < 0.08


@pytest.fixture
def table(tmp_path):
    board = tmp_path / "leaderboard.csv"
    rng = np.random.default_rng(0)
    aps = {"ap05": 20.0, "ap10": 50.0, "ap15": 60.0, "ap20": 80.0, "ap25": 90.0}
    rows = []
    for rise in (0.0, 0.01, 3.0):
        scores = {name: value + rise for name, value in {"cso_map": 60.0, **aps}.items()}
        rows.append(row(**scores, cso_map_low=None, cso_map_high=None))
    for one in rows:
        keep_influence(board, one, Influence(np.arange(60), rng.normal(0, 0.02, (5, 60)), one.aps))
    return board, rows


def test_a_rank_is_one_more_than_the_rows_that_are_significantly_better(table):
    board, rows = table
    assert ranks(rows, board) == {rows[0]: 2, rows[1]: 2, rows[2]: 1}


def test_rows_without_influences_or_of_other_trajectories_have_no_rank(table):
    board, rows = table
    published = row(tier="published", method="DeRefNet", family="unfolding", predictions_sha256="")
    without = row(note="another")
    elsewhere = row(note="elsewhere")
    keep_influence(board, elsewhere, Influence(np.arange(1, 61), np.zeros((5, 60)), elsewhere.aps))
    found = ranks([*rows, published, without, elsewhere], board)
    assert set(found) == set(rows)
    assert ranks([published], board) == {}
