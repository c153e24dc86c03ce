"""Frames side by side, with targets and detections."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from csist_bench.plots import frames
from csist_bench.plots.frames import frames_picture, missed_targets

RNG = np.random.default_rng(3)
FRAMES = RNG.uniform(0, 100, (5, 11, 11))
TARGETS = np.stack([np.stack([[4.0, 5.0], [4.4, 5.2], [np.nan, np.nan]])] * 5)
FOUND = [np.array([[4.1, 5.0], [4.4, 5.3]])] * 4 + [np.zeros((0, 2))]


def test_the_picture_grows_with_the_number_of_frames(tmp_path):
    sizes = []
    for count in (1, 2, 5):
        frames_picture(FRAMES[:count], TARGETS[:count], FOUND[:count], tmp_path / "picture.png")
        sizes.append(struct.unpack(">II", (tmp_path / "picture.png").read_bytes()[16:24]))
    (one, height), (two, same), (five, taller) = sizes
    assert one < two < five
    assert height == same < 0.7 * taller


@pytest.fixture
def panels(monkeypatch):
    """The first panel of each picture, in place of its file."""
    seen = []
    monkeypatch.setattr(frames, "save", lambda figure, path: seen.append(figure.axes[0]))
    return seen


def test_each_detection_and_target_is_a_mark_of_its_own(panels):
    for count, missed in ((0, 2), (1, 1), (2, 0)):
        frames_picture(FRAMES[:1], TARGETS[:1], [FOUND[0][:count]], "a.png")
        marks = {}
        for line in panels[-1].lines:
            at = np.isfinite(line.get_xydata()).all(axis=1)
            marks[line.get_label()] = int(at.sum())
        assert marks["detection"] == count
        assert (marks.get("target", 0), marks.get("missed target", 0)) == (2 - missed, missed)


def test_a_target_that_no_detection_points_at_is_missed():
    targets = np.array([[4.0, 5.0], [4.4, 5.0], [np.nan, np.nan]])
    near = np.array([[4.05, 5.0]])
    assert missed_targets(targets, near).tolist() == [False, True, False]
    between = np.array([[4.25, 5.0]])  # within 0.25 px of both: it is the nearer one's
    assert missed_targets(targets, between).tolist() == [True, False, False]
    assert missed_targets(targets, near + 2).tolist() == [True, True, False]
    assert missed_targets(targets, np.zeros((0, 2))).tolist() == [True, True, False]
    assert missed_targets(targets[2:], near).tolist() == [False]


def drawn(tmp_path, name, **more):
    frames_picture(FRAMES[:1], TARGETS[:1], FOUND[:1], tmp_path / name, **more)
    return (tmp_path / name).read_text()


def test_errors_are_ellipses_of_two_standard_errors(tmp_path):
    none, unknown = drawn(tmp_path, "a.svg"), drawn(tmp_path, "b.svg", errors=[np.full((2, 2), np.nan)])
    known = drawn(tmp_path, "c.svg", errors=[np.array([[0.1, 0.05], [np.nan, np.nan]])])
    assert none == unknown
    assert known.count("<path") > none.count("<path")
    assert "its 2 standard errors" in known
    assert "its 2 standard errors" not in none


def test_all_frames_have_one_scale_and_axes_their_unit(tmp_path):
    text = drawn(tmp_path, "a.svg")
    for said in ("x, px", "y, px", "grey levels", "target", "detection"):
        assert f"<!-- {said} -->" in text
    assert "missed target" not in text
    frames_picture(FRAMES[:1], TARGETS[:1] + 1, FOUND[:1], tmp_path / "b.svg")
    assert "<!-- missed target -->" in (tmp_path / "b.svg").read_text()


def test_the_window_is_moved_into_the_frame(panels):
    for place, left in (((0.0, 5.0), -0.5), ((5.0, 5.0), 3.9), ((-3.0, 5.0), -4.1)):  # the last one lies outside
        frames_picture(FRAMES[:1], np.array([[place]]), [], "a.png")
        np.testing.assert_allclose(panels[-1].get_xlim(), (left, left + 2 * frames.MARGIN), atol=1e-9)
