"""Resampled scores: of all frames and of some of them."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.resampling import draws, resampled_scores
from tests.helpers.noisy_answers import crowded_truth, noisy_answers
from tests.helpers.scenes import detections_of, truth_of


def test_each_resample_draws_as_many_trajectories_as_there_are_and_repeats_with_its_seed():
    weights = draws(9, 50, 3)
    assert weights.shape == (50, 9)
    assert (weights.sum(axis=1) == 9).all()
    assert (weights == draws(9, 50, 3)).all()
    assert (weights != draws(9, 50, 4)).any()
    with pytest.raises(InputError, match="at least 1 resample"):
        draws(9, 0, 3)


def test_weights_of_one_give_the_scores_of_the_file_to_the_bit():
    truth = crowded_truth(12)
    answers = noisy_answers(truth, 0.1)
    report = evaluate(answers, truth)
    scores = resampled_scores(match(answers, truth), truth, np.ones((1, 12), dtype=np.int64))[0]
    np.testing.assert_allclose(scores, [*report.ap, report.cso_map], rtol=1e-13)


def test_more_resamples_than_lanes_are_each_what_they_are_alone():
    """The kernel takes 256 resamples at a time."""
    truth = crowded_truth(8)
    matched = match(noisy_answers(truth, 0.1), truth)
    weights = draws(8, 300, 0)
    whole = resampled_scores(matched, truth, weights)
    for b in (0, 255, 256, 299):
        assert (resampled_scores(matched, truth, weights[b : b + 1])[0] == whole[b]).all()


def test_chosen_frames_are_scored_as_if_the_others_were_not_there():
    truth = truth_of([[(5, 5)], [(6, 6)], [(5, 5)], []], 2, 2)
    matched = match(detections_of([(0, 0, 5, 5, 1), (0, 1, 9, 9, 3), (1, 1, 1, 1, 2)]), truth)
    once = np.ones((1, 2), dtype=np.int64)
    assert resampled_scores(matched, truth, once, np.array([1, 0, 0, 0], dtype=bool))[0].tolist() == [100.0] * 6
    assert resampled_scores(matched, truth, once, np.array([1, 0, 1, 0], dtype=bool))[0].tolist() == [50.0] * 6
    assert resampled_scores(matched, truth, once, np.array([0, 0, 0, 1], dtype=bool))[0].tolist() == [0.0] * 6
