"""The leaderboard as text, for a terminal and for Markdown."""

from __future__ import annotations

from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.table import markdown_text, terminal_text
from tests.helpers.rows import LINES, row


def test_the_terminal_shows_both_scores_and_the_lines():
    ista = row(method="ISTA", family="traditional", prior_tier="A", note="x")
    text = terminal_text(board([ista], published_rows(), dataset="seqcsist", lines=LINES), ["others"])
    line = next(x for x in text.splitlines() if x.startswith("ISTA ") and "reproduced" in x)
    assert "60.00  59.00 to 61.00      10.72" in line
    assert "grid: 47.6" in text
    assert text.endswith("others")
    assert terminal_text(board([], [])) == "no rows"


def test_markdown_cells_cannot_break_the_table():
    odd = row(method="a|b*<i>&amp;![x]\u202e", family="off-grid", tier="submitted")
    text = markdown_text(board([odd], [], lines=LINES))
    assert r"a\|b\*\<i\>\&amp;\!\[x\]" in text
    assert "\u202e" not in text
    hostile = row(dataset="<img src=x onerror=alert(1)>")
    assert r"## \<img src=x onerror=alert(1)\>" in markdown_text(board([hostile], [], lines=LINES))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1
    assert "**60.00**" in text
