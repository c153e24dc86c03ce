"""The leaderboard as text, for a terminal and for Markdown."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.table import markdown_text, terminal_text
from tests.helpers.rows import LINES, row

WIDTHS = (40, 47, 57, 80, 100, 120, 160, 240)


def test_the_terminal_shows_both_scores_and_the_lines():
    ista = row(method="ISTA", family="traditional", prior_tier="A", note="x")
    text = terminal_text(board([ista], published_rows(), dataset="seqcsist", lines=LINES, ranks={ista: 1}), ["others"])
    line = next(x for x in text.splitlines() if x.startswith("ISTA ") and "reproduced" in x)
    assert line.split()[:6] == ["ISTA", "60.00", "59.00", "to", "61.00", "1"]
    assert " 10.72 " in line
    assert "grid: 47.6" in text
    assert text.endswith("others")
    assert terminal_text(board([], [])) == "no rows"


def test_published_rows_are_marked_and_unknown_ranks_are_dashes():
    text = terminal_text(board([], published_rows()[:1], dataset="seqcsist"))
    assert text.splitlines()[2].split()[:5] == ["ISTA", "(published)", "10.72", "-", "-"]


def test_rows_are_in_order_of_scores_whatever_the_method():
    rows = [row(cso_map=70.0), row(method="Net", cso_map=65.0), row(note="b", cso_map=60.0)]
    names = [line.split()[0] for line in terminal_text(board(rows, ())).splitlines()[2:]]
    assert names == ["ML", "Net", "ML"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_table_is_no_wider_than_the_terminal(width):
    long = row(method="Method of a long name", settings="frames=5 start=integer brightness=free")
    shown = board([long], published_rows(), lines=LINES)
    lines = terminal_text(shown, [f"set {n}: 9 rows" for n in range(30)], width).splitlines()
    heads = [line for line in lines if line.startswith("method")]
    assert heads
    assert max(map(len, lines)) <= width
    for head in heads:
        assert "CSO-mAP" in head
    published = [line for line in lines if line.startswith("ISTA")]
    assert all("(published)" in line for line in published)


def test_what_is_left_out_for_want_of_width_is_said_and_rank_goes_late():
    one = row()
    shown = board([one], (), ranks={one: 1})
    narrow = terminal_text(shown, width=40)
    assert "rank" in narrow.splitlines()[1]
    assert "AP05" not in narrow.splitlines()[1]
    assert "AP05" in narrow.replace("\n", " ").partition("Left out for want of width: ")[2]
    assert "Left out" not in terminal_text(shown, width=400)
    assert "Left out" not in terminal_text(shown)


def test_columns_without_a_figure_are_left_out_first():
    heads = terminal_text(board([row()], ()), width=120).splitlines()[1]
    assert "rank" not in heads
    assert "answers" not in heads
    assert "AP05" in heads
    heads = terminal_text(board([row(answers_per_frame=2.5)], ()), width=120).splitlines()[1]
    assert "answers" in heads


def test_the_overview_of_markdown_marks_published_rows_and_adapted_weights():
    weak = row(method="ISTA", family="traditional", prior_tier="A", cso_map=12.0, cso_map_low=11.0, cso_map_high=13.0)
    text = markdown_text(board([weak, row()], published_rows()))
    overview = text.partition("## Overview")[2].partition("\n## ")[0]
    assert "| ISTA | noise 0 only | 12.00 own | – | – | – | – |" in overview
    assert "| *DeRefNet (published)* | **49.29** | 51.55 | 49.09 | 47.23 | – | 49.79 |" in overview
    assert [line.split("|")[1].strip() for line in overview.splitlines() if "mean" in line and line[0] == "|"] == [
        "knows A", "knows B", "knows D",
    ]  # fmt: skip


def test_markdown_cells_cannot_break_the_table():
    odd = row(method="a|b*<i>&amp;![x]\u202e", family="off-grid", tier="submitted")
    text = markdown_text(board([odd], [], lines=LINES))
    assert r"a\|b\*\<i\>\&amp;\!\[x\]" in text
    assert "\u202e" not in text
    hostile = row(dataset="<img src=x onerror=alert(1)>")
    assert r"## \<img src=x onerror=alert(1)\>" in markdown_text(board([hostile], [], lines=LINES))
    table = [line for line in text.partition("## seqcsist")[2].splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1
    assert "**60.00**" in text
