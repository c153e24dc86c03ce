"""The dense pixel model against the quick one, naive oracles and finite differences."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_ndtr

from csist_bench.methods.fitting.dense_images import WIDTHS, dense_workspace
from csist_bench.methods.fitting.dense_model import dense_cost, dense_equations
from csist_bench.methods.fitting.lanes import padded
from csist_bench.methods.fitting.noise_model import simple_noise_model
from csist_bench.methods.fitting.pixel_model import normal_equations, pixel_terms, window_model

N, ROW, COLUMN = 9, 1, 2


def scene(seed=0, targets=3):
    rng = np.random.default_rng(seed)
    theta = np.column_stack(
        [rng.uniform(5.4, 6.6, targets), rng.uniform(4.4, 5.6, targets), rng.uniform(150, 300, targets)]
    )
    return rng, np.ascontiguousarray(theta)


def dense(**fields):
    return simple_noise_model(0.5, 4.0)._replace(dense=True, **fields)


def evaluate(theta, pixels, noise_model, freed=False, widths=(1.0, 1.0)):
    """Return cost, light, background, and the normal matrix and gradient at theta."""
    work = dense_workspace(len(theta), N)
    work.widths[:] = widths
    model, score, curvature = np.zeros((3, N, N))
    cost = dense_cost(theta, pixels, ROW, COLUMN, noise_model, freed, work, model, score, curvature)
    unknowns = 3 * len(theta) + WIDTHS * freed
    normal, gradient = np.zeros((unknowns, unknowns)), np.zeros(unknowns)
    dense_equations(unknowns, noise_model.background, work, score, curvature, normal, gradient)
    return cost, model, level_image(work.level, noise_model.background), normal, gradient, work


def level_image(level, unknowns):
    slope = (2 * np.arange(N) - (N - 1)) / N
    along_y, along_x = np.meshgrid(slope, slope, indexing="ij")
    return np.einsum("p,pij->ij", level[:unknowns], np.stack([np.ones((N, N)), along_x, along_y])[:unknowns])


def noisy(theta, rng, noise_model, background=0.0):
    light = evaluate(theta, np.zeros((N, N)), noise_model._replace(background=0))[1]
    return light + background + 2 * rng.standard_normal((N, N))


PLANE = 12.0 + 0.5 * np.arange(N)[None, :] - 0.8 * np.arange(N)[:, None]


@pytest.mark.parametrize("gain,saturation", [(0.0, math.inf), (0.7, math.inf), (0.0, 60.0), (0.7, 60.0)])
def test_without_anything_more_it_is_the_quick_model(gain, saturation):
    rng, theta = scene()
    simple = simple_noise_model(0.5, 4.0, gain, saturation, saturation)
    pixels = np.minimum(noisy(theta, rng, dense()), saturation)
    theta += rng.normal(0, [0.05, 0.05, 5], theta.shape)
    cost, model, _, normal, gradient, _ = evaluate(theta, pixels, simple._replace(dense=True))
    a, da, b, db = np.zeros((4, 3, padded(N)))
    image, score, curvature = np.zeros((3, N, padded(N)))
    window_model(theta, ROW, COLUMN, simple.table, simple.table_y, a, da, b, db, image)
    expected = pixel_terms(pixels, image, 4.0, gain, saturation, saturation, score, curvature)
    right, left = np.zeros(9), np.zeros((9, 9))
    normal_equations(theta, a, da, b, db, score, curvature, 0.0, False, np.zeros(9), left, right)
    np.testing.assert_allclose(model, image[:, :N], rtol=1e-12, atol=1e-10)
    assert cost == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(normal, left, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gradient, right, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("unknowns", [1, 3])
def test_the_background_is_the_least_squares_one_and_its_share_is_taken_off(unknowns):
    rng, theta = scene(1)
    noise_model = dense(background=unknowns)
    pixels = noisy(theta, rng, noise_model, PLANE if unknowns == 3 else 40.0)
    cost, model, level, normal, gradient, work = evaluate(theta, pixels, noise_model)
    basis = np.stack([np.ones((N, N)), *np.meshgrid(np.arange(N), np.arange(N))])[:unknowns].reshape(unknowns, -1).T
    best, *_ = np.linalg.lstsq(basis, (pixels - model).ravel(), rcond=None)
    residual = (pixels - model).ravel() - basis @ best
    np.testing.assert_allclose(level.ravel(), basis @ best, atol=1e-9)
    assert cost == pytest.approx(residual @ residual / 4.0, rel=1e-10)
    images = np.hstack([work.images[:9].T, basis])
    full = np.linalg.inv(images.T @ images / 4.0)
    np.testing.assert_allclose(np.linalg.inv(normal), full[:9, :9], rtol=1e-6)
    np.testing.assert_allclose(gradient, work.images[:9] @ residual / 4.0, rtol=1e-7, atol=1e-8)


def test_with_shot_noise_and_clipping_no_other_background_is_more_likely():
    rng, theta = scene(2)
    noise_model = dense(background=3, gain=0.8, saturation=110.0, edge=109.5)
    pixels = np.minimum(noisy(theta, rng, noise_model, PLANE + 20), 110.0)
    assert (pixels >= 110).any()
    cost, model, level, *_ = evaluate(theta, pixels, noise_model)

    def cost_of(image):
        spread = 4.0 + 0.8 * np.maximum(model + image, 0)
        seen = pixels < 110
        clipped = -2 * log_ndtr((model + image - 109.5)[~seen] / np.sqrt(spread[~seen])).sum()
        return clipped + (((pixels - model - image) ** 2 / spread + np.log(spread / 4.0))[seen]).sum()

    assert cost == pytest.approx(cost_of(level), rel=1e-10)
    lowest = minimize(lambda p: cost_of(level + level_image(p, 3)), np.zeros(3), method="Nelder-Mead", tol=1e-7)
    assert cost - lowest.fun < 1e-3


def test_a_bad_pixel_and_one_of_unbounded_noise_tell_nothing():
    rng, theta = scene(4)
    variance = rng.uniform(1, 9, (N + ROW, N + COLUMN))
    variance[ROW + 3, COLUMN + 4] = np.inf
    noise_model = dense(variance_map=variance, background=1)
    pixels = noisy(theta, rng, noise_model)
    quiet, wild = pixels.copy(), pixels.copy()
    wild[3, 4] = 1e5
    first, second = evaluate(theta, quiet, noise_model), evaluate(theta, wild, noise_model)
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[3], second[3])
    weight = 1 / variance[ROW:, COLUMN:]
    residual = quiet - first[1]
    level = (weight * residual).sum() / weight.sum()
    assert first[0] == pytest.approx((weight * (residual - level) ** 2).sum(), rel=1e-10)
