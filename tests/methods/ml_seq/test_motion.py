"""The motion models' covariances against the dense product."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.methods.ml_seq._kernels.motion import MotionModel, covariances
from tests.helpers.sequence_fits import random_fit
from tests.reference.naive_sequence import naive_targets


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4), degree=st.integers(0, 3), rigid=st.booleans())
def test_covariances_equal_the_dense_product(seed: int, k: int, degree: int, rigid: bool) -> None:
    rng, a, _, centre = random_fit(seed, k, degree, rigid)
    p, u = len(a), 0.37
    root = rng.standard_normal((p, p)) + 3 * np.eye(p)
    dense = np.empty((3 * k, p))
    for q in range(p):
        up, down = a.copy(), a.copy()
        up[q] += 1e-5
        down[q] -= 1e-5
        dense[:, q] = (
            naive_targets(up, u, centre, k, degree, rigid) - naive_targets(down, u, centre, k, degree, rigid)
        ).ravel() / 2e-5
    expected = dense @ np.linalg.inv(root @ root.T) @ dense.T
    found, basis = np.empty((k, 4)), np.polynomial.legendre.legvander([u], degree)[0, 1:].copy()
    model = MotionModel(k, degree, rigid, False, np.zeros(p), np.ones(p))
    covariances(a, u, basis, model, np.linalg.cholesky(root @ root.T), np.zeros((3, p)), found)
    for m in range(k):
        block = expected[3 * m : 3 * m + 3, 3 * m : 3 * m + 3]
        np.testing.assert_allclose(found[m], [block[0, 0], block[1, 1], block[0, 1], block[2, 2]], rtol=1e-5, atol=1e-9)
