"""Starts of sequence fits."""

from __future__ import annotations

import numpy as np

from csist_bench.methods.ml_seq._kernels.starts import smooth_path


def test_smooth_path_recovers_a_polynomial_with_frames_left_out() -> None:
    u = np.linspace(-1, 1, 20)
    basis = np.ascontiguousarray(np.polynomial.legendre.legvander(u, 3)[:, 1:])
    truth = np.array([[5.0, 4.0], [0.4, -0.2], [0.1, 0.05], [0.0, 0.02]])
    centroid = np.column_stack([np.ones(20), basis]) @ truth
    centroid[7] = 1e6
    members = np.where(np.arange(20) == 7, -1, np.arange(20))
    np.testing.assert_allclose(smooth_path(centroid, members, basis), truth, atol=1e-3)
