"""`ml`: exact where it can be, calibrated where the model holds, and a defined answer for everything else."""

import functools
import math
import time

import numpy as np
import pytest

from csist_bench.conventions import THRESHOLDS
from csist_bench.errors import InputError
from csist_bench.methods.ml.method import MaximumLikelihood
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets, render_shard

OPTICS = Optics()
QUIET = Camera(OPTICS)


@functools.cache
def rendered(name, *overrides, trajectories=12):
    recipe = load_data_recipe(name, ["seed=8", "frames=4", "scored_frames=:", *overrides])
    shard = render_shard(recipe, range(trajectories))
    return shard.frames, shard.scenes, Camera.from_recipe(recipe)


def nearest_errors(found, scenes):
    """Return for each detection the offset (dx, dy) to its nearest target, that target's brightness, and the count."""
    xy = scenes.xy[found.trajectory, found.frame]
    offset = np.stack([found.x, found.y], axis=-1)[:, None] - xy
    distance = np.where(np.isnan(offset[..., 0]), np.inf, np.hypot(offset[..., 0], offset[..., 1]))
    row = np.arange(len(found)), distance.argmin(axis=1)
    return (
        offset[row],
        scenes.intensity[found.trajectory, found.frame][row],
        scenes.count[found.trajectory, found.frame],
    )


def counts(found, scenes):
    table = np.zeros(scenes.count.shape, int)
    np.add.at(table, (found.trajectory, found.frame), 1)
    return table


@pytest.mark.parametrize("name", ["seqcsist", "seqcsist-rotated"])
def test_noise_free_frames_are_solved_exactly(name):
    frames, scenes, camera = rendered(name)
    found = MaximumLikelihood().detect(frames, camera)
    offset, intensity, _ = nearest_errors(found, scenes)
    assert (counts(found, scenes) == scenes.count).all()
    assert np.hypot(*offset.T).max() < THRESHOLDS[0]
    assert abs(found.intensity - intensity).max() < 15


@pytest.mark.slow
@pytest.mark.parametrize("name,noise", [("seqcsist", 2), ("seqcsist", 5), ("seqcsist-8bit", 0)])
def test_the_count_is_known_up_to_strong_noise_and_under_clipping(name, noise):
    frames, scenes, camera = rendered(name, f"noise_sigma={noise}")
    found = MaximumLikelihood().detect(frames, camera)
    assert (counts(found, scenes) == scenes.count).all()


def test_errors_have_unit_spread_where_the_peak_is_sharp():
    frames, scenes, camera = rendered("seqcsist", "noise_sigma=1", "k_max=2", trajectories=60)
    found = MaximumLikelihood().detect(frames, camera)
    offset, intensity, _ = nearest_errors(found, scenes)
    for error, sigma in (
        (offset[:, 0], found.sigma_x),
        (offset[:, 1], found.sigma_y),
        (found.intensity - intensity, found.sigma_intensity),
    ):
        assert 0.85 < np.sqrt(np.mean((error / sigma) ** 2)) < 1.2


def test_scores_are_expected_hits():
    frames, scenes, camera = rendered("seqcsist", "noise_sigma=2", trajectories=60)
    found = MaximumLikelihood().detect(frames, camera)
    distance = np.hypot(*nearest_errors(found, scenes)[0].T)
    hit = np.mean([distance <= d for d in THRESHOLDS], axis=0)
    assert hit.mean() == pytest.approx(found.score.mean(), abs=0.08)
    order = np.argsort(-found.score)
    half = len(order) // 2
    assert hit[order[:half]].mean() > hit[order[half:]].mean() + 0.1


def test_turning_the_scene_by_a_quarter_turns_the_answer():
    frames, _, camera = rendered("seqcsist-rotated", "noise_sigma=1")
    plain = MaximumLikelihood(samples=0).detect(frames, camera)
    turned = MaximumLikelihood(samples=0).detect(np.ascontiguousarray(np.swapaxes(frames, 2, 3)[..., ::-1]), camera)
    back = np.stack([plain.trajectory, plain.frame, 10 - plain.y, plain.x], axis=-1)
    there = np.stack([turned.trajectory, turned.frame, turned.x, turned.y], axis=-1)
    assert back.shape == there.shape
    close = 0
    for row in back:
        same = there[(there[:, 0] == row[0]) & (there[:, 1] == row[1])]
        close += np.hypot(*(same[:, 2:] - row[2:]).T).min() < 0.03
    assert close > 0.9 * len(back)


def test_frames_are_answered_one_by_one():
    frames, _, camera = rendered("seqcsist", "noise_sigma=5")
    method = MaximumLikelihood()
    together = method.detect(frames, camera).ordered()
    order = np.arange(len(frames))[::-1]
    apart = [method.detect(frames[i : i + 1], camera).shifted(trajectory=int(i)) for i in order]
    x = np.concatenate([part.ordered().x for part in apart[::-1]])
    np.testing.assert_array_equal(np.sort(together.x), np.sort(x))


def test_input_is_left_alone_and_integer_frames_are_read():
    frames, _, camera = rendered("seqcsist-8bit")
    assert frames.dtype == np.uint8
    before = frames.copy()
    found = MaximumLikelihood().detect(frames, camera)
    as_floats = MaximumLikelihood().detect(frames.astype(np.float32), camera)
    np.testing.assert_array_equal(frames, before)
    assert len(found) == len(as_floats)


def test_a_background_is_taken_off():
    frames, scenes, _ = rendered("seqcsist")
    found = MaximumLikelihood().detect(frames + 40.0, Camera(OPTICS, background=40.0))
    assert np.hypot(*nearest_errors(found, scenes)[0].T).max() < THRESHOLDS[0]


