"""What is said of a PSF that was told wrong, and that nothing is said of one told right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.methods.calibration.check import SAMPLE, can_tell, sample_of, wrong_width
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.unknown_sensors import foreign_sequences

CAMERA = Camera(Optics(0.5), noise_sigma=2.0)


@pytest.fixture(scope="module")
def frames():
    return foreign_sequences(np.random.default_rng(0), n=30, frames=20)[0]


def told(width, **changed):
    return replace(CAMERA, optics=Optics(width), **changed)


def single(frames):
    return frames.reshape(-1, 1, *frames.shape[2:])


@pytest.mark.parametrize("width", [0.47, 0.53])
def test_6_percent_are_said_of_sequences(frames, width):
    said = wrong_width(frames, told(width))
    assert said.startswith("the frames show a PSF of 0.")
    assert f"told {width}; " in said


@pytest.mark.parametrize("width", [0.44, 0.56])
def test_12_percent_are_said_of_single_frames(frames, width):
    said = wrong_width(single(frames), told(width))
    assert said.startswith("the frames show a PSF")
    assert "see csist-bench calibrate" in said


def test_one_width_alone_is_said(frames):
    assert "along y" in wrong_width(frames, replace(told(0.5), psf_sigma_xy=(0.5, 0.53)))


def test_nothing_is_said_of_what_is_right_or_not_known(frames):
    assert wrong_width(frames, CAMERA) == ""
    assert wrong_width(single(frames), CAMERA) == ""
    assert wrong_width(frames, told(0.53, psf_sigma_error=(0.02, 0.02))) == ""  # which said itself that it may be wrong


@pytest.mark.parametrize("law", ["level", "constant"])
def test_frames_without_a_pixel_that_counts_tell_nothing(frames, law):
    clipped = told(0.5, saturation=60.0, background_law=law)
    for seen in (
        np.full_like(frames, 60.0),
        np.where(np.arange(20)[:, None, None] == 3, 60.0, np.minimum(frames, 60.0)),
    ):
        assert wrong_width(seen, clipped) == ""
        assert wrong_width(single(seen), clipped) == ""


def test_where_no_width_explains_the_frames_none_is_named(frames):
    light = 50 * np.random.default_rng(2).random((30, 1, 11, 11))
    said = wrong_width(frames + light, CAMERA)
    assert said.startswith("the frames show a PSF other than that told (0.5 x 0.5 px), or light that the camera does")


def test_intensities_that_are_assumed_are_not_a_law(frames):
    """Sequences tell without one; single frames do not."""
    free, assumed = told(0.53, intensity_free=True), told(0.53, assumed=("intensity",))
    wide = told(0.53, intensity_max=500.0)
    for camera in (free, assumed, wide):
        assert wrong_width(frames, camera).startswith("sequences of the frames show a PSF of 0.")
        assert wrong_width(single(frames), camera) == ""
        assert not can_tell(1, camera)
        assert can_tell(5, camera)


@pytest.mark.parametrize("total, length", [(3, 20), (5_000, 20), (10, 400), (100_000, 1), (9, 1), (700, 3), (1, 1)])
def test_a_sample_is_spread_and_bounded(total, length):
    parts = sample_of(total, length)
    places = np.concatenate([np.arange(*part) for part in parts])
    assert len(np.unique(places)) == len(places)
    assert places[0] == 0
    assert places.max() < total
    assert len(places) * min(length, 20) <= SAMPLE
    assert len(places) == min(total, SAMPLE // min(length, 20)) or length == 3
