"""The posterior under the uniform law of intensities against plain re-implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import truncnorm

from csist_bench.methods.group_map._kernels import posterior as group_posterior
from csist_bench.methods.group_map.hypotheses import normal_draws


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


@pytest.mark.parametrize("rotates", [False, True])
def test_positions_and_their_errors_follow_from_the_state_and_its_covariance(rotates: bool) -> None:
    rng = np.random.default_rng(4)
    degrees, targets, drift, arm_sd = 3, 3, 0.02, 0.01
    unknowns = 2 * degrees + 1 + targets + rotates
    state, basis, arms, pivot = rng.normal(size=unknowns), rng.random(degrees), rng.normal(size=(3, 2)), np.ones(2)
    root = 0.1 * rng.normal(size=(unknowns, unknowns))
    covariance = root @ root.T

    def places(state: np.ndarray) -> np.ndarray:
        point = np.array([basis @ state[:degrees], basis @ state[degrees : 2 * degrees]])
        angle = state[-1] if rotates else 0.0
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return pivot + (point + (state[2 * degrees] + drift) * arms) @ turn.T

    rows, xy, sigma, spread = np.empty((3, 2, unknowns)), np.empty((3, 2)), np.empty((3, 2)), np.empty((3, 2))
    group_posterior.place_targets(
        state, covariance, arms, pivot, basis, drift, arm_sd, rows[0], rows[1], rows[2], xy, sigma, spread
    )
    np.testing.assert_allclose(xy, places(state), rtol=1e-12)
    steps = 1e-6 * np.eye(unknowns)
    slope = np.stack([(places(state + step) - places(state - step)) / 2e-6 for step in steps], axis=-1)
    for k in range(targets):
        of_arm = arm_sd * slope[k, :, 2 * degrees]
        error = slope[k] @ covariance @ slope[k].T
        np.testing.assert_allclose(sigma[k], np.sqrt(np.diag(error) + of_arm**2), rtol=1e-6)
        axes = np.linalg.eigvalsh(error + np.diag(of_arm**2))[::-1]
        np.testing.assert_allclose(spread[k], np.sqrt(axes), rtol=1e-5)
