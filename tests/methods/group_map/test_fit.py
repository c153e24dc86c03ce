"""The group fit against a general solver."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.methods.fitting.noise_model import simple_noise_model
from csist_bench.methods.fitting.survey import survey_frames
from csist_bench.methods.group_map._kernels import fit as group_fitting
from csist_bench.methods.group_map.scene_law import direction_sets, path_basis, prior_of
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.rendering import render_shard
from tests.reference.naive_group import NaiveGroup


@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("frames", [1, 5, 20])
def test_fits_agree_with_a_general_solver(frames: int, rotates: bool) -> None:
    recipe = load_data_recipe(
        "seqcsist", ["seed=3", "noise_sigma=2", "k_min=3", "k_max=3", f"rotate={str(rotates).lower()}"]
    )
    camera = Camera.from_recipe(recipe)
    pixels = np.ascontiguousarray(render_shard(recipe, range(1)).frames[0, :frames], dtype=np.float64)
    windows, origins, centroids, _ = survey_frames(pixels, 5, np.inf, 1.3)
    basis, drift = path_basis(frames), 0.0007 * (np.arange(frames) - (frames - 1) / 2)
    prior = prior_of(3, frames, (0.307, 0.005), rotates, 0.0, camera)
    pivot = centroids[:, :2].mean(axis=0)
    groups = group_fitting.Groups(
        windows, origins, np.full(frames, 4.0), np.arange(frames)[None], pivot[None], basis, drift, prior,
        simple_noise_model(0.5, 4.0, 0.0, np.inf, np.inf),
    )  # fmt: skip
    arms = direction_sets("axes", 3)
    state = np.tile(prior[0], (4, 1))
    start = state.copy()
    cost, volume, factor = np.empty(4), np.empty(4), np.empty((4, state.shape[1], state.shape[1]))
    hypotheses = group_fitting.Hypotheses(np.zeros(4, np.int64), arms, state, cost, volume, factor)
    group_fitting.fit_hypotheses(groups, hypotheses, 25)
    for hypothesis in range(4):
        naive = NaiveGroup(windows, origins, pivot, basis, drift, arms[hypothesis], prior, 2.0, 0.5, rotates)
        best, best_cost, best_volume = naive.fit(state[hypothesis] if rotates else start[hypothesis])
        assert cost[hypothesis] == pytest.approx(best_cost, rel=1e-5)
        np.testing.assert_allclose(naive.positions(state[hypothesis]), naive.positions(best), atol=2e-4)
        assert volume[hypothesis] == pytest.approx(best_volume, abs=0.02)


def test_left_out_frames_do_not_count() -> None:
    recipe = load_data_recipe("seqcsist", ["seed=3", "noise_sigma=2", "k_min=4"])
    camera = Camera.from_recipe(recipe)
    pixels = render_shard(recipe, range(1)).frames[0, :5].astype(np.float64)
    answers = []
    for spoilt in (0.0, 1e4):
        windows, origins, centroids, _ = survey_frames(pixels, 5, np.inf, 1.3)
        windows[2] += spoilt
        prior = prior_of(4, 5, (0.307, 0.005), False, 0.0, camera)
        groups = group_fitting.Groups(
            windows, origins, np.full(5, 4.0), np.array([[0, 1, -1, 3, 4]]), centroids[:1, :2].copy(), path_basis(5),
            np.zeros(5), prior,
            simple_noise_model(0.5, 4.0, 0.0, np.inf, np.inf),
        )  # fmt: skip
        state, u = prior[:1].copy(), prior.shape[1]
        work = np.empty(1), np.empty(1), np.empty((1, u, u))
        hypotheses = group_fitting.Hypotheses(np.zeros(1, np.int64), direction_sets("axes", 4), state, *work)
        group_fitting.fit_hypotheses(groups, hypotheses, 4)
        answers.append(state)
    np.testing.assert_array_equal(answers[0], answers[1])


@pytest.mark.parametrize("rotates", [False, True])
def test_a_fit_has_the_same_bits_whatever_is_fitted_beside_it(rotates: bool) -> None:
    recipe = load_data_recipe("seqcsist", ["seed=3", "noise_sigma=2", "k_min=3", "k_max=3"])
    pixels = render_shard(recipe, range(1)).frames[0, :10].astype(np.float64)
    windows, origins, centroids, _ = survey_frames(pixels, 5, np.inf, 1.3)
    prior = prior_of(3, 5, (0.307, 0.005), rotates, 0.0, Camera.from_recipe(recipe))
    groups = group_fitting.Groups(
        windows, origins, np.full(10, 4.0), np.arange(10).reshape(2, 5), centroids[::5, :2].copy(), path_basis(5),
        np.zeros(5), prior,
        simple_noise_model(0.5, 4.0, 0.0, np.inf, np.inf),
    )  # fmt: skip
    number = 2 * group_fitting.LANES + 3
    group = np.sort(np.arange(number) % 2)
    arms = np.tile(direction_sets("axes", 3), (number, 1, 1))[:number]
    state = prior[0] + 0.05 * np.random.default_rng(2).standard_normal((number, prior.shape[1]))
    room = np.zeros(number), np.zeros(number), np.zeros((number, 0, 0))
    start = group_fitting.Hypotheses(group, arms, state, *room)
    together, without = start.select(np.arange(number)).with_factors(), start.select(np.arange(number))
    group_fitting.fit_hypotheses(groups, together, 3)
    group_fitting.fit_hypotheses(groups, without, 3)
    lower = np.tril_indices(prior.shape[1])
    for j in range(number):
        alone = start.select(np.array([j])).with_factors()
        group_fitting.fit_hypotheses(groups, alone, 3)
        for part in ("state", "cost", "log_volume"):
            assert getattr(alone, part).tobytes() == getattr(together, part)[j : j + 1].tobytes()
            assert getattr(without, part).tobytes() == getattr(together, part).tobytes()
        assert alone.factor[0][lower].tobytes() == together.factor[j][lower].tobytes()


def test_hypotheses_are_picked_by_a_mask_as_by_their_numbers() -> None:
    made = group_fitting.Hypotheses(*(np.arange(4), *(np.random.default_rng(0).random((4, 2, 2)) for _ in range(5))))
    mask = np.array([True, False, False, True])
    for by_mask, by_number in zip(made.select(mask), made.select(np.array([0, 3])), strict=True):
        np.testing.assert_array_equal(by_mask, by_number)
