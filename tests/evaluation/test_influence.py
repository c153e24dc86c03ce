"""Influences: against finite differences, against the bootstrap, and on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.evaluation.influence import influences
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.resampling import draws, resampled_scores
from tests.helpers.noisy_answers import crowded_truth, noisy_answers
from tests.helpers.scenes import detections_of, truth_of

LARGE = 100_000  # copies of every trajectory, so that one copy more is a small step


@pytest.mark.parametrize("seed", range(4))
def test_influences_are_the_derivatives_of_the_weighted_scores(seed):
    """Where two precisions are equal the derivative differs by side: it lies between both."""
    truth = crowded_truth(15, seed=seed)
    matched = match(noisy_answers(truth, 0.1, seed=seed), truth)
    found = influences(matched, truth)
    step = LARGE // 1000 * np.eye(15, dtype=np.int64)
    down, same, up = (resampled_scores(matched, truth, LARGE + sign * step)[:, :5].T * 1000 for sign in (-1, 0, 1))
    sides = np.stack([up - same, same - down])
    assert (found > sides.min(axis=0) - 0.01).all()
    assert (found < sides.max(axis=0) + 0.01).all()
    assert (np.ptp(sides, axis=0) < 0.01).mean() > 0.8
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-10)


def test_two_trajectories_by_hand():
    """One finds its target, the other finds nothing: AP = w0 / (w0 + w1), whose derivatives are +-1/4."""
    truth = truth_of([[(5, 5)], [(5, 5)]], 2, 1)
    found = influences(match(detections_of([(0, 0, 5, 5, 1)]), truth), truth)
    np.testing.assert_allclose(found, [[25, -25]] * 5)


def test_a_false_alarm_above_a_hit_by_hand():
    """The false alarm of trajectory 1 stands above the hit of 0: AP = w0 / (w0 + w1) * w0 / (w0 + w1)."""
    truth = truth_of([[(5, 5)], [(5, 5)]], 2, 1)
    found = influences(match(detections_of([(1, 0, 9, 9, 2), (0, 0, 5, 5, 1)]), truth), truth)
    np.testing.assert_allclose(found, [[25, -25]] * 5)  # 2 w0 w1 / (w0 + w1)^3 = 1/4


def test_nothing_found_has_no_influence():
    truth = truth_of([[(5, 5)], [(5, 5)]], 2, 1)
    assert not influences(match(detections_of([]), truth), truth).any()


def test_their_squares_add_up_to_the_variance_of_the_bootstrap():
    truth = crowded_truth(200)
    matched = match(noisy_answers(truth, 0.1), truth)
    found = np.sqrt((influences(matched, truth) ** 2).sum(axis=1))
    drawn = resampled_scores(matched, truth, draws(200, 2000, 0)).std(axis=0)[:5]
    np.testing.assert_allclose(found, drawn, rtol=0.08)
