"""What a file may have meant: said, and never applied."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.evaluation.hints import hint
from csist_bench.evaluation.report import DetailOptions, Provenance, evaluate
from csist_bench.evaluation.report_text import report_text
from csist_bench.evaluation.truth import Truth


@pytest.fixture(scope="module")
def truth():
    """60 trajectories of 4 frames of two targets that drift by 0.2 px a frame; no mirror image of themselves."""
    rng = np.random.default_rng(0)
    start, step = rng.uniform((2, 5), (6, 9), (60, 1, 2, 2)), rng.normal(0, 0.2, (60, 1, 2, 2))
    xy = start + step * np.arange(4)[:, None, None]
    return Truth.from_arrays(xy, np.ones((60, 4, 2)), np.full((60, 4), 2), range(1, 4))


@pytest.fixture(scope="module")
def right(truth):
    """The targets themselves, in the scored frames."""
    t, f, k = np.indices((60, 3, 2)).reshape(3, -1)
    xy = truth.xy[t, f + 1, k]
    return Detections(t, f + 1, xy[:, 0].copy(), xy[:, 1].copy(), np.ones(len(t)))


def moved(found, scale=1.0, offset=0.0, swapped=False):
    x, y = found.x * scale + offset, found.y * scale + offset
    return replace(found, x=y, y=x) if swapped else replace(found, x=x, y=y)


@pytest.mark.parametrize(
    ("change", "means", "remedy"),
    [
        ({"swapped": True}, "has x and y swapped", "pass --axes yx"),
        ({"offset": 0.5}, "counts positions from the corner of pixel (0, 0)", "pass --origin corner"),
        ({"offset": 1.0}, "gives positions that are 1 px too large", "take 1 px from x and y"),
        ({"offset": -1.0}, "gives positions that are 1 px too small", "add 1 px to x and y"),
        ({"offset": -0.5}, "gives positions that are 0.5 px too small", "add 0.5 px to x and y"),
        (
            {"swapped": True, "offset": 0.5},
            "has x and y swapped and counts positions from the corner of pixel (0, 0)",
            "pass --axes yx --origin corner",
        ),
        (
            {"swapped": True, "offset": 1.0},
            "has x and y swapped and gives positions that are 1 px too large",
            "pass --axes yx and take 1 px from x and y",
        ),
        (
            {"scale": 3.0, "offset": 1.0},
            "gives nodes of the 3-fold grid in place of px, counted from 0",
            "take (x - 1) / 3 and the same of y",
        ),
        (
            {"scale": 3.0, "offset": 2.0, "swapped": True},
            "has x and y swapped and gives nodes of the 3-fold grid in place of px, counted from 1",
            "pass --axes yx and take (x - 2) / 3 and the same of y",
        ),
    ],
)
def test_positions_of_another_convention_are_told(truth, right, change, means, remedy):
    said = hint(moved(right, **change), truth, 3)
    assert said.startswith(f"if the file {means}, it would score CSO-mAP 100.0 in place of ")
    assert said.endswith(f"(on 50 trajectories); {remedy}")


def test_frames_counted_from_1_are_told(truth, right):
    late = replace(right, frame=right.frame + 1)
    inside = late.select(late.frame < 4)
    assert "if the file counts frames from 1, it would score CSO-mAP" in hint(inside, truth, 3)
    assert hint(inside, truth, 3).endswith("pass --first-frame 1")


def test_a_frame_0_is_no_frame_counted_from_1(truth, right):
    first = replace(right, frame=right.frame - 1)
    assert first.frame.min() == 0
    assert hint(first, truth, 3) == ""


def test_another_split_is_told_and_a_split_that_cannot_be_is_left_out(truth, right):
    rng = np.random.default_rng(1)
    here = Truth.from_arrays(rng.uniform(2, 9, (60, 4, 2, 2)), np.ones((60, 4, 2)), np.full((60, 4), 2), range(1, 4))
    small = Truth.from_arrays(truth.xy[:5], truth.intensity[:5], truth.count[:5], range(1, 4))
    said = hint(right, here, 3, {"train": lambda: small, "val": lambda: truth})
    assert said.startswith("if the file answered the split 'val', it would score CSO-mAP 100.0")
    assert said.endswith("pass --split val")
    assert hint(right, here, 3, {"train": lambda: small}) == ""


def test_a_split_of_fewer_frames_than_were_answered_is_left_out(truth, right):
    rng = np.random.default_rng(1)
    here = Truth.from_arrays(rng.uniform(2, 9, (60, 4, 2, 2)), np.ones((60, 4, 2)), np.full((60, 4), 2), range(1, 4))
    short = Truth.from_arrays(truth.xy[:, :2], truth.intensity[:, :2], truth.count[:, :2], range(1, 2))
    assert right.frame.max() > 1
    assert hint(right, here, 3, {"train": lambda: short}) == ""


@pytest.mark.parametrize("n", [1, 3])
def test_few_trajectories_are_all_tried_from_their_first_frame_on(truth, n):
    few = Truth.from_arrays(truth.xy[:n], truth.intensity[:n], truth.count[:n], range(4))
    t, f, k = np.indices((n, 4, 2)).reshape(3, -1)
    x, y = few.xy[t, f, k].T
    swapped = Detections(t, f, y.copy(), x.copy(), np.ones(len(t)))
    said = hint(swapped, few, 3)
    assert "would score CSO-mAP 100.0 in place of" in said
    assert f"(on {n} trajectories)" in said
    only_first = swapped.select(swapped.trajectory == 0)
    assert f"would score CSO-mAP {'100.0' if n == 1 else '33.'}" in hint(only_first, few, 3)


def test_a_file_that_is_right_or_only_bad_gets_no_hint(truth, right):
    assert hint(right, truth, 3) == ""
    rng = np.random.default_rng(2)
    assert hint(replace(right, x=rng.uniform(2, 9, len(right)), y=rng.uniform(2, 9, len(right))), truth, 3) == ""
    assert hint(Detections.empty(), truth, 3) == ""


def test_a_file_read_by_options_is_asked_about_them(truth, right):
    swapped = Provenance(conventions="x and y swapped")
    report = evaluate(moved(right, swapped=True), truth, provenance=swapped)
    assert report.hint.endswith("it was read with x and y swapped: are those options right?")


def test_the_report_says_the_hint_and_does_not_apply_it(truth, right):
    report = evaluate(moved(right, swapped=True), truth)
    assert report.cso_map < 5
    assert report.to_dict()["hint"] == report.hint
    assert f"hint: {report.hint}\n" in report_text(report)
    assert evaluate(right, truth).to_dict()["hint"] is None


def test_other_splits_are_read_only_where_the_score_is_low_or_a_report_is_asked_for(truth, right):
    asked = []

    def load():
        asked.append(1)
        return truth

    options = DetailOptions(bootstrap=0, others={"val": load})
    evaluate(right, truth, options=options)
    assert not asked
    evaluate(moved(right, swapped=True), truth, options=options)
    assert len(asked) == 1
    evaluate(right, truth, options=options, full=True)
    assert len(asked) == 2
