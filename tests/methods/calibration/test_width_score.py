"""The score of the widths: what a fit cannot take up, against plain least squares and the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.methods.calibration.width_score import Departure, WidthScore, _Scores, _unknowns
from csist_bench.simulation.camera import Camera, PixelMaps
from csist_bench.simulation.jacobian import frame_model
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_frames import pixel_integrals
from tests.helpers.unknown_sensors import foreign_sequences

TRUE = (0.62, 0.58)
LAW = (220.0, 250.0)
CAMERA = Camera(Optics(0.6), noise_sigma=2.0, psf_sigma_xy=TRUE)


def made(seed=0, **changed):
    how = {"n": 20, "frames": 20, "psf_sigma": TRUE, "counts": (2, 3), "radius": 0.4, "flux": LAW}
    return foreign_sequences(np.random.default_rng(seed), **how | changed)


def scaled(camera, x, y):
    widths = camera.widths[0] * x, camera.widths[1] * y
    return replace(camera, optics=Optics(float(np.sqrt(widths[0] * widths[1]))), psf_sigma_xy=widths)


def near(found, true, times=4.0):
    return (np.abs(np.subtract(found.sigma, true)) < times * np.array(found.error)).all()


@pytest.mark.parametrize("x, y", [(0.9, 0.95), (1.1, 1.06), (1.0, 1.0)])
def test_widths_are_found_from_ones_told_wrong(x, y):
    frames, _, _ = made()
    found = WidthScore(frames, CAMERA).widths(scaled(CAMERA, x, y).widths)
    assert near(found, TRUE)
    assert max(found.error) < 0.01


def test_widths_are_found_from_single_frames_too():
    frames, _, _ = made(1, n=30)
    found = WidthScore(frames.reshape(-1, 1, 11, 11), CAMERA).widths(scaled(CAMERA, 0.9, 0.95).widths)
    assert near(found, TRUE)
    assert max(found.error) < 0.012


def test_what_a_fit_does_by_itself_is_taken_off():
    """Single frames of close targets are answered by means, which are too wide for the PSF told right."""
    frames = np.concatenate([made(seed, radius=0.35, counts=(3, 3))[0] for seed in range(2)]).reshape(-1, 1, 11, 11)
    alone = WidthScore(frames, CAMERA, simulations=0).departure(TRUE)
    taken_off = WidthScore(frames, CAMERA, simulations=2).departure(TRUE)
    assert alone.relative[2] < -4 * alone.error[2]
    assert abs(taken_off.relative[2]) < 3 * taken_off.error[2]


@pytest.mark.parametrize(
    "changed, camera",
    [
        ({"level": 30.0, "slope": (1.0, -0.5)}, {"background_law": "plane"}),
        ({"level": 30.0, "gain": 0.3}, {"background_law": "constant", "shot_gain": 0.3}),
        ({"level": 20.0}, {"background": 20.0}),
        ({}, {"maps": PixelMaps(np.eye(11, dtype=bool) & (np.arange(11) == 5))}),
        ({}, {"maps": PixelMaps(None, np.full((11, 11), 2.0))}),
        ({}, {"saturation": 60.0}),
    ],
    ids=["plane", "constant and gain", "level", "bad pixel", "noise of pixels", "clipped"],
)
def test_the_rest_of_the_camera_is_used(changed, camera):
    frames, _, _ = made(2, **changed)
    if "saturation" in camera:
        frames = np.minimum(frames, 60.0)
    if camera.get("maps") and camera["maps"].bad is not None:
        frames[..., 5, 5] = 1000.0
    told = replace(CAMERA, **camera)
    assert near(WidthScore(frames, told).widths(scaled(told, 0.93, 0.95).widths), TRUE)


def test_a_step_is_that_of_plain_least_squares():
    """Near the truth, with the widths among the unknowns of one frame, one step of Gauss and Newton."""
    rng, x, y, light = np.random.default_rng(3), np.array([4.6, 5.5]), np.array([5.2, 4.7]), np.array([230.0, 240.0])

    def image(theta):
        spots = [
            s * np.outer(pixel_integrals(11, b, theta[1]), pixel_integrals(11, a, theta[0]))
            for a, b, s in theta[2:].reshape(2, 3)
        ]
        return np.sum(spots, axis=0).ravel()

    at = np.concatenate([TRUE, np.stack([x, y, light], axis=1).ravel()])
    frame = (image(at) + rng.normal(0, 0.1, 121)).reshape(11, 11)
    camera = replace(CAMERA, noise_sigma=0.1, intensity_free=True)
    found = Detections(np.zeros(2, int), np.zeros(2, int), x, y, np.ones(2), light)
    score = WidthScore(frame[None, None], camera)
    gradient, information = score._score(0, frame[None], found, np.array([[0, 1]]), score.told)
    step = 1e-5 * np.maximum(at, 1)
    jacobian = np.array([(image(at + e) - image(at - e)) / (2 * e.max()) for e in np.diag(step)])
    newton = np.linalg.solve(jacobian @ jacobian.T, jacobian @ (frame.ravel() - image(at)))[:2] / TRUE
    assert np.linalg.solve(information, gradient) == pytest.approx(newton, rel=1e-4)
    covariance = 0.01 * np.linalg.inv(jacobian @ jacobian.T)[:2, :2] / np.outer(TRUE, TRUE)
    assert np.linalg.inv(information) == pytest.approx(covariance, rel=1e-4)


def test_unknowns_over_time_hold_what_a_sequence_fit_has():
    """Places of their own, growth of the whole shape and a cubic path: all lie in the span."""
    time = np.linspace(-1, 1, 8)
    xy = np.array([[4.7, 5.0], [5.4, 5.3]]) + np.zeros((8, 2, 2))
    targets = frame_model(xy[None], np.full((1, 8, 2), 230.0), CAMERA).targets[0]
    span = _unknowns(targets).reshape(-1, 8 * 121)
    moves = targets.reshape(8, 2, 3, 121)[:, :, :2]
    growth = np.einsum("tkdp,kd->tp", moves, xy[0] - xy[0].mean(axis=0)) * time[:, None]
    cubic = moves[:, :, 0].sum(axis=1) * time[:, None] ** 3
    for one in (growth, cubic, moves[:, 1, 1]):
        left = one.ravel() - span.T @ np.linalg.lstsq(span.T, one.ravel(), rcond=None)[0]
        assert np.abs(left).max() < 1e-8 * np.abs(one).max()


def test_errors_are_those_of_the_scatter():
    rng = np.random.default_rng(4)
    information = np.tile(np.array([[400.0, 100.0], [100.0, 300.0]]), (200, 1, 1))
    gradient = rng.multivariate_normal([0, 0], 4 * information[0], 200)  # twice the scatter that is expected
    found = _Scores(gradient, information, np.full(200, 2)).departure()
    assert isinstance(found, Departure)
    expected = 2 * np.sqrt(np.diag(np.linalg.inv(200 * information[0])))
    assert found.error[:2] == pytest.approx(expected, rel=0.15)
    assert found.error[2] == pytest.approx(2 / np.sqrt(200 * 900.0), rel=0.15)


def test_too_few_frames_or_none_with_answers_tell_nothing():
    frames, _, _ = made(n=4)
    assert WidthScore(frames, CAMERA).departure(TRUE) is None
    assert WidthScore(frames[:, :1], CAMERA).widths(TRUE) is None
    assert WidthScore(np.zeros((30, 20, 11, 11)), CAMERA).departure(TRUE) is None
