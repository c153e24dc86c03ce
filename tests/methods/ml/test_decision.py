"""Choosing positions from samples."""

import numpy as np
import pytest

from csist_bench.methods.ml._kernels.decision import assign, choose_positions, hits


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
