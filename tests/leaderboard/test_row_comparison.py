"""Rows named by a text, and compared."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard.row_comparison import compare_rows, full_name, named_row
from csist_bench.leaderboard.trajectories import Influence, keep_influence
from tests.helpers.rows import row

NETWORK = {"method": "DeRefNet", "family": "unfolding", "prior_tier": "D", "settings": "label_falloff=2.0"}
ROWS = [
    row(),
    row(rank="brightness"),
    row(settings="brightness=free", prior_tier="A"),
    row(method="ML-seq", prior_tier="C", settings="frames=5"),
    row(method="ML-seq", prior_tier="C", settings="frames=20"),
    row(**NETWORK, decoder="grid"),
    row(**NETWORK, decoder="polish"),
    row(method="DeRefNet", family="unfolding", prior_tier="D", tier="published", predictions_sha256=""),
]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ML", 0),
        ("ml", 0),
        ("ML brightness", 1),
        ("ML (by brightness)", 1),
        ("ml brightness=free", 2),
        ("ml-seq frames=5", 3),
        ("ML-seq (frames=20)", 4),
        ("DeRefNet polish", 6),
        ("derefnet label_falloff=2.0 grid", 5),
        ("DeRefNet published", 7),
        (ROWS[3].predictions_sha256[7:19], 3),
        *((full_name(one), i) for i, one in enumerate(ROWS)),
    ],
)
def test_a_text_names_one_row(text, place):
    assert named_row(text, ROWS) is ROWS[place]


@pytest.mark.parametrize("text", ["ML-seq", "DeRefNet", "ISTA", "ML frames=5", "", "00000000"])
def test_a_text_that_names_none_or_several_lists_the_candidates(text):
    with pytest.raises(InputError, match="must name one row of the table") as caught:
        named_row(text, ROWS)
    assert "the rows are: " in str(caught.value)
    assert ("got 2" in str(caught.value)) == (text == "ML-seq")


@pytest.fixture
def board(tmp_path):
    path = tmp_path / "leaderboard.csv"
    rng = np.random.default_rng(0)
    for one in (ROWS[0], ROWS[3], ROWS[4]):
        keep_influence(path, one, Influence(np.arange(60), rng.normal(0, 0.02, (5, 60)), one.aps))
    return path


def test_rows_are_compared_by_their_influences(board):
    found = compare_rows([ROWS[0], ROWS[3], ROWS[7]], board)
    assert [one.name for one in found.contenders] == [full_name(ROWS[i]) for i in (0, 3, 7)]
    measured, published = found.pairs
    spread = (measured.main.high - measured.main.low) / 2 / 1.959964
    assert spread == pytest.approx(0.02 * np.sqrt(2 * 60 / 5), rel=0.25)
    assert measured.main.difference == 0
    assert measured.main.p == 1
    assert [d.score for d in measured.differences] == ["cso_map", "ap05", "ap10", "ap15", "ap20", "ap25"]
    assert np.isnan([published.main.low, published.main.p]).all()
    assert published.to_dict()["differences"][0]["p"] is None
    assert found.data == "seqcsist, split test"


def test_what_can_not_be_compared_is_said(board):
    with pytest.raises(InputError, match=r"ML \(by brightness\), own, B: nothing is kept of its trajectories"):
        compare_rows([ROWS[0], ROWS[1]], board)
    with pytest.raises(InputError, match="rows must be at least two, got 1"):
        compare_rows(ROWS[:1], board)
    with pytest.raises(InputError, match="be of one data set and split"):
        compare_rows([ROWS[0], row(dataset="seqcsist-dense")], board)
    other = row(note="other trajectories")
    keep_influence(board, other, Influence(np.arange(5), np.zeros((5, 5)), other.aps))
    with pytest.raises(InputError, match="be scored on the same trajectories"):
        compare_rows([ROWS[0], other], board)
