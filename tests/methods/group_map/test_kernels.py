"""The group fit's parts against plain re-implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import truncnorm

from csist_bench.methods.fitting.grouping import plan_groups
from csist_bench.methods.fitting.hit_probability import hit_probability
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import psf_table
from csist_bench.methods.fitting.survey import survey_frames
from csist_bench.methods.group_map._kernels import decision as group_decision
from csist_bench.methods.group_map._kernels import fit as group_fitting
from csist_bench.methods.group_map._kernels import posterior as group_posterior
from csist_bench.methods.group_map.hypotheses import normal_draws
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
        windows, origins, np.arange(frames)[None], pivot[None], basis, drift, prior,
        NoiseModel(psf_table(0.5), 4.0, 0.0, np.inf, np.inf),
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
            windows, origins, np.array([[0, 1, -1, 3, 4]]), centroids[:1, :2].copy(), path_basis(5), np.zeros(5), prior,
            NoiseModel(psf_table(0.5), 4.0, 0.0, np.inf, np.inf),
        )  # fmt: skip
        state, u = prior[:1].copy(), prior.shape[1]
        work = np.empty(1), np.empty(1), np.empty((1, u, u))
        hypotheses = group_fitting.Hypotheses(np.zeros(1, np.int64), direction_sets("axes", 4), state, *work)
        group_fitting.fit_hypotheses(groups, hypotheses, 4)
        answers.append(state)
    np.testing.assert_array_equal(answers[0], answers[1])


@pytest.mark.parametrize("mean, sd", [(235.0, 8.0), (247.0, 6.0), (222.0, 3.0)])
def test_the_uniform_law_truncates_the_intensities(mean: float, sd: float) -> None:
    inverse_variance = 1 / 75.0
    wide = 1 / (1 / sd**2 + inverse_variance)  # the posterior under the normal law, from a likelihood N(mean, sd^2)
    centre = wide * (mean / sd**2 + inverse_variance * 235.0)
    state, covariance = np.array([0.0, centre]), np.array([[1.0, 0.5 * wide], [0.5 * wide, wide]])
    bounds, prior = np.array([220.0, 250.0, 0.01]), np.array([235.0, inverse_variance])
    # Points of a fine regular quantile grid stand in for the quasi-random ones.
    draws = truncnorm.ppf((np.arange(20_000) + 0.5) / 20_000, -9, 9)[:, None]
    group_posterior.uniform_intensities(1, bounds, draws, prior, state, covariance)
    expected = truncnorm((220 - mean) / sd, (250 - mean) / sd, mean, sd)
    assert state[1] == pytest.approx(expected.mean(), abs=0.02)
    assert covariance[1, 1] == pytest.approx(expected.var(), rel=0.01)
    assert state[0] == pytest.approx(0.5 * (state[1] - centre), abs=1e-9)


def test_few_draws_suffice_for_four_intensities() -> None:
    rng = np.random.default_rng(1)
    root = np.tril(rng.normal(0, 3, (4, 4))) + 5 * np.eye(4)
    centre = np.array([230.0, 241.0, 247.0, 226.0])
    bounds, prior = np.array([220.0, 250.0, 1.0]), np.array([235.0, 1 / 75.0])
    results = []
    for draws in (normal_draws(4), rng.standard_normal((400_000, 4))):
        mean, second = np.zeros(4), np.zeros((4, 4))
        change = group_posterior.weigh_draws(centre, root, bounds, draws, prior, mean, second)
        results.append((change, centre + root @ mean))
    assert results[0][0] == pytest.approx(results[1][0], abs=0.5)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1.5)


@pytest.mark.parametrize("offset", [0.0, 0.05, 0.15, 0.3])
@pytest.mark.parametrize("major, minor", [(0.01, 0.01), (0.05, 0.05), (0.2, 0.2), (0.15, 0.01), (0.05, 0.02)])
def test_hit_probability_agrees_with_sampling(offset: float, major: float, minor: float) -> None:
    points = np.random.default_rng(0).normal((offset, 0.0), (major, minor), (200_000, 2))
    away = np.hypot(points[:, 0], points[:, 1])
    sampled = np.mean([np.mean(away <= d) for d in (0.05, 0.10, 0.15, 0.20, 0.25)])
    # Eight slices of the major axis are exact to a few hundredths where a threshold passes between them.
    assert hit_probability(offset, major, minor) == pytest.approx(sampled, abs=0.05)


def test_a_solution_found_twice_counts_once() -> None:
    xy = np.array([[[1.0, 1.0], [2.0, 2.0]], [[2.0, 2.001], [1.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]])
    probability = group_decision.hypothesis_probabilities(np.array([0.0, -0.1, 0.0]), np.array([2, 2, 2]), xy)
    np.testing.assert_allclose(probability, [0.5, 0.0, 0.5])


@pytest.mark.parametrize("frames, length", [(20, 20), (20, 5), (20, 1), (3, 5), (1, 20), (130, 20), (130, 130)])
def test_plans_answer_every_frame_once_from_its_own_group(frames: int, length: int) -> None:
    blank = np.zeros(2 * frames, np.bool_)
    blank[frames + frames // 2] = True
    plan = plan_groups(blank, np.arange(2), frames, length)
    assert sorted(plan.frames.tolist()) == np.flatnonzero(~blank).tolist()
    np.testing.assert_array_equal(plan.members[plan.groups, plan.frame_offsets], plan.frames)
    assert (plan.members != frames + frames // 2).all()
    assert (plan.members // frames == plan.members[:, :1] // frames)[plan.members >= 0].mean() > 0.5
