"""The group MAP fit as a method: exact without noise, calibrated with it, and defined on any input."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.track_scores import score_tracks
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.group_map.method import GroupMap
from csist_bench.methods.registry import build_training_free, find
from csist_bench.recipes import convert, load_data_recipe, load_method_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import Shard, frames_from_targets, render_shard
from csist_bench.simulation.scenes import AXES

Floats = NDArray[np.float64]
CENTRE = 5.0
STARTS: tuple[Literal["free", "integer"], ...] = ("free", "integer")


def shard_of(name: str, count: int, *overrides: str) -> tuple[Shard, Camera]:
    recipe = load_data_recipe(name, ["seed=7", *overrides])
    return render_shard(recipe, range(count)), Camera.from_recipe(recipe)


def errors(found: Detections, shard: Shard) -> Floats:
    """Distance of every detection to the nearest target of its frame, px."""
    xy = shard.scenes.xy[found.trajectory, found.frame]
    return np.asarray(np.nanmin(np.hypot(xy[..., 0] - found.x[:, None], xy[..., 1] - found.y[:, None]), axis=1))


def counts(found: Detections, shape: tuple[int, ...]) -> NDArray[np.int64]:
    table = np.zeros(shape[:2], np.int64)
    np.add.at(table, (found.trajectory, found.frame), 1)
    return table


def scene(offsets: Floats, intensity: float = 235.0, frames: int = 3, centre: float = CENTRE) -> Floats:
    """Frames (1, frames, 11, 11) of targets at fixed offsets from the centre."""
    xy = np.broadcast_to(centre + np.asarray(offsets), (1, frames, len(offsets), 2))
    return np.asarray(frames_from_targets(xy, np.full(xy.shape[:-1], intensity), Optics()))


def assert_sound(found: Detections) -> None:
    for name, column in found.columns().items():
        assert np.isfinite(column).all(), name
    assert (found.score >= 0).all()
    assert (found.score <= 1 + 1e-9).all()
    if len(found):  # an answer without rows has no optional columns
        assert found.sigma_x is not None
        assert (found.sigma_x > 0).all()


@pytest.mark.parametrize("frames", [1, 5, 20])
@pytest.mark.parametrize("recipe", ["seqcsist", "seqcsist-8bit"])
def test_every_target_is_found_without_read_noise(recipe: str, frames: int) -> None:
    shard, camera = shard_of(recipe, 8)
    found = GroupMap(frames=frames).detect(shard.frames, camera)
    assert (counts(found, shard.frames.shape) == shard.scenes.count).all()
    assert errors(found, shard).max() < (0.012 if recipe == "seqcsist" else 0.04)
    assert_sound(found)


def test_noise_costs_little_where_the_whole_sequence_is_used() -> None:
    shard, camera = shard_of("seqcsist", 24, "noise_sigma=2")
    error = {f: errors(GroupMap(frames=f).detect(shard.frames, camera), shard) for f in (1, 5, 20)}
    assert np.mean(error[1] < 0.05) > 0.85
    assert np.mean(error[5] < 0.05) > 0.95
    assert np.mean(error[20] < 0.05) > 0.99
    assert np.median(error[20]) < np.median(error[5]) < np.median(error[1])


@pytest.mark.parametrize("frames", [1, 20])
def test_errors_and_scores_are_calibrated(frames: int) -> None:
    shard, camera = shard_of("seqcsist", 30, "noise_sigma=2")
    found = GroupMap(frames=frames).detect(shard.frames, camera)
    xy = shard.scenes.xy[found.trajectory, found.frame]
    apart = np.hypot(xy[..., 0] - found.x[:, None], xy[..., 1] - found.y[:, None])
    nearest = np.nanargmin(apart, axis=1)
    row, near = np.arange(len(found)), np.nanmin(apart, axis=1)
    sure = found.score > 0.9
    pull = (found.x - xy[row, nearest, 0]) / found.sigma_x
    # Robust spread (median absolute deviation); 30 trajectories leave it about 10 % uncertain.
    assert 0.75 < 1.4826 * np.median(np.abs(pull[sure & (near < 0.15)])) < 1.25
    right = np.mean([near <= d for d in (0.05, 0.10, 0.15, 0.20, 0.25)], axis=0)
    assert abs(right.mean() - found.score.mean()) < 0.04


def test_turned_scenes_need_the_angle() -> None:
    shard, camera = shard_of("seqcsist-rotated", 12)
    turned = GroupMap(axes="rotated").detect(shard.frames, camera)
    fixed = GroupMap().detect(shard.frames, camera)
    assert errors(turned, shard).max() < 0.02
    assert np.median(errors(fixed, shard)) > 0.02
    alone = GroupMap(axes="rotated", frames=1).detect(shard.frames[:, :2], camera)
    assert errors(alone, shard).max() < 0.05


def test_a_known_start_settles_what_noise_leaves_open() -> None:
    shard, camera = shard_of("seqcsist-rotated", 24, "noise_sigma=3")
    free, known = (
        errors(GroupMap(axes="rotated", start=start).detect(shard.frames, camera), shard) for start in STARTS
    )
    assert np.mean(known < 0.05) > np.mean(free < 0.05)
    upright, camera = shard_of("seqcsist", 10, "noise_sigma=5")
    alone, told = (errors(GroupMap(frames=1, start=start).detect(upright.frames, camera), upright) for start in STARTS)
    assert np.mean(told < 0.05) > np.mean(alone < 0.05)


def test_turned_and_scaled_scenes_need_a_loose_radius() -> None:
    shard, camera = shard_of("seqcsist-rotated-scaled", 12)
    found = GroupMap(axes="rotated", radius=0.33, radius_sd=0.08).detect(shard.frames, camera)
    assert errors(found, shard).max() < 0.03


@pytest.mark.parametrize("frames", [1, 20])
def test_a_quarter_turn_of_the_frames_turns_the_answer(frames: int) -> None:
    shard, camera = shard_of("seqcsist", 6, "noise_sigma=2")
    method = GroupMap(frames=frames)
    upright = method.detect(shard.frames, camera).ordered()
    turned = method.detect(np.rot90(shard.frames, axes=(2, 3)), camera)
    back = Detections(turned.trajectory, turned.frame, 10 - turned.y, turned.x, turned.score).ordered()
    # Not to rounding: the quasi-random points that weigh the intensities are not symmetric in the targets.
    np.testing.assert_allclose(back.x, upright.x, atol=6e-3)
    np.testing.assert_allclose(back.y, upright.y, atol=6e-3)
    np.testing.assert_allclose(back.score, upright.score, atol=4e-2)


def test_dense_scenes_are_answered_by_compass_points() -> None:
    shard, camera = shard_of("seqcsist-dense", 6)
    exact = GroupMap(directions="compass").detect(shard.frames, camera)
    assert (counts(exact, shard.frames.shape) == shard.scenes.count).all()
    assert errors(exact, shard).max() < 0.05
    assert exact.sigma_intensity is not None
    assert (exact.sigma_intensity > 0.01).all()
    plain = GroupMap().detect(shard.frames, camera)
    assert (counts(plain, shard.frames.shape) == shard.scenes.count).all()
    assert_sound(plain)


def test_more_light_than_the_largest_count_is_answered_by_that_many() -> None:
    rng = np.random.default_rng(0)
    frames = scene(rng.uniform(-0.6, 0.6, (12, 2)))
    assert (counts(GroupMap().detect(frames, Camera(Optics())), frames.shape) == 8).all()
    few = GroupMap(max_targets=3).detect(scene(0.3 * AXES), Camera(Optics()))
    assert (counts(few, (1, 3)) == 3).all()
    assert_sound(few)


def test_one_target_stands_on_the_reference_point() -> None:
    found = GroupMap().detect(scene(np.array([[0.21, -0.37]])), Camera(Optics()))
    assert len(found) == 3
    np.testing.assert_allclose(found.x, CENTRE + 0.21, atol=2e-3)
    np.testing.assert_allclose(found.y, CENTRE - 0.37, atol=2e-3)


def test_blank_frames_have_no_targets_and_do_not_disturb_the_others() -> None:
    shard, camera = shard_of("seqcsist", 3, "noise_sigma=1")
    frames = shard.frames.copy()
    frames[0, 4:7] = frames[1] = 0.0
    for length in (1, 5, 20):
        found = GroupMap(frames=length).detect(frames, camera)
        table = counts(found, frames.shape)
        assert (table[1] == 0).all()
        assert (table[0, 4:7] == 0).all()
        assert (table[0, :4] == shard.scenes.count[0, :4]).all()
        assert (table[2] == shard.scenes.count[2]).all()
    assert len(GroupMap().detect(np.zeros_like(frames), camera)) == 0


def test_a_changing_number_of_targets_is_fitted_frame_by_frame() -> None:
    frames = np.concatenate([scene(0.3 * AXES[:2]), scene(0.3 * AXES)], axis=1)
    found = GroupMap().detect(frames, Camera(Optics()))
    assert counts(found, frames.shape).tolist() == [[2, 2, 2, 4, 4, 4]]
    alone = GroupMap(frames=1).detect(frames, Camera(Optics()))
    np.testing.assert_array_equal(found.x, alone.x)


@pytest.mark.parametrize("told", [0.05, 30.0])
def test_wrong_noise_still_gives_sound_answers(told: float) -> None:
    recipe = load_data_recipe("seqcsist", ["seed=7", "noise_sigma=3"])
    shard = render_shard(recipe, range(6))
    found = GroupMap().detect(shard.frames, Camera.from_recipe(recipe, noise_sigma=told))
    assert_sound(found)
    if told < 3:
        assert (counts(found, shard.frames.shape) == shard.scenes.count).all()
        # Without a weight on the brightness law positions suffer; the errors widen to what the residuals show.
        assert np.median(errors(found, shard)) < min(0.08, 15 * np.median(found.sigma_x))


def test_shot_noise_is_taken_into_account() -> None:
    shard, camera = shard_of("seqcsist", 8, "shot_gain=0.2", "noise_sigma=1")
    found = GroupMap().detect(shard.frames, camera)
    assert (counts(found, shard.frames.shape) == shard.scenes.count).all()
    assert np.mean(errors(found, shard) < 0.05) > 0.98


def test_a_known_background_is_subtracted() -> None:
    shard, camera = shard_of("seqcsist", 4)
    lifted, told = shard_of("seqcsist", 4, "background=constant", "background_mean=40")
    plain = GroupMap().detect(shard.frames, camera)
    np.testing.assert_allclose(GroupMap().detect(lifted.frames, told).x, plain.x, atol=1e-4)


@pytest.mark.parametrize("centre", [-0.9, -0.4, 0.0, 0.3, 10.4, 11.5, 40.0])
def test_blobs_on_and_past_the_border_are_defined(centre: float) -> None:
    for offsets in (0.3 * AXES, 0.3 * AXES[:2]):
        for length in (1, 20):
            found = GroupMap(frames=length).detect(scene(offsets, centre=centre), Camera(Optics(), 1.0))
            assert_sound(found)
            assert len(found) <= 3 * 4


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 3), st.sampled_from([1, 5, 20]), st.sampled_from(["fixed", "rotated"]))
def test_any_finite_frames_have_sound_answers(seed: int, scale: float, length: Any, axes: Any) -> None:
    rng = np.random.default_rng(seed)
    frames = 10**scale * rng.standard_normal((2, 4, 11, 11))
    assert_sound(GroupMap(frames=length, axes=axes).detect(frames, Camera(Optics(), 2.0)))


def test_a_sequence_is_answered_alike_alone_and_in_a_batch() -> None:
    shard, camera = shard_of("seqcsist", 9, "noise_sigma=3")
    for method in (GroupMap(), GroupMap(frames=5), GroupMap(frames=1)):
        together = method.detect(shard.frames, camera)
        alone = method.detect(shard.frames[4:5], camera)
        mine = together.select(together.trajectory == 4)
        np.testing.assert_allclose(alone.x, mine.x, atol=1e-9)
        np.testing.assert_allclose(alone.score, mine.score, atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 12, 70])
def test_sequences_of_any_length_are_answered_whole(length: int) -> None:
    shard, camera = shard_of("seqcsist", 3, f"frames={length}", "scored_frames=:", "step=0.01")
    found = GroupMap().detect(shard.frames, camera)
    assert (counts(found, shard.frames.shape) == shard.scenes.count).all()
    assert errors(found, shard).max() < 0.05


def test_a_window_as_long_as_the_sequence_is_the_sequence() -> None:
    shard, camera = shard_of("seqcsist", 4, "noise_sigma=2")
    frames = shard.frames[:, :5]
    window, whole = GroupMap(frames=5).detect(frames, camera), GroupMap(frames=20).detect(frames, camera)
    np.testing.assert_array_equal(window.x, whole.x)
    np.testing.assert_array_equal(window.x, GroupMap(frames="all").detect(frames, camera).x)


def test_integer_frames_are_answered_as_their_float_values() -> None:
    shard, camera = shard_of("seqcsist", 4, "bits=10", "dtype=uint16")
    whole_numbers = GroupMap().detect(shard.frames, camera)
    np.testing.assert_array_equal(GroupMap().detect(shard.frames.astype(np.float64), camera).x, whole_numbers.x)


def test_bad_frames_and_settings_are_named() -> None:
    camera = Camera(Optics())
    frames = np.zeros((1, 2, 11, 11))
    frames[0, 1, 3, 4] = np.nan
    with pytest.raises(InputError, match="frames must be finite"):
        GroupMap().detect(frames, camera)
    with pytest.raises(InputError, match="frames must have shape"):
        GroupMap().detect(np.zeros((2, 11, 11)), camera)
    with pytest.raises(InputError, match="window must"):
        GroupMap(window=7).detect(np.zeros((1, 1, 5, 5)), Camera(Optics(size=5)))
    with pytest.raises(InputError, match="window must be odd"):
        GroupMap(window=6)
    with pytest.raises(InputError, match="frames must be one of 1, 5, 20, all, got 7"):
        convert({"frames": 7}, GroupMap, "group-map settings")


def test_the_shipped_recipe_builds_the_method() -> None:
    assert load_method_recipe("group-map").method == "group-map"
    assert isinstance(build_training_free(find("group-map"), ["frames=5"]), GroupMap)
    assert len(GroupMap().detect(np.zeros((0, 3, 11, 11)), Camera(Optics()))) == 0


@pytest.mark.parametrize("frames", [5, "all"])
def test_a_target_has_one_track(frames: Literal[5, "all"]) -> None:
    shard, camera = shard_of("seqcsist", 6)
    scenes = shard.scenes
    truth = Truth.from_arrays(scenes.xy, scenes.intensity, scenes.count, range(20))
    scores = score_tracks(GroupMap(frames=frames).detect(shard.frames, camera), truth)
    assert scores is not None
    assert (scores.idf1, scores.id_switches) == (100, 0)
    assert GroupMap(frames=1).detect(shard.frames, camera).track is None
