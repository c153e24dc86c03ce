"""The tables of the page."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.columns import DASH, PAGE_COLUMNS
from csist_bench.leaderboard.matrix import matrix
from csist_bench.leaderboard.page_data import numbered
from csist_bench.leaderboard.page_tables import matrix_table, methods_table, set_style, set_table, short_link
from tests.helpers.outline import outline_of
from tests.helpers.rows import row


def test_the_overview_names_decoders_marks_published_rows_and_has_no_zero_for_a_gap():
    polish = row(method="ISTA", prior_tier="A", decoder="polish", cso_map=97.5)
    text = matrix_table(matrix(board([polish], published_rows()[:1])))
    assert '<td class="h9">97.50 <small>polish</small></td>' in text
    assert "<small>noise 0 only</small>" in text
    assert '<tr class="published"><th scope="row">ISTA <span class="badge">published</span></th>' in text
    assert '<td class="h1">10.72 <small>paper</small></td>' in text
    assert text.count(f"<td>{DASH}</td>") == 8
    assert ">0<" not in text
    assert ">0.00<" not in text


def test_a_score_of_zero_is_a_zero():
    assert '<td class="h0">0.00 <small>own</small></td>' in matrix_table(matrix(board([row(cso_map=0.0)], ())))


def test_a_row_has_a_cell_a_column_and_unknown_ones_are_dashes():
    shown = board([row(parameters=None)], ())
    outline = outline_of(set_table("seqcsist", numbered(shown)["seqcsist"]))
    assert len([a for a in outline.all("th") if a["scope"] == "col"]) == len(PAGE_COLUMNS)
    assert len(outline.all("td")) == len(PAGE_COLUMNS) - 1
    assert outline.text.count(DASH) == 4  # rank, CSO-F1, answers and parameters
    assert [a["id"] for a in outline.all("tr") if "id" in a] == ["r0"]


def test_columns_of_text_are_told_to_the_style_sheet():
    texts = [place for place, column in enumerate(PAGE_COLUMNS, 1) if not column.number and place > 1]
    for place in texts:
        assert f".set td:nth-child({place})" in set_style()


def test_methods_have_their_paper_their_recipe_and_the_command_that_runs_them():
    one = row(method="ISTA", family="traditional", prior_tier="A", decoder="grid", settings="lambda=3",
              paper="https://doi.org/10.1002/cpa.20042")  # fmt: skip
    text = methods_table(matrix(board([one], published_rows())))
    assert '<a href="https://doi.org/10.1002/cpa.20042" rel="noopener">doi 10.1002/cpa.20042</a>' in text
    assert '<a href="../recipes/methods/ista.toml" rel="noopener">ista</a>' in text
    assert "<code>csist-bench run ista --set lambda=3</code>" in text
    assert text.count("<tr>") == 2


@pytest.mark.parametrize(
    "url, text",
    [
        ("https://arxiv.org/abs/2507.09556", "arXiv 2507.09556"),
        ("https://openreview.net/forum?id=B1", "openreview.net/forum?id=B1"),
    ],
)
def test_papers_are_cited_shortly(url, text):
    assert short_link(url) == text
