"""Cramer-Rao covariances, and estimates drawn from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.errors import InputError
from csist_bench.evaluation.cramer_rao import (
    ARM_SD,
    EXTENT_SIGMAS,
    LINES,
    SCALE_SD,
    CramerRaoLine,
    ImagedTargets,
    Motion,
    _shape_columns,
    frame_information,
    pixel_information,
    sample_cramer_rao,
    windows,
)
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation import scene_law
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics, pixel_response
from csist_bench.simulation.scenes import draw_scenes
from tests.reference.naive_cramer_rao import naive_frame_information, naive_pixel_information, naive_rigid_covariance

SCORED = range(2, 18)
RIGID_20 = next(line for line in LINES if line.motion == "rigid" and line.frames == 20)


def _camera(**fields: float) -> Camera:
    return replace(Camera(Optics(), noise_sigma=2.0), **fields)


def _scenes(n: int, *overrides: str):
    return draw_scenes(load_data_recipe("seqcsist", ["seed=5", *overrides]), range(n))


def _sample(line: CramerRaoLine, scenes, camera: Camera, draws: int = 1, scored: range = SCORED):
    targets = ImagedTargets.of(scenes.xy, scenes.intensity, camera)
    return sample_cramer_rao(line, targets, scored, np.random.default_rng(0), draws)


@pytest.mark.parametrize("mean", [0.0, 200.0, 253.0, 254.5, 256.0, 300.0])
@pytest.mark.parametrize("fields", [{}, {"saturation": 255.0}, {"saturation": 255.0, "shot_gain": 0.5}])
def test_pixel_information_is_the_expected_squared_score(mean: float, fields: dict[str, float]) -> None:
    camera = _camera(**fields)
    expected = naive_pixel_information(mean, camera)
    assert pixel_information(np.array(mean), camera) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 5), saturated=st.booleans())
def test_frame_information_equals_the_naive_one(seed: int, k: int, saturated: bool) -> None:
    rng = np.random.default_rng(seed)
    camera = _camera(saturation=255.0 if saturated else np.inf, shot_gain=0.3 * rng.random())
    xy, intensity = 5 + 0.6 * rng.standard_normal((1, 1, k, 2)), rng.uniform(150, 300, (1, 1, k))
    if k > 2:
        xy[0, 0, 1] = np.nan
    expected = naive_frame_information(xy[0, 0], intensity[0, 0], camera)
    found = frame_information(xy, intensity, camera)[0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_rigid_line_has_the_covariance_of_the_naive_one() -> None:
    scenes, camera = _scenes(3), _camera()
    information = frame_information(scenes.xy, scenes.intensity, camera)
    found = _sample(RIGID_20, scenes, camera).detections
    for trajectory, frame in ((0, 2), (1, 9), (2, 17)):
        k = int(scenes.count[trajectory, frame])
        used = information[trajectory][:, : 3 * k, : 3 * k]
        expected = naive_rigid_covariance(RIGID_20, used, range(20), frame, 900 / 12, 0.3)
        rows = (found.trajectory == trajectory) & (found.frame == frame)
        sigma = np.stack([found.sigma_x[rows], found.sigma_y[rows], found.sigma_intensity[rows]], axis=-1)
        # The path has no prior in the naive form and a frame-wide one in the other.
        np.testing.assert_allclose(sigma.ravel() ** 2, np.diag(expected), rtol=1e-4)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_drawn_errors_have_the_stated_spread(line: CramerRaoLine) -> None:
    scenes = _scenes(2)
    found = _sample(line, scenes, _camera(), draws=400, scored=range(8, 12)).detections
    truth = np.tile(scenes.xy, (400, 1, 1, 1))[found.trajectory, found.frame]
    assert np.isfinite(found.x).all()
    slot = np.concatenate([np.arange(np.count_nonzero(row)) for row in _present(found, truth)])
    error = found.x - truth[np.arange(len(found)), slot, 0]
    assert np.std(error / found.sigma_x) == pytest.approx(1.0, abs=0.08)
    assert np.mean(error / found.sigma_x) == pytest.approx(0.0, abs=0.15)


def _present(found, truth: np.ndarray) -> list[np.ndarray]:
    """Return for each answered frame which of its slots hold a target, in the order of the detections."""
    starts = np.flatnonzero(np.diff(found.trajectory * 1000 + found.frame, prepend=-1))
    return [np.isfinite(truth[i, :, 0]) for i in starts]


def test_more_knowledge_never_costs_precision() -> None:
    scenes, camera = _scenes(20), _camera()
    by_name = {line.name: _sample(line, scenes, camera).detections.sigma_x for line in LINES}
    pairs = [
        ("1 frame", "1 frame, brightness free"),
        ("5 frames, linear motion", "5 frames, linear motion, brightness free"),
        ("20 frames, quadratic motion", "20 frames, cubic motion"),
        ("5 frames, rigid group, linear motion", "5 frames, linear motion"),
        ("20 frames, rigid group, cubic motion", "20 frames, cubic motion"),
        ("1 frame, group of known arms", "1 frame, group of known arms, any angle"),
        ("1 frame, group of known arms, any angle", "1 frame, group of known arms, any angle and radius"),
        ("20 frames, group of known arms", "20 frames, rigid group, cubic motion"),
    ]
    for more, less in pairs:
        assert (by_name[more] <= by_name[less] * (1 + 1e-6)).all(), (more, less)


def test_noise_scales_the_standard_errors() -> None:
    scenes = _scenes(3)
    line = LINES[0]
    quiet = _sample(line, scenes, _camera(noise_sigma=0.001)).detections
    loud = _sample(line, scenes, _camera(noise_sigma=0.002)).detections
    np.testing.assert_allclose(loud.sigma_x, 2 * quiet.sigma_x, rtol=1e-6)


def test_clipping_costs_information() -> None:
    scenes = _scenes(20)
    free, clipped = (_sample(LINES[1], scenes, _camera(saturation=level)).detections for level in (np.inf, 255.0))
    assert (clipped.sigma_x >= free.sigma_x * (1 - 1e-9)).all()
    assert (clipped.sigma_x / free.sigma_x).max() > 1.2


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_quarter_turn_of_the_scene_turns_the_covariance(line: CramerRaoLine) -> None:
    scenes, camera = _scenes(3), _camera()
    turned = replace(scenes, xy=np.stack([10 - scenes.xy[..., 1], scenes.xy[..., 0]], axis=-1))
    plain, rotated = (_sample(line, s, camera).detections for s in (scenes, turned))
    np.testing.assert_allclose(plain.sigma_x, rotated.sigma_y, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(frames=st.integers(1, 40), width=st.integers(1, 25), data=st.data())
def test_windows_answer_each_scored_frame_once(frames: int, width: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, frames - 1))
    scored = range(start, data.draw(st.integers(start + 1, frames)))
    answered = []
    for window, inside in windows(frames, width, scored):
        assert 0 <= window.start < window.stop <= frames
        assert all(frame in window for frame in inside)
        answered += inside
    assert answered == list(scored)


def test_absent_targets_are_not_answered_and_do_not_disturb_the_others() -> None:
    scenes, camera = _scenes(6, "k_min=3", "k_max=3"), _camera()
    wider = replace(
        scenes,
        xy=np.concatenate([scenes.xy, np.full((6, 20, 1, 2), np.nan)], axis=2),
        intensity=np.concatenate([scenes.intensity, np.full((6, 20, 1), np.nan)], axis=2),
    )
    plain, padded = (_sample(RIGID_20, s, camera).detections for s in (scenes, wider))
    assert len(plain) == len(padded) == 6 * 16 * 3
    np.testing.assert_allclose(plain.sigma_x, padded.sigma_x, rtol=1e-6)


def test_dense_scenes_and_short_sequences_have_finite_lines() -> None:
    scenes = draw_scenes(load_data_recipe("seqcsist-dense", ["frames=3", "scored_frames=0:3"]), range(20))
    for line in LINES:
        found = _sample(line, scenes, _camera(saturation=255.0), scored=range(3)).detections
        assert all(np.isfinite(column).all() for column in found.columns().values()), line.name


def test_frames_without_targets_give_no_detection() -> None:
    scenes = _scenes(1)
    blank = replace(scenes, xy=np.full_like(scenes.xy, np.nan), intensity=np.full_like(scenes.intensity, np.nan))
    sample = _sample(RIGID_20, blank, _camera())
    assert len(sample.detections) == 0
    assert np.isnan(sample.position_sd)


def test_bad_targets_are_named() -> None:
    scenes, camera = _scenes(1), _camera()
    with pytest.raises(InputError, match="xy must have shape"):
        frame_information(scenes.xy[0], scenes.intensity[0], camera)
    with pytest.raises(InputError, match="intensity must have shape"):
        frame_information(scenes.xy, scenes.intensity[:, :3], camera)
    with pytest.raises(InputError, match="infinite"):
        frame_information(np.full_like(scenes.xy, np.inf), scenes.intensity, camera)
    with pytest.raises(InputError, match="draws must be at least 1"):
        _sample(RIGID_20, scenes, camera, draws=0)


def test_the_spread_of_an_arm_is_that_of_its_growth() -> None:
    """A sum of t steps of U(0, growth_max) px, half way through a trajectory of 20 frames."""
    assert pytest.approx(0.0014 * np.sqrt(10 / 12), rel=0.03) == ARM_SD


def test_estimates_are_ranked_by_the_sum_of_both_variances() -> None:
    found = _sample(LINES[1], _scenes(6), _camera()).detections
    np.testing.assert_allclose(found.score, -0.5 * (found.sigma_x**2 + found.sigma_y**2))
    assert np.ptp(found.sigma_x - found.sigma_y) > 0.001


def test_a_path_has_no_more_parameters_than_frames() -> None:
    scenes = _scenes(4)
    cubic, quadratic = (CramerRaoLine("C", "3 frames", 3, "polynomial", degree) for degree in (3, 2))
    first, second = (_sample(line, scenes, _camera()).detections for line in (cubic, quadratic))
    np.testing.assert_array_equal(first.sigma_x, second.sigma_x)
    assert (_sample(replace(cubic, degree=1), scenes, _camera()).detections.sigma_x < first.sigma_x + 1e-9).all()


def test_what_frames_say_nothing_of_is_as_uncertain_as_the_frame_is_wide() -> None:
    xy, intensity = np.full((1, 1, 1, 2), 5.0), np.full((1, 1, 1), 235.0)
    blind = _camera(noise_sigma=1e9)
    targets = ImagedTargets.of(xy, intensity, blind)
    found = sample_cramer_rao(LINES[1], targets, range(1), np.random.default_rng(0), 1).detections
    assert found.sigma_x[0] == pytest.approx(11.0)


@pytest.mark.parametrize(
    ("motion", "known"),
    [
        ("rigid", (EXTENT_SIGMAS * 0.5, 0, 0)),
        ("group", (ARM_SD, 0, 0)),
        ("group-rotated", (ARM_SD, np.pi, 0)),
        ("group-scaled", (ARM_SD, np.pi, SCALE_SD)),
    ],
)
def test_a_group_that_frames_say_nothing_of_is_as_uncertain_as_its_law(
    motion: Motion, known: tuple[float, float, float]
) -> None:
    """Each target lies anywhere in the frame with its group, by its own arm, by any turn and by the radius's spread."""
    arm, turn, scale = known
    xy, intensity = np.array([[[[5.6, 4.8], [4.4, 5.2]]]]), np.full((1, 1, 2), 235.0)
    targets = ImagedTargets.of(xy, intensity, _camera(noise_sigma=1e9))
    line = CramerRaoLine("D", "one frame", 1, motion)
    found = sample_cramer_rao(line, targets, range(1), np.random.default_rng(0), 1).detections
    away, beside = 0.6, 0.2  # of the middle, along x and y
    assert found.sigma_x**2 == pytest.approx(2 * [11**2 + arm**2 + (turn * beside) ** 2 + (scale * away) ** 2])
    assert found.sigma_y**2 == pytest.approx(2 * [11**2 + arm**2 + (turn * away) ** 2 + (scale * beside) ** 2])


