"""What answers leave unexplained, against naive NumPy."""

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.methods.fitting.misfit import explain
from csist_bench.simulation.camera import PixelMaps
from tests.helpers.foreign_sequences import SIZE, camera, gaussian_spot, sequences

ROW, COLUMN = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2


def told(made):
    """Return the truth as detections."""
    b, t, k = np.nonzero(np.isfinite(made.xy[..., 0]))
    x, y = made.xy[b, t, k].T
    return Detections(b, t, x, y, np.ones(len(b)), intensity=made.flux[b, k])


CASES = {
    "known level": ({"level": 7.0}, {"background": 7.0}),
    "two widths": ({"widths": (0.8, 0.6)}, {"widths": (0.8, 0.6)}),
    "shot noise on a level": ({"level": 30.0, "gain": 0.5}, {"background": 30.0, "shot_gain": 0.5}),
    "constant": ({"level": 1000.0}, {"background_law": "constant"}),
    "plane": ({"level": 40.0, "slope": (1.0, -2.0)}, {"background_law": "plane"}),
    "plane with shot noise": (
        {"level": 90.0, "slope": (1.0, -2.0), "gain": 0.5},
        {"background_law": "plane", "shot_gain": 0.5},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_chi2_of_the_truth_is_the_number_of_pixels(name):
    facts, fields = CASES[name]
    made, camera_told = sequences(1, count=12, frames=10, **facts), camera(**fields)
    found = explain(made.frames, told(made), camera_told)
    light = found.light.reshape(made.frames.shape) + camera_told.background
    unknowns = {"constant": 1, "plane": 3}.get(camera_told.background_law, 0)
    residual = made.frames - light
    variance = 4 + camera_told.shot_gain * np.maximum(light, 0)
    np.testing.assert_allclose(found.chi2, (residual**2 / variance).sum(axis=(2, 3)).ravel(), rtol=1e-9)
    np.testing.assert_allclose(found.squares, (residual**2).sum(axis=(2, 3)).ravel(), rtol=1e-9)
    assert (found.pixels == SIZE * SIZE).all()
    assert np.abs(light - made.light).max() < (8.0 if unknowns else 1e-9)
    away = found.chi2 - (SIZE * SIZE - unknowns)
    assert abs(away.mean()) < 3 * away.std() / np.sqrt(len(away))
    if camera_told.background_law == "plane":
        level = found.level.mean(axis=0)
        half = SIZE / 2  # slopes are given over half of the frame
        np.testing.assert_allclose(level, [facts["level"], half * 1.0, half * -2.0], atol=0.4)


def test_light_is_that_of_plain_numpy_and_a_frame_without_answers_has_none():
    made = sequences(2, count=2, frames=3, widths=(0.6, 0.5))
    first = told(made)
    found = explain(made.frames, first.select(first.trajectory == 0), camera((0.6, 0.5))).light.reshape(
        made.frames.shape
    )
    spot, expected = gaussian_spot((0.6, 0.5)), np.zeros_like(made.frames)
    for m in range(made.count[0]):
        for t in range(3):
            expected[0, t] += made.flux[0, m] * spot(*made.xy[0, t, m], SIZE)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_bad_and_clipped_pixels_are_left_out():
    bad = np.zeros((SIZE, SIZE), dtype=bool)
    bad[5, 4] = bad[0, 0] = True
    made = sequences(4, count=6, frames=5, saturation=150.0)
    clipped = (made.frames >= 150) & ~bad
    assert clipped.any()
    frames = np.where(bad, 1e4, made.frames)
    found = explain(frames, told(made), camera(saturation=150.0, maps=PixelMaps(bad=bad)))
    kept = ~bad & (frames < 150)
    residual = np.where(kept, made.frames - made.light, 0.0)
    np.testing.assert_array_equal(found.pixels, kept.sum(axis=(2, 3)).ravel())
    np.testing.assert_allclose(found.chi2, (residual**2 / 4).sum(axis=(2, 3)).ravel(), rtol=1e-9)


def test_a_map_of_noise_weighs_each_pixel_by_its_own():
    noise = np.random.default_rng(0).uniform(1, 6, (SIZE, SIZE))
    made = sequences(5, count=6, frames=10, noise_map=noise)
    found = explain(made.frames, told(made), camera(maps=PixelMaps(noise_sigma=noise)))
    expected = ((made.frames - made.light) ** 2 / noise**2).sum(axis=(2, 3)).ravel()
    np.testing.assert_allclose(found.chi2, expected, rtol=1e-9)
    assert found.chi2.mean() == pytest.approx(SIZE * SIZE, rel=0.05)


def test_what_cannot_be_rendered_is_refused():
    made = sequences(6, count=1, frames=1)
    found = told(made)
    with pytest.raises(InputError, match="intensities"):
        explain(made.frames, Detections(found.trajectory, found.frame, found.x, found.y, found.score), camera())
    with pytest.raises(InputError, match="square"):
        explain(made.frames[..., :-1], found, camera())
