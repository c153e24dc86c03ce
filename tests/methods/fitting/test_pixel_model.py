"""The fitting kernels against naive SciPy oracles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr
from scipy.stats import norm

from csist_bench.methods.fitting import linear_algebra
from csist_bench.methods.fitting import pixel_model as fitting
from csist_bench.methods.fitting.hit_probability import round_hit_probability
from csist_bench.methods.fitting.levenberg import (
    FrameWindow,
    Prior,
    cost_of,
    fit_frame,
    frame_workspace,
    gather_equations,
)
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.starts import prony_start
from csist_bench.methods.ml._kernels.decision import assign, choose_positions, hits
from csist_bench.methods.ml._kernels.posterior import draws_from_generator, moments_of, taylor_of
from csist_bench.methods.ml._kernels.starts import harmonic_moments
from csist_bench.simulation.optics import pixel_response
from tests.reference.naive_fitting import naive_cost, naive_jacobian, naive_model

ROWS, COLUMNS = np.arange(3, 8), np.arange(2, 7)


def scene(seed, targets=3):
    rng = np.random.default_rng(seed)
    theta = np.column_stack([4 + rng.uniform(-0.5, 0.5, (targets, 2)) + [0, 1], rng.uniform(220, 250, targets)])
    return rng, np.ascontiguousarray(theta)


@pytest.mark.parametrize("psf_sigma", [0.3, 0.5, 1.0, 2.3])
@given(position=st.floats(-3, 14), first=st.integers(-2, 6))
@settings(max_examples=60, deadline=None)
def test_the_table_gives_the_pixel_integral_and_its_slope(psf_sigma, position, first):
    q, dq = np.full(7, np.nan), np.full(7, np.nan)
    fitting.axis_response(position, first, fitting.psf_table(psf_sigma), q, dq)
    pixel = np.arange(first, first + 7)
    slope = (
        norm.pdf((pixel - position - 0.5) / psf_sigma) - norm.pdf((pixel - position + 0.5) / psf_sigma)
    ) / psf_sigma
    np.testing.assert_allclose(q, pixel_response(pixel, np.float64(position), psf_sigma), atol=4e-12)
    np.testing.assert_allclose(dq, slope, atol=2e-10)


def test_a_position_far_away_gives_no_light():
    q, dq = np.full(5, np.nan), np.full(5, np.nan)
    for position in (-1e300, -40.0, 60.0, 1e300):
        fitting.axis_response(position, 0, fitting.psf_table(0.5), q, dq)
        assert not q.any()
        assert not dq.any()


@pytest.mark.parametrize("where", [(5.2, 4.9), (0.3, 10.1), (10.4, 0.0)])
def test_the_window_holds_the_blob_and_stays_inside(where):
    frame = naive_model(np.array([[*where, 235.0]]), np.arange(11), np.arange(11), 0.5) - 3.0
    row, column = fitting.window_origin(frame, 5)
    assert 0 <= row <= 6
    assert 0 <= column <= 6
    assert row <= round(where[1]) <= row + 4
    assert column <= round(where[0]) <= column + 4
    assert (row, column) == (min(max(round(where[1]) - 2, 0), 6), min(max(round(where[0]) - 2, 0), 6))


@pytest.mark.parametrize(
    "gain,saturation,edge", [(0.0, math.inf, math.inf), (0.7, math.inf, math.inf), (0.0, 60.0, 59.5), (0.7, 60.0, 60.0)]
)
def test_cost_score_and_normal_equations_equal_the_naive_ones(gain, saturation, edge):
    rng, theta = scene(1)
    variance = 4.0
    pixels = np.minimum(naive_model(theta, ROWS, COLUMNS, 0.5) + 2 * rng.standard_normal((5, 5)), saturation)
    theta += rng.normal(0, [0.05, 0.05, 5.0], theta.shape)
    work = frame_workspace(3, 5)
    noise_model = NoiseModel(fitting.psf_table(0.5), variance, gain, saturation, edge)
    prior = Prior(np.zeros((3, 3)), np.zeros((3, 3)), 0.0)
    cost = cost_of(theta, FrameWindow(pixels, ROWS[0], COLUMNS[0]), noise_model, prior, work)
    model = naive_model(theta, ROWS, COLUMNS, 0.5)
    assert cost == pytest.approx(naive_cost(pixels, model, variance, gain, saturation, edge), rel=1e-9)

    gather_equations(theta, noise_model, prior, work)
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


@given(z=st.floats(-200, 30))
@settings(max_examples=200, deadline=None)
def test_log_tail_equals_scipy(z):
    value, ratio = fitting.log_tail(z)
    assert value == pytest.approx(log_ndtr(z), rel=1e-8, abs=1e-15)
    assert ratio == pytest.approx(math.exp(norm.logpdf(z) - log_ndtr(z)), rel=1e-7)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_the_small_linear_algebra_equals_numpy(seed, n):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n + 2))
    matrix = root @ root.T + 0.1 * np.eye(n)
    factor, vector, out = matrix.copy(), rng.standard_normal(n), np.zeros((n, n))
    expected = np.linalg.solve(matrix, vector)
    assert linear_algebra.cholesky(factor, n)
    linear_algebra.solve(factor, n, vector)
    linear_algebra.inverse(factor, n, out)
    np.testing.assert_allclose(vector, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(out, np.linalg.inv(matrix), rtol=1e-6, atol=1e-9)
    assert linear_algebra.log_determinant(factor, n) == pytest.approx(np.linalg.slogdet(matrix)[1], abs=1e-8)


def test_a_matrix_that_is_not_positive_has_no_factor():
    assert not linear_algebra.cholesky(np.diag([1.0, -1.0]), 2)
    assert not linear_algebra.cholesky(np.full((2, 2), np.nan), 2)


def test_a_fit_from_nearby_returns_to_the_truth_of_noise_free_pixels():
    rng, theta = scene(3)
    pixels = naive_model(theta, ROWS, COLUMNS, 0.5)
    start = theta + rng.normal(0, [0.03, 0.03, 2.0], theta.shape)
    prior = Prior(np.zeros((3, 3)), np.zeros((3, 3)), 0.0)
    noise_model = NoiseModel(fitting.psf_table(0.5), 0.01, 0.0, math.inf, math.inf)
    cost = fit_frame(
        start, FrameWindow(pixels, ROWS[0], COLUMNS[0]), noise_model, prior, 200, 1e-9, frame_workspace(3, 5)
    )
    assert cost < 1e-6
    np.testing.assert_allclose(start, theta, rtol=1e-4, atol=1e-3)


def test_prony_finds_the_points_whose_powers_it_is_given():
    points = np.array([0.3 + 0.1j, -0.2 + 0.25j, -0.15 - 0.3j, 0.05 - 0.05j])
    power = np.array([np.mean(points**p) for p in range(5)])
    roots = np.zeros(4, np.complex128)
    prony_start(power, roots, np.zeros(5, np.complex128))
    np.testing.assert_allclose(np.sort_complex(roots), np.sort_complex(points), atol=1e-6)


def test_a_single_target_has_no_moments_and_a_pair_has_its_own():
    a, b, slope, power = np.zeros(5), np.zeros(5), np.zeros(5), np.zeros(5, np.complex128)
    table = fitting.psf_table(0.5)
    pair = 0.2 * np.exp(1j * 0.7) * np.array([1, -1]) + 2.1 + 1.9j
    for points in (pair.mean() * np.ones(1), pair):
        theta = np.array([[z.real, z.imag, 100.0] for z in points])
        pixels = naive_model(theta, np.arange(5), np.arange(5), 0.5)
        x, y, square = harmonic_moments(pixels, 0.5, table, a, b, slope, power)
        wanted = np.mean((points - pair.mean()) ** 2)
        assert abs(complex(x, y) - pair.mean()) < 0.03
        assert abs(power[2] - wanted) < 0.012
        assert abs(square - abs(wanted)) < 0.025


def test_taylor_series_reach_over_the_group():
    coefficient = np.zeros((5, 11))
    taylor_of(4.1, 2, 0.5, coefficient)
    for h in (-0.6, -0.3, 0.0, 0.4, 0.6):
        series = coefficient @ h ** np.arange(11)
        np.testing.assert_allclose(series, pixel_response(np.arange(2, 7), np.float64(4.1 + h), 0.5), atol=2e-3)


def test_arrangements_are_orthonormal_and_keep_the_centre():
    draws = draws_from_generator(np.random.default_rng(0), 50, 5)
    for k in (3, 4, 5):
        pair = draws.arrangement[k, :, :k]
        np.testing.assert_allclose(pair.sum(axis=1), 0, atol=1e-12)
        gram = np.einsum("akm,bkm->abm", pair, pair)
        np.testing.assert_allclose(gram, np.eye(2)[:, :, None] * np.ones(50), atol=1e-12)


def test_moments_of_targets():
    out = np.zeros(6)
    moments_of(np.array([[1.0, 2.0, 100.0], [2.0, 4.0, 300.0]]), out)
    np.testing.assert_allclose(out, [400, 1.75, 3.5, 0.1875, 0.375, 0.75])


def test_a_round_errors_hit_probability_agrees_with_sampling():
    rng = np.random.default_rng(0)
    errors = np.linalg.norm(0.12 * rng.standard_normal((200_000, 2)), axis=1)
    simulated = np.mean([(errors <= d).mean() for d in (0.05, 0.10, 0.15, 0.20, 0.25)])
    assert round_hit_probability(0.12**2) == pytest.approx(simulated, abs=0.003)


def test_hits_follow_the_rule_of_one_target_for_one_position():
    nearest, square, share = np.zeros(2, np.int64), np.zeros(2), np.zeros(2)
    truth = np.array([[[0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]])
    answer = np.array([[0.12, 0.0, 1.0], [0.04, 0.0, 1.0]])
    assert hits(answer, truth, 1, nearest, square, share) == pytest.approx(1.0)
    np.testing.assert_allclose(share, [0.0, 1.0])
    answer[0, 0] = 0.88
    assert hits(answer, truth, 1, nearest, square, share) == pytest.approx(1.6)
    assign(answer, truth[0], nearest, square)
    assert nearest.tolist() == [1, 0]


def test_the_decision_goes_where_most_samples_are():
    rng = np.random.default_rng(2)
    cluster = np.array([[0.3, 0.0, 235.0], [-0.3, 0.0, 235.0]])
    samples = np.repeat(cluster[None], 32, axis=0) + rng.normal(0, [0.03, 0.03, 0], (32, 2, 3))
    samples[::4] = [[0.0, 0.3, 235.0], [0.0, -0.3, 235.0]]
    answer, score = np.array([[0.0, 0.3, 235.0], [0.0, -0.3, 235.0]]), np.zeros(2)
    choose_positions(answer, samples, 32, score)
    np.testing.assert_allclose(answer[np.argsort(answer[:, 0]), :2], [[-0.3, 0], [0.3, 0]], atol=0.04)
    assert (score > 0.6).all()
    assert (score <= 0.76).all()
