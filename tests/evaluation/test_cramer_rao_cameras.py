"""Cramer-Rao covariances where the camera is not fully known: closed forms, and dense matrices with every unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.evaluation.cramer_rao import (
    LINES,
    CramerRaoLine,
    ImagedTargets,
    frame_information,
    pixel_information,
    sample_cramer_rao,
)
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera, PixelMaps
from csist_bench.simulation.jacobian import background_columns, frame_model
from csist_bench.simulation.optics import Optics, pixel_response
from csist_bench.simulation.scenes import draw_scenes
from csist_bench.simulation.spline_psf import SplinePsf

CAMERA = Camera(Optics(), noise_sigma=2.0)
POLYNOMIAL = CramerRaoLine("C", "linear", 5, "polynomial", 1)
SCORED = range(2, 18)


def _scenes(n: int = 4, *overrides: str):
    return draw_scenes(load_data_recipe("seqcsist", ["seed=5", *overrides]), range(n))


def _sigmas(line: CramerRaoLine, scenes, camera: Camera, scored: range = SCORED) -> np.ndarray:
    targets = ImagedTargets.of(scenes.xy, scenes.intensity, camera)
    found = sample_cramer_rao(line, targets, scored, np.random.default_rng(0), 1).detections
    return np.stack([found.sigma_x, found.sigma_y, found.sigma_intensity], axis=-1)


def _alone(camera: Camera, x: float = 5.0, y: float = 5.0, intensity: float = 240.0) -> np.ndarray:
    information = frame_information(np.array([[[[x, y]]]]), np.full((1, 1, 1), intensity), camera)[0, 0]
    return np.sqrt(np.diag(np.linalg.inv(information)))


def test_a_single_target_has_the_closed_form_of_its_two_axes():
    """In the middle of a pixel x, y and s do not mix: F = s^2 sum q'^2 sum q^2 / v and sum q^2 sum q^2 / v."""
    camera = replace(CAMERA, psf_sigma_xy=(0.45, 0.7))
    pixel, h = np.arange(11), 1e-6
    share, slope = [], []
    for sigma in camera.widths:
        share.append((pixel_response(pixel, np.full(1, 5.0), sigma) ** 2).sum())
        up, down = (pixel_response(pixel, np.full(1, 5.0 + d), sigma) for d in (h, -h))
        slope.append((((up - down) / (2 * h)) ** 2).sum())
    expected = 2.0 / np.sqrt([240.0**2 * slope[0] * share[1], 240.0**2 * share[0] * slope[1], share[0] * share[1]])
    np.testing.assert_allclose(_alone(camera), expected, rtol=1e-6)


def test_a_fitted_level_costs_a_single_target_what_the_formula_says():
    """The level mixes with s alone: F_ss - (sum q)^2 / P in place of F_ss, all over v; positions keep theirs."""
    known, fitted = _alone(CAMERA), _alone(replace(CAMERA, background_law="constant"))
    q = pixel_response(np.arange(11), np.full(1, 5.0), 0.5)
    light = np.outer(q, q)
    np.testing.assert_allclose(fitted[:2], known[:2], rtol=1e-6)
    assert fitted[2] == pytest.approx(2.0 / np.sqrt((light**2).sum() - light.sum() ** 2 / 121), rel=1e-6)
    # A plane's slopes are odd about the middle, as are the derivatives in x and y: those it costs a little.
    plane = _alone(replace(CAMERA, background_law="plane"))
    assert plane[2] == pytest.approx(fitted[2], rel=1e-6)
    ramp = np.linspace(-1, 1, 11)
    up, down = (pixel_response(np.arange(11), np.full(1, 5.0 + d), 0.5) for d in (1e-6, -1e-6))
    by_x = 240 * np.outer(q, (up - down) / 2e-6)
    across, own = (by_x * ramp).sum(), 11 * (ramp**2).sum()
    assert plane[0] == pytest.approx(2.0 / np.sqrt((by_x**2).sum() - across**2 / own), rel=1e-6)


