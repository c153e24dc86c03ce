"""The chart of the overview: CSO-mAP against noise."""

from __future__ import annotations

import re
from itertools import pairwise

from csist_bench import files
from csist_bench.leaderboard import published_rows, read_rows, standing
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.matrix import matrix
from csist_bench.leaderboard.noise_chart import noise_chart, noise_series
from csist_bench.leaderboard.page_data import numbered
from tests.helpers.outline import Outline
from tests.helpers.rows import row


def prepared(rows, published=()):
    shown = board(rows, published)
    return numbered(shown), [line for section in matrix(shown) for line in section.lines]


def noisy(method, *scores, **about):
    """Rows of a method at noise 0, 1, 2, ..."""
    names = ["seqcsist", *(f"seqcsist-noise sigma={n}" for n in range(1, 7))]
    return [row(method=method, dataset=names[n], cso_map=s, **about) for n, s in enumerate(scores) if s is not None]


def test_a_method_with_all_three_levels_has_a_line_through_every_level_it_stands_at():
    tables, lines = prepared([*noisy("A", 90, 80, 70, None, 60, 50), *noisy("B", 99, None, 50)])
    (series,) = noise_series(tables, lines)
    assert series.line.name == "A"
    assert list(series.points) == [0, 1, 2, 4, 5]
    rows = {n: entry.row for entries in tables.values() for n, entry in entries.items()}
    assert [rows[n].cso_map for n in series.points.values()] == [90, 80, 70, 60, 50]
    assert noise_chart(*prepared(noisy("B", 99, None, 50))) == ""


def test_a_point_is_the_better_decoder_by_the_methods_own_ranking():
    rows = noisy("A", 90, 80, 70, 65, 60, 50)
    rows += noisy("A", 95, 10, 75, 60, 65, 55, decoder="polish") + noisy("A", 96, 97, 98, 97, 96, 95, rank="brightness")
    tables, lines = prepared(rows)
    (series,) = noise_series(tables, lines)
    scores = {n: entry.row.cso_map for entries in tables.values() for n, entry in entries.items()}
    assert [scores[n] for n in series.points.values()] == [95, 80, 75, 65, 65, 55]


def test_every_committed_line_is_named_at_its_end_and_no_name_lies_over_another_or_over_a_line():
    rows = standing(read_rows(files.packaged("leaderboard") / "leaderboard.csv"))
    tables, lines = prepared(rows, published_rows())
    text = noise_chart(tables, lines)
    outline = Outline()
    outline.feed(text)
    names = re.findall(r'<text class="name".*? x="(\d+)" y="([\d.]+)">(.*?)</text>', text)
    assert len(names) == len([line for line in lines if line.mean is not None]) > 12
    places = sorted(float(y) for _, y, _ in names)
    assert all(b - a >= 11.9 for a, b in pairwise(places))
    curves = re.findall(r'class="curve.*? d="M(.*?)"', text)
    rightmost = max(float(point.split()[0]) for curve in curves for point in curve.split("L"))
    assert min(float(x) for x, _, _ in names) > rightmost
    assert all(float(x) + 6.5 * len(name) < 900 for x, _, name in names)
    assert "DeRefNet, published" in [name for _, _, name in names]
    assert "ISTA-Net †" in [name for _, _, name in names]
    assert len(outline.all("circle")) == text.count("<title>")
