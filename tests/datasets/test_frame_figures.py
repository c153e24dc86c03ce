"""The figures of frames, the pile of saturated pixels among them."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.datasets.frame_figures import frame_figures, saturated_share
from csist_bench.datasets.frame_files import BareFrames


@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_a_pile_at_the_top_is_seen(kind):
    values = np.random.default_rng(0).uniform(500, 1500, (20, 32, 32))
    clipped = np.minimum(values, 1200).astype(kind)
    expected = np.mean(clipped == 1200)
    assert expected > 0.1
    assert saturated_share(clipped) == expected
    faint = np.random.default_rng(0).exponential(100, (20, 32, 32)).astype(kind)
    assert saturated_share(faint) == 0.0


def test_dark_and_constant_frames_are_not_saturated():
    assert saturated_share(np.full((2, 11, 11), 7)) == 0.0
    assert saturated_share(np.zeros((2, 11, 11), np.float32)) == 0.0


def test_few_pixels_are_no_pile():
    frames = np.zeros((2, 11, 11), np.uint16)
    frames.flat[:9] = 4095
    assert saturated_share(frames) == 0.0
    frames.flat[9] = 4095
    assert saturated_share(frames) == 10 / frames.size


def test_whole_numbers_are_told_from_others():
    for values, whole in ((np.full((5, 5), 2.0), True), (np.full((5, 5), 2.5), False), (np.full((5, 5), 2), True)):
        figures = frame_figures(BareFrames.of(values))
        assert figures["whole_numbers"] is whole
        assert figures["dtype"] == values.dtype.name
        assert figures["min"] == figures["median"] == figures["max"] == values[0, 0]
