"""Charts of the page."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from csist_bench import files
from csist_bench.leaderboard import published_rows, read_rows, standing
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.charts import (
    HEIGHT,
    PARAMETERS,
    RADIUS,
    SPEED,
    WIDTH,
    Heights,
    Scale,
    chart,
    line_list,
    spread,
)
from csist_bench.leaderboard.lines import Line, read_lines
from tests.helpers.outline import Outline, outline_of
from tests.helpers.rows import FINGERPRINT, LINES, row

LEADERBOARD = files.packaged("leaderboard")


def entries_of(*rows):
    shown = board(rows, ())
    return dict(enumerate(entry for table in shown.tables for entry in shown.entries(table)))


def many_lines(*scores):
    about = {"dataset": "seqcsist", "split": "test", "kind": "limit", "dataset_fingerprint": FINGERPRINT}
    return [Line(label=f"line {n}", cso_map=score, **about) for n, score in enumerate(scores)]


def test_chart_axes_are_logarithmic_and_upright():
    scale = Scale.over([0, 100, 1e6])
    one, two, three = (scale.place(value) for value in (1e2, 1e4, 1e6))
    assert two - one == pytest.approx(three - two)
    assert scale.place(0) < one
    heights = Heights.over([57.0, 99.0])
    assert heights.low == 50
    assert heights.place(100) < heights.place(75) < heights.place(50)
    assert Heights.over([]).low == 0
    assert Heights.over([99.0]).low == 60


def test_a_chart_draws_the_rows_that_have_the_cost():
    entries = entries_of(row(), row(note="b", frames_per_second=None), *published_rows()[:3])
    drawn = Outline()
    drawn.feed(chart(entries, LINES, SPEED, "seqcsist"))
    assert len(drawn.all("circle")) == 4
    kinds = [a["class"] for a in drawn.all("path") if a["class"] in ("ceiling", "limit")]
    assert sorted(kinds) == ["ceiling", "ceiling", "limit", "limit"]
    assert len(outline_of(chart(entries, [], PARAMETERS, "x")).all("circle")) == 3


def test_every_point_says_its_name_and_every_line_its_meaning():
    entries = entries_of(row(), *published_rows()[:1])
    text = chart(entries, LINES, SPEED, "x")
    assert "<title>ML, own: 60.00</title>" in text
    assert "<title>ISTA, published: 10.72</title>" in text
    listed = outline_of(line_list(LINES))
    assert [a["value"] for a in listed.all("li")] == ["1", "2", "3", "4"]
    assert "any: 58.4" in listed.text
    assert line_list([]) == ""


def numbers(text):
    """The numbers at the ends of reference lines, and where they stand."""
    return [(int(n), float(y)) for y, n in re.findall(r'<text class="tick" x="621" y="([\d.]+)">(\d+)</text>', text)]


def test_numbers_of_lines_that_coincide_are_moved_apart():
    for scores in ([100.0] * 12, [100, 99.9, 50, 49.9, 49.8], [60.0, 60.1], list(range(60, 100))):
        found = numbers(chart(entries_of(row()), many_lines(*scores), SPEED, "x"))
        assert [n for n, _ in found] == list(range(1, len(scores) + 1))
        places = [y for _, y in found]
        assert all(b - a >= 11.9 for a, b in pairwise(places))
    assert spread([10, 20, 300], 0, 400) == [10, 22, 300]
    assert spread([390, 395, 399], 0, 400) == [376, 388, 400]
    assert spread([], 0, 400) == []


def boxes_of(text):
    """Where names stand, taken narrower than they are drawn, so that only true overlaps count."""
    found = []
    for kind, x, y, name in re.findall(r'class="name ?(\w*)" data-r="\d+" x="(\d+)" y="(\d+)">(.*?)</text>', text):
        width, right = 5.5 * len(name), float(x)
        left = right - {"": 0, "end": width, "middle": width / 2}[kind]
        found.append((left, float(y) - 9, left + width, float(y)))
    return found


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize("cost", [SPEED, PARAMETERS], ids=lambda cost: cost.title)
def test_no_name_of_the_committed_charts_lies_over_a_line_a_point_or_another_name(cost):
    shown = board(standing(read_rows(LEADERBOARD / "leaderboard.csv")), published_rows(), lines=read_lines(LEADERBOARD))
    names = 0
    for table in shown.tables:
        text = chart(dict(enumerate(shown.entries(table))), shown.lines_of(table), cost, table)
        places = boxes_of(text)
        names += len(places)
        across = [float(y) for y in re.findall(r'd="M44 ([\d.]+)H', text)]
        dots = [(float(x), float(y)) for x, y in re.findall(r'cx="(\d+)" cy="(\d+)"', text)]
        for index, box in enumerate(places):
            assert not any(box[1] < y < box[3] for y in across)
            assert not any(overlap(box, (x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS)) for x, y in dots)
            assert not any(overlap(box, other) for other in places[:index])
            assert 0 <= box[0] < box[2] <= WIDTH
            assert 0 <= box[1] < box[3] <= HEIGHT
    assert names > 60
