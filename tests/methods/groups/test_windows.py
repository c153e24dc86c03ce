"""Windows about groups."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.methods.groups.detection import FrameGroups
from csist_bench.methods.groups.following import Track
from csist_bench.methods.groups.windows import WindowRule, least_side, windows_of
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics

SHAPE = (100, 120)
CAMERA = Camera(Optics(0.5))


def frame_of(*boxes):
    centre = np.array([[(b[0] + b[1]) / 2, (b[2] + b[3]) / 2] for b in boxes])
    return FrameGroups(np.zeros((1, 1)), 1.0, centre, np.array(boxes), np.ones(len(boxes)), np.zeros((0, 3), np.int64))


def track_of(found, first=0):
    members = [0] * len(found)
    return Track(first, members, [tuple(one.centre[0].tolist()) for one in found])


def windows(found, together, only=None):
    return list(windows_of([track_of(found)], found, WindowRule.of(CAMERA, SHAPE, together, only)))


def holds(window, box, margin=1):
    return (
        window.row <= box[0] - margin
        and box[1] + margin < window.row + window.side
        and window.column <= box[2] - margin
        and box[3] + margin < window.column + window.side
    )


@pytest.mark.parametrize(("psf_sigma", "side"), [(0.3, 11), (0.5, 11), (0.8, 13), (1.0, 15), (2.0, 27)])
def test_windows_grow_with_the_psf(psf_sigma, side):
    assert least_side(Camera(Optics(psf_sigma))) == side


def test_a_window_is_centred_on_its_group_and_follows_it_by_whole_pixels():
    boxes = [(40 + t, 42 + t, 60, 62) for t in range(4)]
    cut = windows([frame_of(box) for box in boxes], together=False)
    assert [(w.first, w.row, w.column, w.side, w.fit) for w in cut] == [(t, 36 + t, 56, 11, 0) for t in range(4)]


def test_a_window_holds_the_light_of_a_large_group_and_says_what_side_that_needs():
    box = (40, 53, 60, 70)
    (window,) = windows([frame_of(box)], together=False)
    assert window.side == 17
    assert window.fit == 15
    assert holds(window, box)


def test_windows_stay_inside_the_frame():
    for box in ((0, 2, 0, 1), (97, 99, 118, 119), (0, 1, 60, 63)):
        (window,) = windows([frame_of(box)], together=False)
        assert 0 <= window.row <= SHAPE[0] - window.side
        assert 0 <= window.column <= SHAPE[1] - window.side
        assert holds(window, box, margin=0)


def test_sequences_get_one_window_while_the_group_stays_within():
    boxes = [(40 + t // 2, 42 + t // 2, 60, 62) for t in range(20)]
    (window,) = windows([frame_of(box) for box in boxes], together=True)
    assert len(window.members) == 20
    assert window.side == 15
    assert all(holds(window, box) for box in boxes)


def test_fast_groups_and_networks_are_answered_in_runs():
    boxes = [(20 + 2 * t, 22 + 2 * t, 60, 62) for t in range(30)]
    found = [frame_of(box) for box in boxes]
    for only in (None, 11):
        cut = windows(found, together=True, only=only)
        assert len(cut) > 1
        assert sum(len(w.members) for w in cut) == 30
        assert [w.first for w in cut] == np.cumsum([0, *(len(w.members) for w in cut)])[:-1].tolist()
        for window in cut:
            assert only is None or window.side == only
            assert all(holds(window, boxes[t]) for t in range(window.first, window.first + len(window.members)))


def test_a_narrow_frame_has_narrow_windows():
    rule = WindowRule.of(CAMERA, (8, 200), together=False)
    assert (rule.least, rule.largest) == (7, 7)
