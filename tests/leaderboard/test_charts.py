"""Charts of the page."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.charts import PARAMETERS, SPEED, Scale, chart, height_of
from tests.helpers.outline import Outline, outline_of
from tests.helpers.rows import LINES, row


def test_chart_axes_are_logarithmic_and_upright():
    scale = Scale.over([0, 100, 1e6])
    one, two, three = (scale.place(value) for value in (1e2, 1e4, 1e6))
    assert two - one == pytest.approx(three - two)
    assert scale.place(0) < one
    assert height_of(100) < height_of(50) < height_of(0)


def test_a_chart_draws_the_rows_that_have_the_cost_and_merges_lines_that_coincide():
    rows = [row(), row(note="b", frames_per_second=None), *published_rows()[:3]]
    drawn = Outline()
    drawn.feed(chart(rows, LINES, SPEED, "seqcsist"))
    assert len(drawn.all("circle")) == 4
    kinds = [a["class"] for a in drawn.all("line") if a["class"] != "grid"]
    assert sorted(kinds) == ["ceiling", "ceiling", "limit"]
    assert "2 Cramer-Rao limits: 100.0" in drawn.text
    assert len(outline_of(chart(rows, [], PARAMETERS, "x")).all("circle")) == 3
