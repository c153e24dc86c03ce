"""The joint equations against naive ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.methods.fitting.noise_model import simple_noise_model
from csist_bench.methods.ml_seq._kernels.fit import SequenceWindow, joint_equations, sequence_workspace
from csist_bench.methods.ml_seq._kernels.motion import MotionModel
from tests.helpers.sequence_fits import random_fit
from tests.reference.naive_sequence import naive_equations


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
        a, window, MotionModel(k, degree, rigid, False, mean, inverse_variance), noise_model, work, normal, gradient
    )
    expected = naive_equations(a, frames, times, centre, (k, degree, rigid), 3.0, mean, inverse_variance)
    assert cost == pytest.approx(expected[0], rel=1e-9)
    scale = np.abs(expected[1]).max()
    np.testing.assert_allclose(np.tril(normal), np.tril(expected[1]), rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(gradient, expected[2], rtol=1e-5, atol=1e-6 * np.abs(expected[2]).max())
