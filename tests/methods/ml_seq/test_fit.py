"""The joint equations against naive ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.methods.fitting.dense_images import dense_workspace
from csist_bench.methods.fitting.noise_model import simple_noise_model
from csist_bench.methods.ml_seq._kernels.fit import SequenceWindow, joint_equations, sequence_workspace
from csist_bench.methods.ml_seq._kernels.motion import MotionModel
from tests.helpers.foreign_sequences import gaussian_spot
from tests.helpers.sequence_fits import random_fit
from tests.reference.naive_sequence import naive_equations, naive_targets


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 5), degree=st.integers(0, 3), rigid=st.booleans())
def test_joint_equations_equal_the_naive_ones(seed: int, k: int, degree: int, rigid: bool) -> None:
    rng, a, times, centre = random_fit(seed, k, degree, rigid)
    frames = rng.normal(0, 20, (4, 11, 11))
    mean, inverse_variance = rng.standard_normal(len(a)), rng.uniform(0.1, 2, len(a))
    basis = np.ascontiguousarray(np.polynomial.legendre.legvander(times, degree)[:, 1:])
    window = SequenceWindow(frames, np.zeros((4, 2), np.int64), np.arange(4), times, basis, centre)
    work, p = sequence_workspace(k, 11, len(a)), len(a)
    normal, gradient = np.empty((p, p)), np.empty(p)
    noise_model = simple_noise_model(0.5, 9.0, 0.0, np.inf, np.inf)
    cost = joint_equations(
        a,
        window,
        MotionModel(k, degree, rigid, False, mean, inverse_variance),
        noise_model,
        work,
        normal,
        gradient,
        None,
    )
    expected = naive_equations(a, frames, times, centre, (k, degree, rigid), 3.0, mean, inverse_variance)
    assert cost == pytest.approx(expected[0], rel=1e-9)
    scale = np.abs(expected[1]).max()
    np.testing.assert_allclose(np.tril(normal), np.tril(expected[1]), rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(gradient, expected[2], rtol=1e-5, atol=1e-6 * np.abs(expected[2]).max())


@pytest.mark.parametrize("rigid", [True, False])
@pytest.mark.parametrize("unknown_levels", [0, 3])
def test_equations_with_widths_and_a_background_equal_those_of_finite_differences(
    rigid: bool, unknown_levels: int
) -> None:
    k, degree, step, told = 2, 2, 1e-5, (0.55, 0.48)
    rng, targets, times, centre = random_fit(5, k, degree, rigid)
    a = np.concatenate([targets, [1.06, 0.95]])
    frames, p = rng.normal(300, 20, (4, 11, 11)), len(a)
    mean, inverse_variance = rng.standard_normal(p), rng.uniform(0.1, 2, p)
    row, column = np.mgrid[:11, :11]
    basis = np.stack([np.ones((11, 11)), column, row])[:unknown_levels].reshape(-1, 121).T
    off = np.eye(121) - basis @ np.linalg.pinv(basis)

    def residual(unknowns: np.ndarray) -> np.ndarray:
        spot, light = gaussian_spot((told[0] * unknowns[-2], told[1] * unknowns[-1])), np.zeros((4, 11, 11))
        for t, u in enumerate(times):
            for x, y, s in naive_targets(unknowns[:-2], u, centre, k, degree, rigid):
                light[t] += s * spot(x, y, 11)
        return np.concatenate([off @ image.ravel() for image in frames - light]) / 3.0

    jacobian = np.stack([(residual(a - at) - residual(a + at)) / (2 * step) for at in step * np.eye(p)], axis=1)
    window = SequenceWindow(
        frames,
        np.zeros((4, 2), np.int64),
        np.arange(4),
        times,
        np.ascontiguousarray(np.polynomial.legendre.legvander(times, degree)[:, 1:]),
        centre,
    )
    noise_model = simple_noise_model(0.5, 9.0)._replace(sigma_x=told[0], sigma_y=told[1], background=unknown_levels)
    work, normal, gradient = sequence_workspace(k, 11, p), np.empty((p, p)), np.empty(p)
    model = MotionModel(k, degree, rigid, True, mean, inverse_variance)
    cost = joint_equations(a, window, model, noise_model, work, normal, gradient, dense_workspace(k, 11))
    assert cost == pytest.approx(residual(a) @ residual(a) + inverse_variance @ (mean - a) ** 2, rel=1e-9)
    expected = jacobian.T @ jacobian + np.diag(inverse_variance)
    np.testing.assert_allclose(np.tril(normal), np.tril(expected), rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    right = jacobian.T @ residual(a) + inverse_variance * (mean - a)
    np.testing.assert_allclose(gradient, right, rtol=1e-5, atol=1e-6 * np.abs(right).max())
    full = np.tril(normal) + np.tril(normal, -1).T
    sd = np.sqrt(np.diag(np.linalg.inv(expected)))
    np.testing.assert_allclose(np.sqrt(np.diag(np.linalg.inv(full))), sd, rtol=1e-4)
