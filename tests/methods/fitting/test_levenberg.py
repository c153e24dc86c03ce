"""Cost, equations and fits of one frame against naive oracles."""

import math

import numpy as np
import pytest
from scipy.special import log_ndtr
from scipy.stats import norm

from csist_bench.methods.fitting.lanes import padded
from csist_bench.methods.fitting.levenberg import (
    FrameWindow,
    Prior,
    StoppingRule,
    cost_of,
    damped_step,
    fit_frame,
    frame_workspace,
    gather_equations,
)
from csist_bench.methods.fitting.noise_model import simple_noise_model
from tests.reference.naive_fitting import naive_cost, naive_jacobian, naive_model

ROWS, COLUMNS = np.arange(3, 8), np.arange(2, 7)


def scene(seed, targets=3):
    rng = np.random.default_rng(seed)
    theta = np.column_stack([4 + rng.uniform(-0.5, 0.5, (targets, 2)) + [0, 1], rng.uniform(220, 250, targets)])
    return rng, np.ascontiguousarray(theta)


@pytest.mark.parametrize(
    "gain,saturation,edge", [(0.0, math.inf, math.inf), (0.7, math.inf, math.inf), (0.0, 60.0, 59.5), (0.7, 60.0, 60.0)]
)
def test_cost_score_and_normal_equations_equal_the_naive_ones(gain, saturation, edge):
    rng, theta = scene(1)
    variance = 4.0
    pixels = np.minimum(naive_model(theta, ROWS, COLUMNS, 0.5) + 2 * rng.standard_normal((5, 5)), saturation)
    theta += rng.normal(0, [0.05, 0.05, 5.0], theta.shape)
    work = frame_workspace(3, 5)
    noise_model = simple_noise_model(0.5, variance, gain, saturation, edge)
    prior = Prior(np.zeros((3, 3)), np.zeros((3, 3)), 0.0)
    cost = cost_of(theta, FrameWindow(pixels, ROWS[0], COLUMNS[0]), noise_model, prior, work, None)
    model = naive_model(theta, ROWS, COLUMNS, 0.5)
    assert cost == pytest.approx(naive_cost(pixels, model, variance, gain, saturation, edge), rel=1e-9)

    gather_equations(theta, noise_model, prior, work, None)
    step = 1e-5
    for p in range(9):
        shift = np.zeros(9)
        shift[p] = step
        up = naive_cost(
            pixels, naive_model(theta + shift.reshape(3, 3), ROWS, COLUMNS, 0.5), variance, gain, saturation, edge
        )
        down = naive_cost(
            pixels, naive_model(theta - shift.reshape(3, 3), ROWS, COLUMNS, 0.5), variance, gain, saturation, edge
        )
        assert work.gradient[p] == pytest.approx(-0.25 * (up - down) / step, rel=1e-4, abs=1e-4)

    jacobian = naive_jacobian(theta, ROWS, COLUMNS, 0.5)
    spread = variance + gain * model.ravel()
    weight = 1 / spread + 0.5 * (gain / spread) ** 2
    clipped = pixels.ravel() >= saturation
    z = (model.ravel() - edge) / np.sqrt(spread)
    with np.errstate(invalid="ignore"):
        ratio = np.exp(norm.logpdf(z) - log_ndtr(z))
        weight = np.where(clipped, ratio * (ratio + z) / spread, weight)
    assert clipped.any() == np.isfinite(saturation)
    expected = jacobian.T @ (weight[:, None] * jacobian)
    np.testing.assert_allclose(work.normal, expected, rtol=1e-5, atol=1e-7 * abs(expected).max())


def test_a_fit_from_nearby_returns_to_the_truth_of_noise_free_pixels():
    rng, theta = scene(3)
    pixels = naive_model(theta, ROWS, COLUMNS, 0.5)
    start = theta + rng.normal(0, [0.03, 0.03, 2.0], theta.shape)
    prior = Prior(np.zeros((3, 3)), np.zeros((3, 3)), 0.0)
    noise_model = simple_noise_model(0.5, 0.01, 0.0, math.inf, math.inf)
    cost = fit_frame(
        start,
        FrameWindow(pixels, ROWS[0], COLUMNS[0]),
        noise_model,
        prior,
        StoppingRule(200, 1e-9),
        frame_workspace(3, 5),
        None,
    )
    assert cost < 1e-6
    np.testing.assert_allclose(start, theta, rtol=1e-4, atol=1e-3)


def test_steps_leave_nothing_in_their_scratch_that_grows():
    rng, n = np.random.default_rng(5), 12
    factor, step = np.zeros((n, padded(n + 1))), np.zeros(n)
    for _ in range(100):
        part = 0.01 * rng.normal(size=(n, n))  # of roots below 1, by which each step divides
        normal, gradient = part @ part.T, rng.normal(size=n)
        assert damped_step(n, 1e-2, normal, gradient, factor, step) > 0
        assert np.abs(factor).max() < 1e6 * np.abs(normal).max()
        damped = normal + np.diag(1e-2 * np.diag(normal))
        assert step == pytest.approx(np.linalg.solve(damped, gradient), rel=1e-6, abs=1e-9)