def test_frames_without_targets_are_answered_with_none():
    rng = np.random.default_rng(0)
    frames = np.stack([np.zeros((1, 11, 11)), 2 * rng.standard_normal((1, 11, 11)), np.full((1, 11, 11), -30.0)])
    for brightness in ("law", "free"):
        assert len(MaximumLikelihood(brightness=brightness).detect(frames, Camera(OPTICS, noise_sigma=2.0))) == 0


def test_targets_at_the_border_are_counted_and_found():
    rng = np.random.default_rng(1)
    centre = np.column_stack([rng.uniform(0.2, 0.6, 40), rng.uniform(3, 7, 40)])
    xy = centre[:, None, None] + np.array([[0.3, 0.0], [-0.3, 0.0]])
    frames = frames_from_targets(xy, np.full((40, 1, 2), 235.0), OPTICS)
    found = MaximumLikelihood().detect(frames, QUIET)
    assert (np.bincount(found.trajectory, minlength=40) == 2).mean() > 0.9
    distance = np.hypot(
        found.x[:, None] - xy[found.trajectory, 0, :, 0], found.y[:, None] - xy[found.trajectory, 0, :, 1]
    )
    assert np.median(distance.min(axis=1)) < 0.05


def test_more_targets_than_the_most_are_answered_with_the_most():
    rng = np.random.default_rng(2)
    xy = 5 + rng.uniform(-0.6, 0.6, (3, 1, 12, 2))
    frames = frames_from_targets(xy, np.full((3, 1, 12), 235.0), OPTICS)
    found = MaximumLikelihood().detect(frames, QUIET)
    assert np.bincount(found.trajectory).tolist() == [8, 8, 8]
    assert found.intensity.sum() == pytest.approx(frames.sum(), rel=0.03)


@pytest.mark.parametrize("noise", [1e-3, 0.05, 20.0, 500.0])
@pytest.mark.parametrize("brightness", ["law", "free"])
def test_a_wrong_noise_level_still_gives_finite_answers(noise, brightness):
    frames, _, _ = rendered("seqcsist", "noise_sigma=2")
    found = MaximumLikelihood(brightness=brightness).detect(frames[:4], Camera(OPTICS, noise_sigma=noise))
    for column in found.columns().values():
        assert np.isfinite(column).all()
    assert ((found.score >= 0) & (found.score <= 1)).all()


@pytest.mark.parametrize("size,psf_sigma", [(3, 0.5), (5, 0.3), (32, 0.5), (32, 1.5)])
def test_other_images_and_optics(size, psf_sigma):
    optics = Optics(psf_sigma, size, 5)
    middle = (size - 1) / 2
    xy = np.array([[[[middle + 1.2 * psf_sigma, middle], [middle - 0.8 * psf_sigma, middle + 0.1]]]])
    frames = frames_from_targets(xy, np.full((1, 1, 2), 240.0), optics)
    found = MaximumLikelihood().detect(frames, Camera(optics)).ordered()
    assert len(found) == 2
    np.testing.assert_allclose(found.x, np.sort(xy[0, 0, :, 0]), atol=0.02)


def test_without_the_law_evidence_tells_the_count_at_weak_noise():
    xy = np.array([[[[5.0, 5.0], [5.6, 5.2]]]])
    frames = frames_from_targets(xy, np.array([[[150.0, 800.0]]]), OPTICS)
    found = MaximumLikelihood(brightness="free").detect(frames, QUIET).ordered()
    np.testing.assert_allclose(found.x, [5.0, 5.6], atol=0.02)
    np.testing.assert_allclose(found.intensity, [150, 800], rtol=0.05)


def test_shot_noise_is_weighted():
    frames, scenes, camera = rendered("seqcsist", "shot_gain=0.5", "noise_sigma=0.3", trajectories=20)
    assert camera.shot_gain == 0.5
    found = MaximumLikelihood().detect(frames, camera)
    offset, _, count = nearest_errors(found, scenes)
    pairs = count == 2
    assert 0.7 < np.sqrt(np.mean((offset[pairs, 0] / found.sigma_x[pairs]) ** 2)) < 1.5


@pytest.mark.parametrize(
    "frames,message",
    [
        (np.full((1, 1, 11, 11), np.nan), "frames must be finite everywhere"),
        (np.full((1, 1, 11, 11), np.inf), "frames must be finite everywhere"),
        (np.zeros((8, 121)), "frames must have shape"),
        (np.zeros((1, 1, 2, 11)), "frames must be at least 3 pixels a side"),
        (np.zeros((1, 1, 11, 11), complex), "frames must hold real numbers"),
    ],
)
def test_bad_frames_are_refused(frames, message):
    with pytest.raises(InputError, match=message):
        MaximumLikelihood().detect(frames, QUIET)


def test_no_frames_give_no_detections():
    assert len(MaximumLikelihood().detect(np.zeros((0, 20, 11, 11)), QUIET)) == 0


def test_extreme_pixels_end_in_finite_answers():
    frames = np.zeros((3, 1, 11, 11))
    frames[0, 0, 5, 5] = 1e30
    frames[1] = 1e6
    frames[2, 0, 0, 0] = 700.0
    started = time.perf_counter()
    found = MaximumLikelihood().detect(frames, QUIET)
    assert time.perf_counter() - started < 60
    assert all(np.isfinite(column).all() for column in found.columns().values())
    assert not math.isnan(found.score.sum())
