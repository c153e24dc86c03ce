"""Chains over freely placed groups against importance sampling from the law itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from csist_bench.methods.posterior._kernels import (
    LIGHT_UNIT,
    move_all,
    note_state,
    refresh_factor,
    shared_area,
    together_of,
)
from csist_bench.methods.posterior.chains import (
    CHAINS,
    Effort,
    FreeLaw,
    features,
    likely_count,
    r_hat,
    sample_frame,
    start_in_disc,
)
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets, render_shard

Floats = NDArray[np.float64]
SIGMA = 25.0
LAW = FreeLaw(2, 4, 0.45, 220.0, 250.0)
CAMERA = Camera(Optics(), noise_sigma=SIGMA)
EFFORT = Effort(40_000, 8_000, 2_000)


def frame_of(xy: Floats, light: Floats, seed: int) -> Floats:
    clean = frames_from_targets(xy[None, None], light[None, None], CAMERA.optics)[0, 0]
    return np.asarray(clean + SIGMA * np.random.default_rng(seed).normal(size=clean.shape), dtype=np.float64)


def by_importance(frame: Floats, count: int, number: int) -> tuple[Floats, Floats]:
    """Return targets (N, K, 2) drawn from the law about a centre anywhere in the middle, and their weights."""
    rng = np.random.default_rng(1)
    centre = 5 + rng.uniform(-0.6, 0.6, (number, 1, 2))
    place = centre + start_in_disc(rng, number * count, LAW.radius).reshape(number, count, 2)
    light = rng.uniform(LAW.low, LAW.high, (number, count))
    log = np.empty(number)
    for first in range(0, number, 20_000):
        rows = slice(first, first + 20_000)
        model = frames_from_targets(place[None, rows], light[None, rows], CAMERA.optics)[0]
        log[rows] = -0.5 * ((frame - model) ** 2).sum(axis=(1, 2)) / SIGMA**2
    weight = np.exp(log - log.max())
    return place, weight / weight.sum()


@pytest.mark.parametrize("xy, seed", [([[4.8, 5.1], [5.2, 4.9]], 1), ([[5.0, 5.3], [5.2, 4.9], [4.8, 4.9]], 2)])
def test_chains_find_what_importance_sampling_finds(xy: list[list[float]], seed: int) -> None:
    frame = frame_of(np.array(xy), np.full(len(xy), 235.0), seed)
    found = sample_frame(frame[None], 0, 1, CAMERA, LAW, [seed], EFFORT)
    assert found.place.shape == (CHAINS, EFFORT.samples, len(xy), 2)
    assert found.r_hat < 1.05
    place, weight = by_importance(frame, len(xy), 200_000)
    assert 1 / (weight**2).sum() > 500  # the reference itself is good
    chained = features(found.place, np.zeros(found.place.shape[:2])).reshape(11 - 1, -1)[1:]
    expected = features(place[None], np.zeros((1, len(place)))).reshape(11 - 1, -1)[1:]
    for values, others in zip(chained, expected):
        mean = (weight * others).sum()
        sd = np.sqrt((weight * (others - mean) ** 2).sum())
        assert values.mean() == pytest.approx(mean, abs=0.12 * sd)
        assert values.std() == pytest.approx(sd, rel=0.12)


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    frame = frame_of(np.array([[4.8, 5.1], [5.2, 4.9]]), np.array([230.0, 240.0]), 3)
    few = Effort(600, 200, 20)
    one, again, other = (sample_frame(frame[None], 0, 1, CAMERA, LAW, [n], few) for n in (1, 1, 2))
    np.testing.assert_array_equal(one.place, again.place)
    assert (one.place != other.place).any()


def test_five_frames_tell_more_than_one() -> None:
    recipe = load_data_recipe("seqcsist-free", ["noise_sigma=5", "separation_min=0", "seed=4"])
    shard, camera = render_shard(recipe, range(4)), Camera.from_recipe(recipe)
    spread = {}
    for window in (1, 5):
        sizes = []
        for n in range(4):
            found = sample_frame(shard.frames[n], 9, window, camera, FreeLaw.of(recipe), [n], Effort(8_000, 3_000, 128))
            count = int(shard.scenes.count[n, 9])
            assert found.place.shape[2] == count
            # The middle of the group is found.
            middle = found.place.mean(axis=2).reshape(-1, 2)
            truth = shard.scenes.xy[n, 9, :count].mean(axis=0)
            assert (np.abs(middle.mean(axis=0) - truth) < 5 * middle.std(axis=0) + 0.002).all()
            sizes.append(middle.std(axis=0).mean())
        spread[window] = np.mean(sizes)
    assert spread[5] < 0.75 * spread[1]


def test_chains_agree_where_five_frames_leave_little_room() -> None:
    """Places, light and path vary together there; steps that change one thing alone leave half the frames above 1.2."""
    recipe = load_data_recipe("seqcsist-free", ["noise_sigma=2", "separation_min=0", "seed=4"])
    shard, camera, law = render_shard(recipe, range(12)), Camera.from_recipe(recipe), FreeLaw.of(recipe)
    effort = Effort(8_000, 3_000, 128)
    worst = [sample_frame(shard.frames[n], 9, 5, camera, law, [n], effort).r_hat for n in range(12)]
    assert np.median(worst) < 1.08


def test_what_varies_together_is_the_covariance_of_the_states() -> None:
    rng = np.random.default_rng(0)
    unknowns, number, path_sd = 3 * 3 + 2 * 2, 50, np.array([0.1, 0.02])
    states = rng.normal(size=(number, unknowns)) @ rng.normal(size=(unknowns, unknowns))
    together = together_of(unknowns)
    for state in states:
        path = state[9:].reshape(2, 2) * path_sd[:, None]
        note_state(state[:6].reshape(3, 2), state[6:9] * LIGHT_UNIT, path, path_sd, together)
    refresh_factor(together)
    factor = together.factor
    np.testing.assert_allclose(factor @ factor.T, np.cov(states.T, bias=True), atol=1e-6)
    # A step along it changes every unknown as the factor says, in the units of the state.
    normal, place, light, path = rng.normal(size=unknowns), np.zeros((3, 2)), np.zeros(3), np.zeros((2, 2))
    move_all(0.5, normal, place, light, path, path_sd, factor)
    moved = np.concatenate([place.ravel(), light / LIGHT_UNIT, (path / path_sd[:, None]).ravel()])
    np.testing.assert_allclose(moved, 0.5 * factor @ normal)


def test_the_light_tells_the_count() -> None:
    for count in (2, 3, 4):
        xy = 5 + 0.3 * np.stack([np.cos(np.arange(count)), np.sin(np.arange(count))], axis=-1)
        clean = frame_of(xy, np.full(count, 235.0), count)
        assert likely_count(clean[None], replace(CAMERA, noise_sigma=5.0), LAW) == count


def test_the_area_that_discs_share() -> None:
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 1001)] * 2), -1).reshape(-1, 2)
    for place in ([[0, 0]], [[0, 0], [0.3, 0.2]], [[0, 0], [0.3, 0.2], [-0.1, 0.4]], [[0, 0], [0.95, 0]]):
        points = np.array(place, dtype=np.float64)
        inside = (np.hypot(*(grid[:, None] - points).transpose(2, 0, 1)) <= 0.45).all(axis=1)
        assert shared_area(points, 0.45) == pytest.approx(inside.mean() * 4, rel=0.02, abs=1e-4)


def test_r_hat_is_one_for_chains_that_agree_and_more_where_they_do_not() -> None:
    rng = np.random.default_rng(0)
    same = rng.normal(size=(3, 2, 500))
    assert r_hat(same) < 1.02
    apart = same.copy()
    apart[1, 1] += 2.0
    assert r_hat(apart) > 1.5
    assert r_hat(np.ones((1, 2, 10))) == pytest.approx(np.sqrt(0.9))
