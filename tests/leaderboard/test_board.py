"""Which rows are shown, in which tables and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.board import Entry, board, own_rankings, ranks_by_table
from csist_bench.leaderboard.trajectories import Influence, keep_influence
from tests.helpers.rows import row


def test_a_table_is_in_order_of_scores_with_the_published_rows_among_them():
    weak = row(method="ISTA", family="traditional", prior_tier="A", cso_map=12.0, cso_map_low=11.0, cso_map_high=13.0)
    strong, second = row(note="strong", cso_map=60.9), row(note="second", cso_map=59.5)
    rows = board([weak, second, strong], published_rows(), dataset="seqcsist").tables["seqcsist"]
    scores = [r.cso_map for r in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores[:3] == [60.9, 59.5, 51.55]
    assert Entry(weak, "seqcsist", rows).published == 10.72
    assert Entry(strong, "seqcsist", rows).published is None


def test_equal_scores_are_in_the_order_of_what_was_told():
    rows = [row(method="Net", prior_tier="D"), row(), row(method="ISTA", prior_tier="A")]
    assert [r.prior_tier for r in board(rows, ()).tables["seqcsist"]] == ["A", "B", "D"]


def test_submitted_rows_stand_below_all_others_and_unverified_ones_last():
    rows = [row(tier="unverified", cso_map=99.0), row(tier="submitted", cso_map=98.0), row(cso_map=1.0)]
    rows.append(row(tier="submitted", cso_map=99.5))
    shown = board(rows, published_rows()).tables["seqcsist"]
    assert [(r.status, r.cso_map) for r in shown][-4:] == [
        ("reproduced", 1.0), ("submitted", 99.5), ("submitted", 98.0), ("unverified", 99.0),
    ]  # fmt: skip


def test_tables_are_filtered_and_sorted_by_data_set():
    rows = [row(dataset=f"seqcsist-noise sigma={s}") for s in (10, 2)] + [row(), row(split="val")]
    shown = board(rows, published_rows(), family="off-grid", status="reproduced")
    assert list(shown.tables) == ["seqcsist", "seqcsist, val", "seqcsist-noise sigma=2", "seqcsist-noise sigma=10"]
    with pytest.raises(InputError, match="did you mean 'seqcsist'"):
        board(rows, [], dataset="seqcsit")


def test_rows_have_their_names_and_the_ranks_that_are_known():
    first, second = row(cso_map=70.0), row(settings="brightness=free", cso_map=60.0)
    entries = board([first, second], (), ranks={first: 1}).entries("seqcsist")
    assert [(entry.label, entry.rank) for entry in entries] == [("ML", 1), ("ML, brightness free", None)]


@pytest.mark.parametrize("apart", ["submitted", "unverified"])
def test_ranks_are_of_a_table_and_rows_apart_lift_nobody(tmp_path, apart):
    aps = {"ap05": 20.0, "ap10": 50.0, "ap15": 60.0, "ap20": 80.0, "ap25": 90.0}
    better = {name: value + 3 for name, value in aps.items()}
    rows = [row(**aps), row(**better, cso_map=63.0, cso_map_low=62.0, cso_map_high=64.0), row(**aps, dataset="other")]
    rows.append(row(**better, cso_map=63.0, cso_map_low=62.0, cso_map_high=64.0, tier=apart))
    noise = np.random.default_rng(0)
    for one in rows:
        keep_influence(tmp_path / "b.csv", one, Influence(np.arange(60), noise.normal(0, 0.02, (5, 60)), one.aps))
    assert ranks_by_table(rows, tmp_path / "b.csv") == {rows[0]: 2, rows[1]: 1, rows[2]: 1}
    assert ranks_by_table([row(note="nothing kept")], tmp_path / "b.csv") == {}


def test_names_do_not_depend_on_what_is_shown():
    clash = [
        row(method="OffGrid-Net", settings=f"depth={n}", dataset=name) for n, name in ((5, "a"), (7, "a"), (5, "b"))
    ]
    whole, part = board(clash, ()), board(clash, (), dataset="b")
    assert whole.entries("b")[0].label == part.entries("b")[0].label == "OffGrid-Net (depth=5)"


def test_rankings_other_than_the_own_one_stand_where_there_is_no_own_one():
    own, bright = row(), row(rank="brightness")
    alone = row(method="X", rank="brightness")
    assert own_rankings([own, bright, alone]) == [own, alone]
