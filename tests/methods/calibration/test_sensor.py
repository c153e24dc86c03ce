"""Background, noise, clipping and bad pixels, from frames without any fit."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.methods.calibration.sensor import (
    background_of,
    bad_pixels_of,
    photon_transfer,
    rough_gain,
    saturation_of,
)
from csist_bench.methods.fitting.misfit import Explained
from tests.helpers.unknown_sensors import foreign_sequences


def noise_alone(shape=(20, 10, 11, 11), level=0.0, sigma=3.0, seed=0):
    return np.random.default_rng(seed).normal(level, sigma, shape)


@pytest.mark.parametrize("level", [0.0, 100.0])
def test_noise_alone_tells_level_and_noise_within_their_errors(level):
    found = background_of(noise_alone(level=level), None)
    assert found.law == ("level" if level else "none")
    assert abs(found.level - level) < 4 * found.error
    assert abs(found.noise_sigma - 3) < 4 * found.noise_error
    assert found.noise_error < 0.05


def test_a_level_that_drifts_is_constant_in_each_frame():
    drifts = np.random.default_rng(1).normal(0, 5, (20, 10, 1, 1))
    assert background_of(noise_alone(level=50) + drifts, None).law == "constant"


def test_a_slope_is_a_plane():
    slope = 0.5 * np.arange(11)
    assert background_of(noise_alone() + slope, None).law == "plane"


def test_targets_do_not_pass_for_a_background():
    frames, _, _ = foreign_sequences(np.random.default_rng(0), n=20, frames=5, level=30)
    found = background_of(frames, None)
    assert found.law == "level"
    assert abs(found.level - 30) < 0.5


def test_a_pile_up_at_the_top_is_saturation():
    frames, _, _ = foreign_sequences(np.random.default_rng(0), n=20, frames=5)
    assert saturation_of(np.minimum(frames, 60.0)) == 60.0
    assert saturation_of(frames) is None
    assert saturation_of(np.rint(frames)) is None


def test_hot_noisy_and_dead_pixels_are_bad_and_no_others():
    frames, _, _ = foreign_sequences(np.random.default_rng(0), n=30, frames=5, level=100)
    frames[..., 1, 2] += 200
    frames[..., 3, 9] = 100
    frames[..., 8, 1] += np.random.default_rng(1).normal(0, 60, frames.shape[:2])
    bad = bad_pixels_of(frames)
    assert {tuple(place) for place in np.argwhere(bad).tolist()} == {(1, 2), (3, 9), (8, 1)}


def test_a_pixel_where_sharp_targets_often_stand_is_not_bad_unless_it_is_hot():
    frames, _, _ = foreign_sequences(np.random.default_rng(0), n=30, frames=5, psf_sigma=(0.3, 0.3), radius=0.1)
    turned = np.concatenate([frames, frames[..., ::-1, :], frames[..., ::-1], frames[..., ::-1, ::-1]])
    assert not bad_pixels_of(turned).any()
    turned[..., 5, 5] += 500
    assert [tuple(place) for place in np.argwhere(bad_pixels_of(turned)).tolist()] == [(5, 5)]


def test_few_frames_tell_no_bad_pixels():
    assert bad_pixels_of(noise_alone((1, 10, 11, 11))) is None


@pytest.mark.parametrize("gain", [0.0, 0.1])
def test_photon_transfer_finds_noise_and_gain_within_their_errors(gain):
    rng = np.random.default_rng(2)
    light = rng.uniform(0, 300, (200, 11, 11))
    frames = light + rng.normal(size=light.shape) * np.sqrt(4 + gain * light)
    nothing = np.zeros(200)
    explained = Explained(light, np.zeros((200, 3)), nothing, nothing, nothing.astype(int))
    found = photon_transfer(frames, explained, 0.0, np.zeros_like(light), np.ones(light.shape, bool))
    assert abs(found.noise_sigma[0] - 2) < 4 * found.noise_sigma[1]
    assert abs(found.gain[0] - gain) < 4 * found.gain[1]
    assert (found.gain[0] == 0) == (gain == 0)


@pytest.mark.parametrize("gain", [0.0, 0.2])
def test_differences_over_time_show_the_gain_before_any_fit(gain):
    frames, _, _ = foreign_sequences(np.random.default_rng(0), n=20, gain=gain, level=10)
    found = rough_gain(frames, np.inf, None)
    assert found == pytest.approx(gain, rel=0.15, abs=0.005)
    assert rough_gain(frames[:, :2], np.inf, None) == 0.0
    assert rough_gain(np.zeros((2, 5, 7, 7)), np.inf, None) == 0.0
