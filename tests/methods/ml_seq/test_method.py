"""`ml-seq`: exact without noise, calibrated with it, and defined on any input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.average_precision import average_precision
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.track_scores import score_tracks
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.ml_seq.method import SequenceMaximumLikelihood
from csist_bench.methods.registry import build_training_free, find
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets, render_shard

WHOLE = SequenceMaximumLikelihood()
FIVE = SequenceMaximumLikelihood(frames=5)
CAMERA = Camera(Optics(), noise_sigma=2.0)


def _set(name: str, n: int, *overrides: str):
    recipe = load_data_recipe(name, ["seed=6", *overrides])
    return render_shard(recipe, range(n)), Camera.from_recipe(recipe)


def _map(found: Detections, shard) -> float:
    scenes = shard.scenes
    truth = Truth.from_arrays(scenes.xy, scenes.intensity, scenes.count, range(2, 18))
    return 100 * float(np.mean([average_precision(row, truth.n_targets) for row in match(found, truth).hits]))


def _counts(found: Detections, shape: tuple[int, int]) -> np.ndarray:
    counts = np.zeros(shape, int)
    np.add.at(counts, (found.trajectory, found.frame), 1)
    return counts


def _is_sound(found: Detections) -> bool:
    columns = found.columns()
    finite = all(np.isfinite(column).all() for column in columns.values())
    positive = (found.sigma_x > 0).all() and (found.sigma_y > 0).all() and (found.sigma_intensity > 0).all()
    return bool(finite and positive and (found.score >= 0).all() and (found.score <= 1).all())


@pytest.mark.parametrize("method", [WHOLE, FIVE, SequenceMaximumLikelihood(motion="polynomial")])
def test_noise_free_scenes_are_solved(method: SequenceMaximumLikelihood) -> None:
    shard, camera = _set("seqcsist", 12)
    found = method.detect(shard.frames, camera)
    np.testing.assert_array_equal(_counts(found, (12, 20)), shard.scenes.count)
    assert _is_sound(found)
    assert _map(found, shard) > 99.0


def test_clipped_frames_are_solved() -> None:
    shard, camera = _set("seqcsist-8bit", 12)
    assert (shard.frames == 255).any()
    found = WHOLE.detect(shard.frames, camera)
    np.testing.assert_array_equal(_counts(found, (12, 20)), shard.scenes.count)
    assert _map(found, shard) > 99.0


def test_noisy_scores_stand_where_they_were_measured() -> None:
    # Measured on 300 trajectories: 89.9 over 20 frames, 78.4 over 5; a set of 40 scatters by about 4.
    shard, camera = _set("seqcsist", 40, "noise_sigma=2")
    whole, five = WHOLE.detect(shard.frames, camera), FIVE.detect(shard.frames[:20], camera)
    np.testing.assert_array_equal(_counts(whole, (40, 20)), shard.scenes.count)
    assert _map(whole, shard) > 80.0
    first = replace(
        shard, scenes=replace(shard.scenes, **{f: getattr(shard.scenes, f)[:20] for f in ("xy", "intensity", "count")})
    )
    assert _map(five, first) > 65.0


def test_standard_errors_are_calibrated_where_the_basin_is_right() -> None:
    shard, camera = _set("seqcsist", 40, "noise_sigma=1", "k_max=3")
    found = WHOLE.detect(shard.frames, camera)
    truth = shard.scenes.xy[found.trajectory, found.frame]
    error = truth - np.stack([found.x, found.y], axis=-1)[:, None]
    nearest = np.nanargmin(np.where(np.isnan(error[..., 0]), np.inf, np.hypot(error[..., 0], error[..., 1])), axis=1)
    error = error[np.arange(len(found)), nearest]
    scaled = np.concatenate([error[:, 0] / found.sigma_x, error[:, 1] / found.sigma_y])
    assert 0.85 < np.sqrt(np.mean(scaled**2)) < 1.2
    light = shard.scenes.intensity[found.trajectory, found.frame, nearest]
    assert 0.8 < np.sqrt(np.mean(((found.intensity - light) / found.sigma_intensity) ** 2)) < 1.25


def test_the_score_is_the_share_of_hits() -> None:
    shard, camera = _set("seqcsist", 60, "noise_sigma=2", "k_min=3")
    found = WHOLE.detect(shard.frames, camera)
    away = shard.scenes.xy[found.trajectory, found.frame] - np.stack([found.x, found.y], axis=-1)[:, None]
    nearest = np.nanmin(np.hypot(away[..., 0], away[..., 1]), axis=1)
    realised = np.mean([nearest <= threshold for threshold in (0.05, 0.10, 0.15, 0.20, 0.25)])
    assert np.mean(found.score) == pytest.approx(realised, abs=0.08)


def test_a_quarter_turn_of_the_frames_turns_the_answer() -> None:
    shard, camera = _set("seqcsist", 6, "noise_sigma=1")
    plain = WHOLE.detect(shard.frames, camera).ordered()
    turned = WHOLE.detect(np.rot90(shard.frames, axes=(2, 3)).copy(), camera)
    # np.rot90 takes pixel (row, column) to (size - 1 - column, row).
    back = replace(turned, x=10 - turned.y, y=turned.x).ordered()
    assert len(plain) == len(back)
    assert np.median(np.hypot(plain.x - back.x, plain.y - back.y)) < 1e-3


def test_each_sequence_is_answered_by_itself() -> None:
    shard, camera = _set("seqcsist", 5, "noise_sigma=2")
    together = FIVE.detect(shard.frames, camera).ordered()
    alone = FIVE.detect(shard.frames[3:4], camera).ordered()
    mine = together.select(together.trajectory == 3)
    for name, column in alone.columns().items():
        if name != "trajectory":
            np.testing.assert_array_equal(column, mine.columns()[name], err_msg=name)


def test_the_input_is_left_as_it_was() -> None:
    shard, camera = _set("seqcsist", 2)
    before = shard.frames.copy()
    WHOLE.detect(shard.frames, replace(camera, background=3.0))
    np.testing.assert_array_equal(shard.frames, before)


def test_background_is_taken_off() -> None:
    shard, camera = _set("seqcsist", 2)
    plain = WHOLE.detect(shard.frames, camera)
    raised = WHOLE.detect(shard.frames + 40, replace(camera, background=40.0))
    np.testing.assert_allclose(plain.x, raised.x, atol=1e-3)


def test_blank_frames_are_left_empty_and_the_rest_is_answered() -> None:
    shard, camera = _set("seqcsist", 3, "noise_sigma=2")
    frames = shard.frames.copy()
    frames[0] = 0.0
    frames[1, 5:7] = 0.0
    expected = shard.scenes.count.astype(int)
    expected[0], expected[1, 5:7] = 0, 0
    for method in (WHOLE, FIVE):
        found = method.detect(frames, camera)
        np.testing.assert_array_equal(_counts(found, (3, 20)), expected)
        assert _is_sound(found)


def test_a_changing_number_of_targets_is_fitted_frame_by_frame() -> None:
    two, camera = _set("seqcsist", 1, "k_min=2", "k_max=2")
    four, _ = _set("seqcsist", 1, "k_min=4", "k_max=4")
    frames = np.concatenate([two.frames[:, :8], four.frames[:, 8:]], axis=1)
    found = WHOLE.detect(frames, camera)
    np.testing.assert_array_equal(_counts(found, (1, 20))[0], [2] * 8 + [4] * 12)
    assert _is_sound(found)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
@pytest.mark.parametrize("motion", ["rigid", "polynomial"])
def test_sequences_shorter_than_the_window(frames: int, motion: str) -> None:
    shard, camera = _set("seqcsist", 4)
    method = SequenceMaximumLikelihood(motion=motion)
    found = method.detect(shard.frames[:, :frames], camera)
    np.testing.assert_array_equal(_counts(found, (4, frames)), shard.scenes.count[:, :frames])
    assert _is_sound(found)


def test_sequences_longer_than_the_window() -> None:
    shard, camera = _set("seqcsist", 2)
    frames = np.concatenate([shard.frames, shard.frames[:, ::-1]] * 2, axis=1)
    found = WHOLE.detect(frames, camera)
    assert (_counts(found, (2, 80)) == shard.scenes.count[:, :1]).all()
    assert _is_sound(found)


def test_free_brightness_finds_targets_that_break_the_law() -> None:
    t = np.arange(20)[:, None]
    xy = np.stack([np.hstack([4.7 + 0.02 * t, 5.5 + 0.02 * t]), np.hstack([5.0 + 0 * t, 5.2 + 0 * t])], axis=-1)[None]
    light = np.broadcast_to([90.0, 400.0], (1, 20, 2))
    frames = frames_from_targets(xy, light, Optics()) + np.random.default_rng(0).normal(0, 1, (1, 20, 11, 11))
    found = SequenceMaximumLikelihood(brightness="free").detect(frames, replace(CAMERA, noise_sigma=1.0)).ordered()
    assert (_counts(found, (1, 20)) == 2).all()
    np.testing.assert_allclose(found.x.reshape(20, 2), xy[0, ..., 0], atol=0.05)
    np.testing.assert_allclose(found.intensity.reshape(20, 2), light[0], rtol=0.03)


@pytest.mark.parametrize("sigma", [0.0, 0.001, 0.5, 20.0, 500.0])
def test_a_wrong_noise_level_is_answered(sigma: float) -> None:
    shard, camera = _set("seqcsist", 3, "noise_sigma=2")
    found = WHOLE.detect(shard.frames, replace(camera, noise_sigma=sigma))
    assert len(found)
    assert _is_sound(found)


@pytest.mark.parametrize("place", [-0.5, 0.3, 9.7, 10.5])
def test_groups_at_the_border_are_answered(place: float) -> None:
    xy = np.broadcast_to([[place, 5.0], [place + 0.4, 5.3]], (1, 20, 2, 2))
    frames = frames_from_targets(xy, np.full((1, 20, 2), 235.0), Optics())
    found = WHOLE.detect(frames, replace(CAMERA, noise_sigma=0.05))
    assert len(found)
    assert _is_sound(found)


@pytest.mark.parametrize("method", [WHOLE, FIVE, SequenceMaximumLikelihood(brightness="free")])
def test_odd_frames_are_answered_soundly(method: SequenceMaximumLikelihood) -> None:
    rng = np.random.default_rng(2)
    many = np.broadcast_to(5 + 0.4 * rng.standard_normal((12, 2)), (1, 5, 12, 2))
    odd = [
        rng.normal(0, 2, (1, 5, 11, 11)),
        rng.normal(0, 2, (1, 5, 11, 11)) - 200,
        np.where(rng.random((1, 5, 11, 11)) < 0.02, 1000.0, 0.0),
        np.full((1, 5, 11, 11), 60.0),
        np.full((1, 5, 11, 11), 1e8),
        frames_from_targets(many, np.full((1, 5, 12), 235.0), Optics()),
        frames_from_targets(np.full((1, 5, 3, 2), 5.0), np.full((1, 5, 3), 235.0), Optics()),
    ]
    for frames in odd:
        found = method.detect(frames, CAMERA)
        assert _is_sound(found)
        assert _counts(found, (1, 5)).max() <= 8


def test_dense_scenes_are_answered() -> None:
    shard, camera = _set("seqcsist-dense", 20, "noise_sigma=1")
    found = WHOLE.detect(shard.frames, camera)
    right = _counts(found, (20, 20)) == shard.scenes.count
    assert right[shard.scenes.count <= 6].all()
    assert _is_sound(found)


def test_twenty_frames_or_more_mean_the_whole_sequence() -> None:
    shard, camera = _set("seqcsist", 2, "noise_sigma=2")
    frames = np.concatenate([shard.frames, shard.frames[:, ::-1]], axis=1)
    for number in (20, 25):
        found = SequenceMaximumLikelihood(frames=number).detect(frames, camera)
        np.testing.assert_array_equal(found.x, WHOLE.detect(frames, camera).x)
    assert SequenceMaximumLikelihood(frames="all") == WHOLE


def test_no_frames_give_no_detections() -> None:
    assert len(WHOLE.detect(np.zeros((0, 20, 11, 11)), CAMERA)) == 0
    assert len(WHOLE.detect(np.zeros((2, 0, 11, 11)), CAMERA)) == 0


def test_other_optics() -> None:
    optics = Optics(psf_sigma=1.0, size=24)
    xy = np.broadcast_to([[11.2, 12.0], [12.1, 12.4], [11.8, 11.1]], (1, 20, 3, 2))
    frames = frames_from_targets(xy, np.full((1, 20, 3), 235.0), optics)
    found = WHOLE.detect(frames, Camera(optics)).ordered()
    np.testing.assert_allclose(found.x.reshape(20, 3), np.sort(xy[0, ..., 0], axis=-1), atol=0.01)


def test_bad_frames_are_named() -> None:
    frames = np.zeros((1, 5, 11, 11))
    with pytest.raises(InputError, match=r"frames must have shape \(B, T, size, size\)"):
        WHOLE.detect(frames[0], CAMERA)
    with pytest.raises(InputError, match="frames must have shape"):
        WHOLE.detect(frames[..., :9], CAMERA)
    frames[0, 3, 4, 5] = np.nan
    with pytest.raises(InputError, match=r"frames must be finite everywhere, got nan at index \(3, 4, 5\)"):
        WHOLE.detect(frames, CAMERA)
    frames[0, 3, 4, 5] = 1e200
    with pytest.raises(InputError, match="frames must hold values within"):
        WHOLE.detect(frames, CAMERA)


def test_settings_come_from_the_recipe_and_are_checked() -> None:
    method = build_training_free(find("ml-seq"), ["frames=5", "motion=polynomial"])
    assert method == SequenceMaximumLikelihood(frames=5, motion="polynomial")
    with pytest.raises(InputError, match="frames must be"):
        build_training_free(find("ml-seq"), ["frames=0"])
    with pytest.raises(InputError, match="unknown field 'motions'; did you mean 'motion'"):
        build_training_free(find("ml-seq"), ["motions=rigid"])
    with pytest.raises(AttributeError):
        method.frames = 3


@pytest.mark.parametrize("method", [WHOLE, FIVE])
def test_a_target_has_one_track(method: SequenceMaximumLikelihood) -> None:
    shard, camera = _set("seqcsist", 6)
    scenes = shard.scenes
    scores = score_tracks(
        method.detect(shard.frames, camera),
        Truth.from_arrays(scenes.xy, scenes.intensity, scenes.count, range(20)),
    )
    assert scores is not None
    assert (scores.idf1, scores.id_switches) == (100, 0)


def test_frames_that_are_answered_alone_have_no_tracks() -> None:
    shard, camera = _set("seqcsist", 2)
    assert SequenceMaximumLikelihood(frames=1).detect(shard.frames, camera).track is None
    assert WHOLE.detect(shard.frames[:, :1], camera).track is None
