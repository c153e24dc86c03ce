"""Choosing positions from samples."""

import math

import numpy as np
import pytest

from csist_bench.conventions import THRESHOLDS
from csist_bench.methods.fitting.hit_probability import hit_share
from csist_bench.methods.ml._kernels.decision import SOFTENING, assign, choose_positions, hits, sample_spread, shifted


def scratch(targets, samples):
    return np.zeros((targets, samples), np.int64), np.zeros((targets, samples)), np.zeros(samples)


def sample_last(samples):
    return np.ascontiguousarray(np.transpose(samples, (2, 1, 0)))


def test_hits_follow_the_rule_of_one_target_for_one_position():
    (nearest, square, value), share = scratch(2, 1), np.zeros(2)
    truth = sample_last([[[0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]])
    answer = np.array([[0.12, 0.0, 1.0], [0.04, 0.0, 1.0]])
    assert hits(answer, truth, nearest, square, value, share) == pytest.approx(1.0)
    np.testing.assert_allclose(share, [0.0, 1.0])
    answer[0, 0] = 0.88
    assert hits(answer, truth, nearest, square, value, share) == pytest.approx(1.6)
    assign(answer, truth, nearest, square)
    assert nearest.tolist() == [[1], [0]]


def plain_hits(answer, samples):
    share = np.zeros(len(answer))
    for sample in samples:
        square = ((answer[:, None, 0] - sample[:, 0]) ** 2) + (answer[:, None, 1] - sample[:, 1]) ** 2
        nearest, square = square.argmin(axis=1), square.min(axis=1)
        for m in range(len(answer)):
            rivals = [other for other in range(len(answer)) if nearest[other] == nearest[m]]
            if min(rivals, key=lambda other: (square[other], other)) == m:
                share[m] += hit_share(square[m])
    share /= len(samples)
    return sum(share.tolist()), share


def plain_shift(answer, samples):
    out = answer.copy()
    for m, (x, y, _) in enumerate(answer.tolist()):
        weight, total = 0.0, np.zeros(3)
        for sample in samples:
            square = (x - sample[:, 0]) ** 2 + (y - sample[:, 1]) ** 2
            which = square.argmin()
            if square[which] < THRESHOLDS[-1] ** 2:
                w = 1.0 / math.sqrt(square[which] + SOFTENING)
                weight, total = weight + w, total + w * sample[which]
        if weight > 0.0:
            out[m] = total / weight
    return out


@pytest.mark.parametrize("targets", [1, 2, 4])
def test_hits_and_shifts_have_the_bits_of_plain_ones(targets):
    rng = np.random.default_rng(targets)
    for _ in range(20):
        samples = rng.normal(0, 0.15, (19, targets, 3))
        samples[3] = samples[4]
        answer = samples[4] + rng.choice([0.0, 0.0, 1.0]) * rng.normal(0, 0.1, (targets, 3))
        answer[0] = answer[-1]  # of two at the same place the first one counts
        work, share, out = scratch(targets, 19), np.zeros(targets), np.zeros((targets, 3))
        expected, shares = plain_hits(answer, samples)
        assert hits(answer, sample_last(samples), *work, share) == expected
        assert share.tobytes() == shares.tobytes()
        shifted(answer, sample_last(samples), *work, out)
        assert out.tobytes() == plain_shift(answer, samples).tobytes()


def test_the_decision_goes_where_most_samples_are():
    rng = np.random.default_rng(2)
    cluster = np.array([[0.3, 0.0, 235.0], [-0.3, 0.0, 235.0]])
    samples = np.repeat(cluster[None], 32, axis=0) + rng.normal(0, [0.03, 0.03, 0], (32, 2, 3))
    samples[::4] = [[0.0, 0.3, 235.0], [0.0, -0.3, 235.0]]
    answer, score = np.array([[0.0, 0.3, 235.0], [0.0, -0.3, 235.0]]), np.zeros(2)
    choose_positions(answer, sample_last(samples), score)
    np.testing.assert_allclose(answer[np.argsort(answer[:, 0]), :2], [[-0.3, 0], [0.3, 0]], atol=0.04)
    assert (score > 0.6).all()
    assert (score <= 0.76).all()


def test_the_spread_is_about_the_answer_with_targets_one_to_one():
    rng = np.random.default_rng(3)
    answer, sigma = np.array([[0.0, 0.0, 200.0], [3.0, 0.0, 200.0]]), np.zeros((2, 3))
    away = rng.normal(0, 0.1, (30, 2, 3))
    samples = answer + away
    samples[::2] = samples[::2, ::-1]
    sample_spread(answer, sample_last(samples), sigma)
    np.testing.assert_allclose(sigma, np.sqrt((away**2).mean(axis=0)), rtol=1e-9)