def test_a_group_turns_and_grows_about_the_middle_of_its_targets() -> None:
    xy = np.random.default_rng(0).uniform(3, 7, (2, 3, 3, 2))
    xy[0, :, 2] = np.nan
    present = np.isfinite(xy)
    offset = xy - np.nanmean(xy, axis=2, keepdims=True)
    step = 1e-6
    later, earlier = (scene_law.turned(np, offset, np.full(2, angle), 0.0) for angle in (step, -step))
    columns = _shape_columns(xy, "group-scaled")
    assert not columns[~present].any()
    np.testing.assert_allclose(columns[..., 0][present], ((later - earlier) / (2 * step))[present], atol=1e-8)
    np.testing.assert_allclose(columns[..., 1][present], offset[present], atol=1e-12)
    np.testing.assert_array_equal(_shape_columns(xy, "group-rotated")[..., 0], columns[..., 0])


def test_a_level_that_is_fitted_takes_its_share_of_the_information():
    camera, known = _camera(background_law="constant"), _camera()
    xy, light = np.array([[[[5.2, 4.9]]]]), np.array([[[230.0]]])
    step = 1e-4 * np.eye(3)
    theta = np.array([5.2, 4.9, 230.0])

    def image(at):
        return at[2] * np.outer(pixel_response(np.arange(11), at[1], 0.5), pixel_response(np.arange(11), at[0], 0.5))

    jacobian = np.array([(image(theta + e) - image(theta - e)).ravel() / 2e-4 for e in step])
    assert frame_information(xy, light, known)[0, 0] == pytest.approx(jacobian @ jacobian.T / 4, rel=1e-5, abs=1e-6)
    less = jacobian - jacobian.mean(axis=1, keepdims=True)
    assert frame_information(xy, light, camera)[0, 0] == pytest.approx(less @ less.T / 4, rel=1e-5, abs=1e-6)
