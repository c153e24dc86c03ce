"""The parts of the sampled posterior."""

import numpy as np

from csist_bench.methods.ml._kernels.posterior import draws_from_generator, moments_of, taylor_of
from csist_bench.simulation.optics import pixel_response


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
