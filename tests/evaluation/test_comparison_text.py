"""Comparisons in words and in tables."""

from __future__ import annotations

import csv
import io

import pytest

from csist_bench.evaluation.comparison import Comparison, Contender, Difference, Pair, compare_files
from csist_bench.evaluation.comparison_text import (
    FRAMES_LISTED,
    comparison_csv,
    comparison_latex,
    comparison_markdown,
    comparison_text,
    p_text,
)
from tests.helpers.noisy_answers import crowded_truth, noisy_answers
from tests.helpers.scenes import detections_of, truth_of

NAN = float("nan")


@pytest.fixture(scope="module")
def two() -> Comparison:
    truth = crowded_truth(12)
    files = [("first", noisy_answers(truth, 0.12)), ("second", noisy_answers(truth, 0.06, seed=1))]
    return compare_files(files, truth, resamples=50, data="set.zarr")


@pytest.fixture(scope="module")
def with_published() -> Comparison:
    methods = (
        Contender("A & co_1", (50.0, 10.0, 20.0, 50.0, 80.0, 90.0), ((49.0, 51.0),), 3.0),
        Contender("Paper", (60.0, 10.0, 20.0, 70.0, 95.0, 99.0), published=True),
        Contender("=B", (70.004, 30.0, 20.0, 70.0, 99.0, 99.0), ((69.0, 71.0),), 2.5),
    )
    pairs = tuple(
        Pair("A & co_1", name, (Difference("cso_map", (50.0, score), low, high, p),))
        for name, score, low, high, p in (("Paper", 60.0, NAN, NAN, NAN), ("=B", 70.004, 18.0, 22.0, 1e-9))
    )
    return Comparison(methods, pairs, "here", "the jackknife")


def test_the_terminal_shows_scores_changes_groups_and_frames(two):
    lines = comparison_text(two).splitlines()
    assert lines[0] == "set.zarr"
    assert lines[2].split()[:5] == ["method", "CSO-mAP", "95", "%", "AP05"]
    assert lines[3].startswith(f"first   {two.contenders[0].scores[0]:8.2f}")
    assert "second against first" in lines
    change = next(line for line in lines if line.startswith("CSO-mAP  "))
    assert f"{two.pairs[0].main.difference:+.2f}" in change
    assert any(line.startswith("  K = 2 ") for line in lines)
    assert any(line.startswith("  only second: ") and "trajectory:frame" in line for line in lines)
    assert lines[-1] == f"Intervals (95 %) and p: {two.basis}."


@pytest.mark.parametrize("more", [0, 1])
def test_frames_beyond_those_listed_are_dots(more):
    n = FRAMES_LISTED + more
    truth = truth_of([[(5, 5)]] * (n + 1), n + 1, 1)
    right = detections_of([(i, 0, 5, 5, 1) for i in range(n + 1)])
    wrong = detections_of([(i, 0, 8 if i else 5, 5, 1) for i in range(n + 1)])
    text = comparison_text(compare_files([("right", right), ("wrong", wrong)], truth, resamples=5))
    line = next(line for line in text.splitlines() if line.startswith("  only right: "))
    shown = ", ".join(f"{i}:0" for i in range(1, FRAMES_LISTED + 1))
    assert line == f"  only right: {n} (trajectory:frame {shown}{' ...' if more else ''})"


def test_what_is_not_known_is_a_dash(with_published):
    text = comparison_text(with_published)
    paper = next(line for line in text.splitlines() if line.startswith("Paper "))
    assert paper.split()[:3] == ["Paper", "60.00", "-"]
    assert paper.endswith(" -")
    change = text[text.index("Paper against") :].splitlines()[2]
    assert change.split() == ["CSO-mAP", "+10.00", "-", "-"]


def test_markdown_marks_the_best_and_the_second_by_what_is_shown(with_published):
    lines = comparison_markdown(with_published).splitlines()
    assert len({line.count(" | ") for line in lines[:1] + lines[2:5]}) == 1
    assert lines[2].startswith("| A & co_1 | 50.00 | <u>10.00</u> | **20.00** | <u>50.00</u> |")
    assert lines[3].startswith("| =B | **70.00** | **30.00** | **20.00** | **70.00** | **99.00** | **99.00** | 2.50 |")
    assert lines[4].startswith("| *Paper* (published) | <u>60.00</u> |")
    assert lines[3].endswith("| +20.00 | +18.00 to +22.00 | < 0.001 |")
    assert lines[-1] == "Changes are against A & co_1: the jackknife."


def test_latex_is_a_whole_booktabs_table_with_published_rows_apart(with_published):
    text = comparison_latex(with_published)
    lines = text.splitlines()
    begin = next(line for line in lines if line.startswith(r"\begin{tabular}"))
    columns = begin.count("r}") + begin.count("r") - begin.count("r}") - begin.count("tabular")
    rows = [line for line in lines if line.endswith(r" \\") and "multicolumn" not in line]
    assert {row.count(" & ") for row in rows} == {columns}
    assert rows[1].startswith(r"A \& co\_1 & 50.00 & \underline{10.00} &")
    assert r"\textbf{70.00}" in rows[2]
    assert "$+18.00$ to $+22.00$ & $<$ 0.001" in rows[2]
    published = lines.index(next(line for line in lines if "Published figures" in line))
    assert lines[published - 1] == r"\midrule"
    assert lines[published + 1].startswith("Paper & ")
    assert [line for line in lines if line in (r"\toprule", r"\bottomrule", r"\end{tabular}")] == [
        r"\toprule", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip


def test_csv_holds_whole_figures_and_no_formula(with_published):
    rows = list(csv.DictReader(io.StringIO(comparison_csv(with_published))))
    assert [row["method"] for row in rows] == ["A & co_1", "Paper", "'=B"]
    assert (rows[2]["cso_map"], rows[2]["change_low"], rows[2]["p"]) == ("70.004", "18.0", "1e-09")
    assert (rows[0]["change"], rows[1]["p"], rows[1]["cso_map_low"], rows[1]["published"]) == ("", "", "", "1")


@pytest.mark.parametrize(("p", "text"), [(0.0, "< 0.001"), (0.0016, "0.002"), (1.0, "1.000"), (NAN, "-")])
def test_p_is_written_with_three_digits(p, text):
    assert p_text(p) == text
