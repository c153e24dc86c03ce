"""Which rows are shown, in which tables and in which order."""

from __future__ import annotations

import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.columns import Entry
from tests.helpers.rows import row


def test_tables_are_in_order_of_the_best_measured_row_with_the_published_row_beneath():
    weak = row(method="ISTA", family="traditional", prior_tier="A", cso_map=12.0, cso_map_low=11.0, cso_map_high=13.0)
    strong, second = row(note="strong", cso_map=60.9), row(note="second", cso_map=59.5)
    shown = board([weak, second, strong], published_rows(), dataset="seqcsist")
    rows = shown.tables["seqcsist"]
    assert [r.cso_map for r in rows[:4]] == [60.9, 59.5, 12.0, 10.72]
    assert [r.measured for r in rows[:4]] == [True, True, True, False]
    rest = [r.cso_map for r in rows[4:]]
    assert rest == sorted(rest, reverse=True)
    assert Entry(rows[2], "seqcsist", rows).published == 10.72
    assert Entry(rows[0], "seqcsist", rows).published is None


def test_tables_are_filtered_and_sorted_by_data_set():
    rows = [row(dataset=f"seqcsist-noise sigma={s}") for s in (10, 2)] + [row(), row(split="val")]
    shown = board(rows, published_rows(), family="off-grid", status="reproduced")
    assert list(shown.tables) == ["seqcsist", "seqcsist, val", "seqcsist-noise sigma=2", "seqcsist-noise sigma=10"]
    with pytest.raises(InputError, match="did you mean 'seqcsist'"):
        board(rows, [], dataset="seqcsit")