@pytest.mark.parametrize("law", ["level", "constant", "plane"])
@pytest.mark.parametrize("errors", [(0.0, 0.0), (0.01, 0.02), (0.0, 0.05)])
@pytest.mark.parametrize("psf", ["gaussian", "spline"])
def test_windows_have_the_covariance_of_a_dense_matrix_with_every_unknown(law, errors, psf):
    """Targets, widths and each frame's background in one Fisher matrix, inverted by NumPy."""
    rng = np.random.default_rng(1)
    maps = PixelMaps(rng.random((11, 11)) < 0.05, rng.uniform(1.5, 2.5, (11, 11)))
    camera = replace(
        CAMERA,
        psf_sigma_xy=(0.45, 0.6) if psf == "gaussian" else None,
        psf=SplinePsf.airy(1.2) if psf == "spline" else None,
        psf_sigma_error=errors,
        background_law=law,
        background=12.0,
        shot_gain=0.4,
        saturation=300.0,
        maps=maps,
    )
    scenes = _scenes(2, "k_min=2", "k_max=2")
    window, frame, k = range(4, 9), 6, scenes.xy.shape[2]
    model, columns = frame_model(scenes.xy, scenes.intensity, camera), background_columns(camera)
    b, widths = len(columns), [e for e in errors if e > 0]
    motion = 4 * k  # offset and slope of both coordinates
    unknowns = motion + k + len(widths) + b * len(window)
    found = _sigmas(POLYNOMIAL, scenes, camera, range(frame, frame + 1))
    for trajectory in range(2):
        fisher = np.zeros((unknowns, unknowns))
        designs = {}
        for t, of in enumerate(window):
            u = (of - 6) / 2
            rows = np.zeros((121, unknowns))
            design = np.zeros((3 * k, unknowns))
            for target in range(k):
                for axis in range(2):
                    design[3 * target + axis, 4 * target + 2 * axis] = 1.0
                    design[3 * target + axis, 4 * target + 2 * axis + 1] = u
                design[3 * target + 2, motion + target] = 1.0
            rows += model.targets[trajectory, of].T @ design
            rows[:, motion + k : motion + k + len(widths)] = model.widths[trajectory, of].T
            start = motion + k + len(widths) + b * t
            rows[:, start : start + b] = columns.T
            weight = np.where(maps.bad.ravel(), 0.0, pixel_information(model.mean[trajectory, of], camera))
            fisher += rows.T @ (weight[:, None] * rows)
            designs[of] = design
        prior = np.zeros(unknowns)
        prior[:motion] = 1 / 11**2
        prior[motion : motion + k] = 12 / 30**2
        prior[motion + k : motion + k + len(widths)] = [1 / e**2 for e in widths]
        covariance = designs[frame] @ np.linalg.inv(fisher + np.diag(prior)) @ designs[frame].T
        expected = np.sqrt(np.diag(covariance)).reshape(k, 3)
        present = np.isfinite(scenes.xy[trajectory, frame, :, 0])
        np.testing.assert_allclose(found[2 * trajectory : 2 * trajectory + 2], expected[present], rtol=1e-5)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_what_is_not_known_never_helps(line):
    scenes = _scenes(3)
    known = _sigmas(line, scenes, CAMERA)
    bad = np.zeros((11, 11), dtype=bool)
    bad[4:6, 5] = True
    for less in (
        {"background_law": "constant"},
        {"psf_sigma_error": (0.01, 0.01)},
        {"intensity_free": True},
        {"maps": PixelMaps(bad)},
        {"shot_gain": 0.2},
    ):
        sigmas = _sigmas(line, scenes, replace(CAMERA, **less))
        assert (sigmas >= known * (1 - 1e-6)).all(), less
    plane, constant = (_sigmas(line, scenes, replace(CAMERA, background_law=law)) for law in ("plane", "constant"))
    assert (plane >= constant * (1 - 1e-6)).all()


def test_widths_known_well_cost_nothing_and_unknown_ones_more():
    scenes = _scenes(3)
    exact, fine, rough = (
        _sigmas(LINES[1], scenes, replace(CAMERA, psf_sigma_error=(error, error))) for error in (0.0, 1e-6, 0.05)
    )
    np.testing.assert_allclose(fine, exact, rtol=1e-6)
    assert np.max(rough / exact) > 2  # across the line on which two targets stand


def test_the_widths_are_shared_by_the_frames_of_a_window():
    """Twenty frames tell the width, so that not knowing it costs far less than it does in one."""
    scenes = _scenes(6)
    loose = replace(CAMERA, psf_sigma_error=(0.05, 0.05))
    alone, together = LINES[1], next(line for line in LINES if line.name == "20 frames, rigid group, cubic motion")
    cost = [np.median(_sigmas(line, scenes, loose) / _sigmas(line, scenes, CAMERA)) for line in (alone, together)]
    assert cost[1] - 1 < 0.5 * (cost[0] - 1)


def test_a_spline_of_a_gaussian_has_the_gaussians_lines():
    scenes = _scenes(3)
    psf = SplinePsf.from_gaussian(0.5, 0.5)
    for more in ({}, {"background_law": "plane"}):
        gaussian = _sigmas(LINES[1], scenes, replace(CAMERA, **more))
        spline = _sigmas(LINES[1], scenes, replace(CAMERA, psf=psf, **more))
        np.testing.assert_allclose(spline, gaussian, rtol=0.02)  # targets 0.4 px apart magnify 3e-5 of the peak
        assert np.median(np.abs(spline / gaussian - 1)) < 1e-3


def test_free_intensities_make_every_line_that_of_free_brightness():
    scenes = _scenes(3)
    free = replace(CAMERA, intensity_free=True)
    np.testing.assert_array_equal(_sigmas(LINES[1], scenes, free), _sigmas(LINES[0], scenes, CAMERA))


def test_a_bad_pixel_is_as_one_of_boundless_noise_and_the_map_is_read_row_by_row():
    xy, intensity = np.full((1, 1, 1, 2), 5.0), np.full((1, 1, 1), 240.0)
    bad, loud = np.zeros((11, 11), dtype=bool), np.full((11, 11), 2.0)
    bad[5, 4], loud[5, 4] = True, 1e9
    without, noisy = (
        frame_information(xy, intensity, replace(CAMERA, maps=maps))
        for maps in (PixelMaps(bad), PixelMaps(noise_sigma=loud))
    )
    np.testing.assert_allclose(without, noisy, rtol=1e-9, atol=1e-9)
    sigmas = np.sqrt(np.diag(np.linalg.inv(without[0, 0])))
    assert sigmas[0] > 1.02 * _alone(CAMERA)[0]  # the pixel at x = 4 tells of x, not of y
    assert sigmas[1] < 1.01 * _alone(CAMERA)[1]


def test_frames_of_bad_pixels_alone_leave_the_prior():
    camera = replace(CAMERA, background_law="plane", maps=PixelMaps(np.ones((11, 11), dtype=bool)))
    assert _sigmas(LINES[0], _scenes(1), camera)[:, 0] == pytest.approx(11.0)


def test_the_light_of_the_background_makes_noise_too():
    information = pixel_information(np.array([0.0, 50.0]), replace(CAMERA, shot_gain=0.5, background=100.0))
    np.testing.assert_allclose(1 / information, [4 + 50, 4 + 75])
