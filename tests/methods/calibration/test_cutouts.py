"""Sequences cut out of large frames: alone, whole, at one place."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.methods.calibration.cutouts import are_cutouts, group_sequences
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_frames import add_spot

CAMERA = Camera(Optics(0.7), noise_sigma=1.0)


def frames_with(spots, frames=10, shape=(60, 80)):
    """Return (1, T, H, W) of noise with spots (x, y) of 500 grey levels."""
    images = np.random.default_rng(0).normal(50, 1, (frames, *shape))
    for image in images:
        for x, y in spots:
            add_spot(image, x, y, 500, (0.6, 0.6))
    return images[None]


@pytest.mark.parametrize("shape, cut", [((11, 11), True), ((21, 21), True), ((23, 23), False), ((11, 12), False)])
def test_small_squares_are_taken_as_they_are(shape, cut):
    assert are_cutouts(shape) == cut


def test_a_group_is_cut_out_with_its_background():
    sequences = group_sequences(frames_with([(30, 20)]), CAMERA, None)
    assert sequences.shape[:2] == (1, 10)
    side = sequences.shape[2]
    assert side % 2 == 1
    assert np.unravel_index(sequences.mean(axis=(0, 1)).argmax(), (side, side)) == (side // 2, side // 2)
    assert sequences[..., 0, 0].mean() == pytest.approx(50, abs=2)


def test_groups_that_are_near_to_each_other_or_to_the_border_are_left_out():
    assert len(group_sequences(frames_with([(30, 20), (38, 20), (60, 40), (2, 50)]), CAMERA, None)) == 1


def test_windows_with_bad_pixels_are_left_out():
    bad = np.zeros((60, 80), bool)
    bad[18, 28] = True
    assert len(group_sequences(frames_with([(30, 20), (60, 40)]), CAMERA, bad)) == 1


def test_frames_without_groups_give_none():
    assert len(group_sequences(frames_with([]), CAMERA, None)) == 0
