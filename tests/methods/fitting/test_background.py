"""The first look at frames of unknown background: robust to groups and bad pixels, and nothing to a plain camera."""

import numpy as np
import pytest

from csist_bench.methods.fitting.background import (
    FLUX_INFLATION,
    dark_camera,
    estimated_background,
    filled_in,
    targets_alone,
)
from csist_bench.methods.group_map.method import GroupMap
from csist_bench.methods.ml_seq.method import SequenceMaximumLikelihood
from csist_bench.simulation.camera import PixelMaps
from tests.helpers.foreign_sequences import SIZE, camera, sequences

SLOPE = (1.5, -0.8)
ROW, COLUMN = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2


def made(level=1000.0, slope=(0.0, 0.0), noise=0.05):
    return sequences(3, count=8, frames=4, level=level, slope=slope, noise=noise).frames.reshape(-1, SIZE, SIZE)


@pytest.mark.parametrize("unknowns,slope", [(1, (0.0, 0.0)), (3, (0.0, 0.0)), (3, SLOPE)])
def test_a_group_in_the_frame_does_not_move_the_background(unknowns, slope):
    found = estimated_background(made(slope=slope), unknowns)
    truth = 1000 + slope[0] * COLUMN + slope[1] * ROW
    assert np.abs(found - truth).max() < 0.1


@pytest.mark.parametrize("unknowns", [1, 3])
def test_with_noise_the_mean_background_is_right(unknowns):
    found = estimated_background(made(noise=2.0), unknowns)
    # 32 frames of some 90 dark pixels at sigma 2 know their mean level to 0.04.
    assert abs(found.mean() - 1000) < 0.3


def test_bad_pixels_are_not_looked_at():
    frames, bad = made(slope=SLOPE), np.zeros((SIZE, SIZE), dtype=bool)
    bad[:3] = bad[7, 9] = True
    spoilt = np.where(bad, frames + 3.0, frames)
    np.testing.assert_array_equal(estimated_background(spoilt, 3, bad), estimated_background(frames, 3, bad))
    assert np.abs(estimated_background(spoilt, 3) - estimated_background(frames, 3)).max() > 1


def test_a_hole_is_filled_with_the_mean_of_its_good_neighbours():
    frames = np.arange(2 * 5 * 4, dtype=float).reshape(2, 5, 4)
    bad = np.zeros((5, 4), dtype=bool)
    bad[0, 0] = bad[2, 1] = bad[2, 2] = True
    found = filled_in(np.where(bad, 1e9, frames), bad)
    for f in range(2):
        for i, j in np.argwhere(bad):
            about = [
                frames[f, r, c]
                for r in range(max(i - 1, 0), min(i + 2, 5))
                for c in range(max(j - 1, 0), min(j + 2, 4))
                if not bad[r, c]
            ]
            assert found[f, i, j] == pytest.approx(np.mean(about), rel=1e-12)
    np.testing.assert_array_equal(found[:, ~bad], frames[:, ~bad])


def test_a_hole_without_good_neighbours_is_dark():
    bad = np.zeros((7, 7), dtype=bool)
    bad[1:6, 1:6] = True
    found = filled_in(np.full((1, 7, 7), 9.0), bad)
    assert (found[0, 2:5, 2:5] == 0).all()
    assert found[0, 1, 1] == 9


def test_a_plain_camera_is_given_its_frames_themselves():
    frames = made()
    assert targets_alone(frames, camera()) is frames
    assert targets_alone(frames, camera(maps=PixelMaps(bad=np.zeros((SIZE, SIZE), dtype=bool)))) is frames
    assert targets_alone(frames, camera(maps=PixelMaps(noise_sigma=np.ones((SIZE, SIZE))))) is frames


def test_only_the_light_of_targets_is_left():
    bad = np.zeros((SIZE, SIZE), dtype=bool)
    bad[1, 1] = True
    frames = made(slope=SLOPE)
    kept = frames.copy()
    alone = targets_alone(frames, camera(background_law="plane", maps=PixelMaps(bad=bad)))
    np.testing.assert_array_equal(frames, kept)
    dark = frames - (1000 + SLOPE[0] * COLUMN + SLOPE[1] * ROW)
    assert np.abs((alone - dark)[:, ~bad]).max() < 0.1
    assert np.abs(alone[:, 1, 1]).max() < 0.5


@pytest.mark.parametrize("law", ["level", "constant"])
def test_light_of_a_lit_background_counts_targets_by_all_of_its_noise(law):
    """Its shot noise is seven times the read noise: brackets of the read noise alone left the true number out."""
    level, gain = 400.0, 0.5
    scene = sequences(1, count=60, frames=5, targets=(2, 4), radius=0.3, crosses=True, level=level, gain=gain)
    told = camera(shot_gain=gain, background=level if law == "level" else 0.0, background_law=law, intensity_min=220.0)
    for method in (GroupMap(frames=5), SequenceMaximumLikelihood()):
        found = method.detect(scene.frames, told)
        counted = np.bincount(found.trajectory * 5 + found.frame, minlength=300).reshape(60, 5)
        assert (counted == scene.count[:, None]).all()


def test_a_dark_camera_has_the_mean_shot_noise_of_the_background():
    plain = camera()
    assert dark_camera(plain, np.zeros(3)) is plain
    assert dark_camera(plain, np.array([4.0, 6.0])).noise_sigma == pytest.approx(3.0)
    fitted = camera(background_law="constant")
    assert dark_camera(fitted, np.array([4.0, 6.0])) is fitted
    assert dark_camera(fitted, np.array([96.0])).noise_sigma == pytest.approx(10.0 / FLUX_INFLATION)
