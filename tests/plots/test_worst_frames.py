"""The worst frames: which are shown, and where."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from csist_bench.evaluation import frame_table as fate
from csist_bench.evaluation.report import DetailOptions, evaluate
from csist_bench.plots.worst_frames import Shown, worst_frames, worst_frames_figure, worst_frames_html
from tests.helpers.reports import read_image, report_of
from tests.helpers.scenes import detections_of, truth_of


def test_the_worst_come_first_and_one_of_each_trajectory():
    # Trajectory 0 misses two of three frames, trajectory 1 is slightly off once and wrong in none.
    truth = truth_of([[(5, 5)], [(5, 5), (6, 6)], [(5, 5)], [(5, 5)], [(5, 5)], [(5, 5)]], 2, 3)
    rows = [(0, 0, 5, 5, 1), (1, 0, 5.4, 5, 1), (1, 1, 5, 5, 1), (1, 2, 5, 5, 1)]
    report = evaluate(detections_of(rows), truth, full=True, options=DetailOptions(bootstrap=0))
    shown = worst_frames(report.details, lambda trajectory, frame: np.full((11, 11), 10 * trajectory + frame))
    assert [(one.trajectory, one.frame, one.wrong) for one in shown] == [(0, 1, "2 missed"), (1, 0, "1 displaced")]
    assert [one.image[0, 0] for one in shown] == [1, 10]
    assert [one.trajectory for one in worst_frames(report.details, read_image_of_nothing, 1)] == [0]


def read_image_of_nothing(trajectory, frame):
    return np.zeros((3, 3))


def test_targets_and_answers_carry_their_fates():
    shown = {one.trajectory: one for one in worst_frames(report_of().details, read_image)}
    doubled = shown[4]
    assert doubled.targets.tolist() == [[5, 5], [7, 7]]
    assert doubled.target_fates.tolist() == [fate.FOUND, fate.FOUND]
    assert sorted(doubled.answer_fates.tolist()) == [fate.HIT, fate.HIT, fate.DOUBLED]
    assert shown[1].target_fates.tolist() == [fate.MISSED]


def one_of(image, targets, answers=(), fates=()):
    targets = np.array(targets, dtype=float).reshape(-1, 2)
    answers = np.array(answers, dtype=float).reshape(-1, 2)
    found = np.full(len(targets), fate.MISSED)
    return Shown(3, 4, 0.2, "1 missed", image, targets, found, answers, np.array(fates, dtype=int))


def test_the_window_holds_targets_and_the_answers_that_belong_to_them():
    image = np.zeros((64, 64))
    left, top, wide, high = one_of(
        image, [(30, 30), (31, 30)], [(31.4, 30), (2, 60)], [fate.MOVED, fate.FALSE]
    ).window()
    assert wide == high == pytest.approx(1.4 + 2 * 0.9)
    assert left == pytest.approx(30 - 0.9)
    assert top + high / 2 == pytest.approx(30)
    assert one_of(image, [], [(2, 60)], [fate.FALSE]).window() == (-0.5, -0.5, 64, 64)
    assert one_of(image, [(30, 30)], [(32, 30)], [fate.FALSE]).window()[2] == pytest.approx(2 + 2 * 0.9)


def test_the_picture_of_a_page_is_the_part_of_the_frame_in_its_place():
    image = np.arange(64.0 * 48).reshape(48, 64)
    text = worst_frames_html([one_of(image, [(20, 10)])])
    left, top, wide, high = (float(v) for v in re.search(r'<svg viewBox="([^"]*)"', text)[1].split())
    x, y, width, height = (
        float(v) for v in re.findall(r'x="([^"]*)" y="([^"]*)" width="(\d+)" height="(\d+)"', text)[0]
    )
    content = base64.b64decode(re.search(r"base64,([^\"]*)", text)[1])
    grey = np.asarray(Image.open(io.BytesIO(content)))
    assert grey.shape == (height, width)
    assert x <= left
    assert y <= top
    assert x + width >= left + wide
    assert y + height >= top + high
    rows, columns = int(y + 0.5), int(x + 0.5)
    part = image[rows : rows + grey.shape[0], columns : columns + grey.shape[1]]
    np.testing.assert_array_equal(grey, (255 * part / image.max()).astype(np.uint8))


@pytest.mark.parametrize("target", [(0.0, 0.0), (-3.0, 5.0), (10.4, 10.4), (14.0, 14.0)])
def test_targets_at_and_beyond_the_edge_are_drawn(target):
    assert "<image" in worst_frames_html([one_of(np.ones((11, 11)), [target])])


def test_images_of_one_value_or_with_blank_pixels_are_drawn(tmp_path):
    blank = np.full((11, 11), 7.0)
    blank[3, 3] = np.nan
    shown = [one_of(blank, [(5, 5)]), one_of(np.zeros((11, 11)), [(5, 5)], [(5, 5)], [fate.HIT])]
    assert worst_frames_html(shown).count("<figure") == 2
    worst_frames_figure(shown).savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
