"""Groups found in single frames."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.methods.groups.detection import (
    GroupFinder,
    expected_false,
    least_separation,
    separate_spots,
    threshold_of,
)
from csist_bench.simulation.camera import Camera, PixelMaps
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_frames import add_spot, foreign_scene
from tests.helpers.group_aims import CAMERAS, camera_of, search


def camera(psf_sigma=0.5, noise=2.0, **more):
    return Camera(Optics(psf_sigma), noise_sigma=noise, **more)


@pytest.mark.parametrize(("psf_sigma", "asked"), [(0.5, 0.5), (0.5, 8.0), (0.8, 0.5), (0.8, 8.0), (2.0, 0.5)])
def test_false_alarms_are_as_many_as_asked_within_a_factor_of_two(psf_sigma, asked):
    rng = np.random.default_rng(0)
    finder = GroupFinder(camera(psf_sigma), (128, 160), asked, False)
    frames = max(10, round(60 / asked))
    found = sum(len(finder.find(rng.normal(300, 2, (128, 160)).astype(np.float32))) for _ in range(frames))
    assert asked / 2 < found / frames < 2 * asked


def test_false_alarms_stay_as_asked_on_a_gradient_of_whole_numbers():
    rng = np.random.default_rng(1)
    row, column = np.mgrid[:128, :160]
    finder = GroupFinder(camera(), (128, 160), 2.0, True)
    frames = [np.rint(1000 + 2.0 * column - row + rng.normal(0, 2, (128, 160))).astype(np.uint16) for _ in range(30)]
    assert 30 < sum(len(finder.find(frame)) for frame in frames) < 120


def test_noise_that_was_not_told_is_measured():
    rng = np.random.default_rng(2)
    finder = GroupFinder(camera(noise=0.29), (128, 128), 0.1, True)
    found = finder.find(np.rint(rng.normal(500, 10, (128, 128))))
    assert len(found) <= 1
    assert abs(found.noise / 10 - 1) < 0.05


@pytest.mark.parametrize("name", CAMERAS)
def test_bright_groups_are_found_and_no_others(name):
    frames, truth = foreign_scene(np.random.default_rng(3), (256, 320), 6, groups=12, **CAMERAS[name])
    groups, hit, false = search(frames, truth, camera_of(CAMERAS[name]))
    assert groups == 72
    assert hit >= 71
    assert false <= 2


def test_a_group_is_one_region_with_its_own_light():
    image = np.random.default_rng(4).normal(0, 1, (64, 96))
    for x, y in ((20.2, 30.1), (21.5, 30.4), (60.0, 10.0)):
        add_spot(image, x, y, 800, (0.5, 0.5))
    found = GroupFinder(camera(noise=1.0), image.shape, 1e-3, False).find(image)
    np.testing.assert_allclose(found.centre, [[10.0, 60.0], [30.25, 20.85]], atol=0.1)
    assert set(found.light[:, 2].tolist()) == {0, 1}
    assert found.box[1, 0] <= 29
    assert found.box[1, 3] >= 22


def test_bad_pixels_are_no_groups_and_a_map_of_another_shape_is_refused():
    frame = np.random.default_rng(5).normal(0, 1, (64, 64))
    frame[20, 20] = 1000
    bad = frame > 100
    finder = GroupFinder(camera(noise=1.0, maps=PixelMaps(bad)), frame.shape, 1e-3, False)
    assert len(finder.find(frame)) == 0
    assert len(GroupFinder(camera(noise=1.0), frame.shape, 1e-3, False).find(frame)) == 1
    with pytest.raises(InputError, match=r"bad_pixels must have the frames' shape \(32, 64\), got \(64, 64\)"):
        GroupFinder(camera(maps=PixelMaps(bad)), (32, 64), 0.1, False)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_impossible_false_alarms_are_refused(value):
    with pytest.raises(InputError, match="false_alarms must be a positive number"):
        threshold_of(value, 1000, camera())


def test_the_threshold_falls_with_the_false_alarms_allowed():
    thresholds = [threshold_of(asked, 10_000, camera()) for asked in (1e-3, 0.1, 1.0, 100.0)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert abs(expected_false(thresholds[1], 10_000, camera()) - 0.1) < 1e-6


def spots(*places, noise=1.0, size=11, flux=230.0, seed=0):
    image = np.random.default_rng(seed).normal(0, noise, (size, size))
    for x, y in places:
        add_spot(image, x, y, flux, (0.5, 0.5))
    return image


def test_separate_spots_of_small_frames_are_seen_and_groups_are_not():
    assert least_separation(camera()) == 5
    frames = np.array(
        [
            spots((2.2, 2.3), (8.4, 8.1)),
            spots((5, 5)),
            spots((4.6, 5.0), (5.4, 5.0), (5.0, 5.5)),
            spots((4, 5), (6.5, 5)),
            spots(),
        ]
    )
    assert separate_spots(frames, camera(noise=1.0)).tolist() == [True, False, False, False, False]


def test_noise_that_was_not_told_and_an_untold_level_make_no_spots():
    frames = np.array([1000 + spots((5, 5), noise=10, seed=seed) for seed in range(300)])
    assert separate_spots(frames, camera(noise=0.29)).sum() == 0


def test_rings_of_a_real_spot_are_no_second_one():
    frame = spots((5, 5), noise=0.01, flux=1e5)
    frame[5, 10] += 30
    assert not separate_spots(frame[None], camera(noise=0.05))[0]


def test_a_small_frame_keeps_its_brightest_group_and_sure_others():
    finder = GroupFinder(camera(noise=1.0), (11, 11), 1.0, False)
    assert len(finder.find(spots((2.2, 2.3), (8.4, 8.1)))) == 2
    seen = [len(finder.find(spots((5, 5), seed=seed))) for seed in range(200)]
    assert set(seen) == {1}
