"""Derivatives of frames against finite differences of them, for every kind of camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.simulation.camera import Camera
from csist_bench.simulation.jacobian import background_columns, fitted_widths, frame_model
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets_numpy
from csist_bench.simulation.spline_psf import SplinePsf

STEP = 1e-5
PLAIN = Camera(Optics(), psf_sigma_error=(0.01, 0.02))
CAMERAS = {
    "one width": PLAIN,
    "two widths": replace(PLAIN, psf_sigma_xy=(0.45, 0.7)),
    "spline": replace(PLAIN, psf=SplinePsf.from_gaussian(0.45, 0.7)),
    "airy": replace(PLAIN, psf=SplinePsf.airy(1.2, 0.08)),
}
RNG = np.random.default_rng(2)
XY, INTENSITY = RNG.uniform(3, 8, (2, 3, 4, 2)), RNG.uniform(100, 300, (2, 3, 4))
XY[:, :, 2] = np.nan
INTENSITY[:, :, 2] = np.nan


def _numerical(parts: list[np.ndarray], index: int, camera: Camera) -> np.ndarray:
    up, down = [part.copy() for part in parts], [part.copy() for part in parts]
    up[index] += STEP
    down[index] -= STEP
    high, low = (frame_model(np.stack(p[:2], axis=-1), p[2], camera).mean for p in (up, down))
    return (high - low) / (2 * STEP)


@pytest.mark.parametrize("name", CAMERAS)
def test_derivatives_in_the_targets_are_those_of_finite_differences(name):
    camera = CAMERAS[name]
    model = frame_model(XY, INTENSITY, camera)
    for k in range(4):
        parts = [XY[..., k : k + 1, 0], XY[..., k : k + 1, 1], INTENSITY[..., k : k + 1]]
        for index in range(3):
            expected = 0.0 if k == 2 else _numerical(parts, index, camera)
            np.testing.assert_allclose(model.targets[:, :, 3 * k + index], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["one width", "two widths"])
def test_derivatives_in_the_widths_are_those_of_finite_differences(name):
    camera = CAMERAS[name]
    model = frame_model(XY, INTENSITY, camera)
    for axis in range(2):
        means = []
        for sign in (1, -1):
            widths = list(camera.widths)
            widths[axis] += sign * STEP
            means.append(frame_model(XY, INTENSITY, replace(camera, psf_sigma_xy=tuple(widths))).mean)
        np.testing.assert_allclose(model.widths[:, :, axis], (means[0] - means[1]) / (2 * STEP), atol=1e-5)


def test_a_spline_is_made_wider_by_stretching_it():
    camera = CAMERAS["airy"]
    x, y, pixel = 5.2, 4.7, np.arange(11)

    def stretched(f: float, g: float) -> np.ndarray:
        """R((j - x) / f, (i - y) / g) / (f g), pixel by pixel."""
        value = np.empty((11, 11))
        for i in pixel:
            for j in pixel:
                value[i, j] = camera.psf.response(-(j - x) / f, -(i - y) / g, 1, 1)[0][0, 0] / (f * g)
        return 240 * value.ravel()

    model = frame_model(np.array([[[[x, y]]]]), np.full((1, 1, 1), 240.0), camera)
    np.testing.assert_allclose(model.mean[0, 0], stretched(1, 1), atol=1e-9)
    step = STEP / camera.optics.psf_sigma
    for axis, (up, down) in enumerate([((1 + step, 1), (1 - step, 1)), ((1, 1 + step), (1, 1 - step))]):
        expected = (stretched(*up) - stretched(*down)) / (2 * STEP)
        np.testing.assert_allclose(model.widths[0, 0, axis], expected, atol=1e-5)


def test_the_mean_is_the_rendered_frame():
    model = frame_model(XY, INTENSITY, CAMERAS["one width"])
    rendered = frames_from_targets_numpy(XY.reshape(6, 4, 2), INTENSITY.reshape(6, 4), Optics()).reshape(2, 3, 121)
    np.testing.assert_allclose(model.mean, rendered, atol=1e-9)


def test_only_widths_with_an_error_are_fitted():
    assert fitted_widths(Camera(Optics())) == []
    assert fitted_widths(replace(PLAIN, psf_sigma_error=(0.0, 0.1))) == [1]
    both, one = (frame_model(XY, INTENSITY, replace(PLAIN, psf_sigma_error=e)) for e in ((0.1, 0.1), (0.0, 0.1)))
    assert frame_model(XY, INTENSITY, Camera(Optics())).widths.shape == (2, 3, 0, 121)
    np.testing.assert_array_equal(one.widths, both.widths[:, :, 1:])


def test_a_background_is_a_level_or_a_plane():
    assert background_columns(PLAIN).shape == (0, 121)
    np.testing.assert_array_equal(background_columns(replace(PLAIN, background_law="constant")), np.ones((1, 121)))
    plane = background_columns(replace(PLAIN, background_law="plane")).reshape(3, 11, 11)
    np.testing.assert_allclose(plane[1][0], np.linspace(-1, 1, 11))
    np.testing.assert_allclose(plane[2][:, 0], np.linspace(-1, 1, 11))
    assert np.ptp(plane[1], axis=0).max() == np.ptp(plane[2], axis=1).max() == 0
