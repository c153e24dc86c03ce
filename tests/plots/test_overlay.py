"""Frames with the detections of their groups."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.plots.overlay import overlay_picture


def found_in(places, group=None, sigma=None):
    x, y = np.array(places, float).reshape(-1, 2).T
    none = np.zeros(len(x), np.int64)
    errors = None if sigma is None else np.full(len(x), sigma)
    return Detections(none, none, x, y, np.ones(len(x)), sigma_x=errors, sigma_y=errors, group=group)


@pytest.mark.parametrize("sigma", [None, 0.3, np.nan])
def test_a_frame_is_drawn_with_its_groups(tmp_path, sigma):
    frame = np.random.default_rng(0).normal(0, 1, (60, 90))
    frame[30, 40] = 200
    found = found_in([(40, 30), (41, 30), (88, 2)], np.array([0, 0, 3]), sigma)
    plain, drawn = tmp_path / "plain.png", tmp_path / "drawn.png"
    overlay_picture(frame, found_in([]), plain, "frame")
    overlay_picture(frame, found, drawn, "frame")
    assert np.ptp(np.asarray(Image.open(drawn).convert("L"))) > 200
    assert plain.read_bytes() != drawn.read_bytes()


def test_many_groups_and_none_are_drawn(tmp_path):
    frame = np.zeros((50, 50))
    places = [(5 + 3 * n, 20) for n in range(15)]
    overlay_picture(frame, found_in(places, np.arange(15)), tmp_path / "many.png")
    overlay_picture(frame, found_in(places[:2]), tmp_path / "one.png")
    with pytest.raises(InputError, match="frame must have shape"):
        overlay_picture(frame[None], found_in([]), tmp_path / "wrong.png")
