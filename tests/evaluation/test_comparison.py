"""Comparisons: exact pairs, chance alone, both ways to an interval, groups and frames by naive counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from csist_bench.errors import InputError
from csist_bench.evaluation.comparison import compare_files, linear_difference, p_value, right_frames
from csist_bench.evaluation.influence import influences
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.resampling import draws, resampled_scores
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.noisy_answers import crowded_truth, noisy_answers, swapped
from tests.helpers.scenes import detections_of, truth_of


def test_scores_are_those_of_evaluate_and_changes_are_second_minus_first():
    truth = crowded_truth(20)
    first, second = noisy_answers(truth, 0.12), noisy_answers(truth, 0.08, seed=1)
    found = compare_files([("a", first), ("b", second)], truth, resamples=50, data="here")
    for one, answers in zip(found.contenders, (first, second)):
        report = evaluate(answers, truth)
        np.testing.assert_allclose(one.scores, [report.cso_map, *report.ap], rtol=1e-13)
        assert one.answers_per_frame == len(answers) / truth.n_frames
        assert one.intervals[0][0] < one.scores[0] < one.intervals[0][1]
    (pair,) = found.pairs
    assert (pair.first, pair.second, found.data) == ("a", "b", "here")
    assert pair.main.difference == pytest.approx(found.contenders[1].scores[0] - found.contenders[0].scores[0])
    assert pair.main.low < pair.main.difference < pair.main.high
    assert pair.main.difference > 0
    assert found.basis == "paired bootstrap over 20 trajectories, 50 resamples, seed 0"
    assert found.to_dict()["pairs"][0]["differences"][0]["difference"] == pair.main.difference


def test_all_files_are_scored_on_the_same_resamples():
    truth = crowded_truth(20)
    files = [noisy_answers(truth, 0.1, seed=k) for k in range(2)]
    pair = compare_files([("a", files[0]), ("b", files[1])], truth, resamples=200, seed=5).pairs[0]
    weights = draws(20, 200, 5)
    apart = np.subtract(*(resampled_scores(match(one, truth), truth, weights) for one in files[::-1]))
    low, high = np.percentile(apart, (2.5, 97.5), axis=0)
    assert (pair.main.low, pair.main.high) == pytest.approx((low[-1], high[-1]))
    assert [d.low for d in pair.differences[1:]] == pytest.approx(low[:-1])


def test_a_file_does_not_differ_from_itself():
    truth = crowded_truth(10)
    answers = noisy_answers(truth, 0.1)
    pair = compare_files([("a", answers), ("a again", answers)], truth, resamples=50).pairs[0]
    assert {(d.difference, d.low, d.high, d.p) for d in pair.differences} == {(0.0, 0.0, 0.0, 1.0)}
    assert pair.frames.both + pair.frames.neither == truth.n_frames


def test_one_file_is_nothing_to_compare():
    truth = crowded_truth(3)
    with pytest.raises(InputError, match="files must be at least two, got 1"):
        compare_files([("a", noisy_answers(truth, 0.1))], truth)


def test_p_is_how_often_resampled_differences_change_their_sign():
    assert p_value(np.array([1.0, 2.0, 3.0, -1.0])) == pytest.approx(2 * 2 / 5)
    assert p_value(np.ones(999)) == pytest.approx(2 / 1000)
    assert p_value(np.zeros(10)) == 1.0


def test_a_difference_by_influences_is_a_normal_law_of_their_spread():
    still, moving = np.zeros(4), np.full(4, 0.25)  # a spread of half a point
    some = linear_difference("ap", (50.0, 51.0), (still, moving))
    assert (some.low, some.high) == pytest.approx((1 - 1.96 * 0.5, 1 + 1.96 * 0.5), abs=1e-3)
    assert some.p == pytest.approx(0.0455, abs=1e-4)  # two standard errors away
    assert linear_difference("ap", (50.0, 51.0), (moving, moving)).p == 0.0
    assert linear_difference("ap", (50.0, 50.0), (moving, moving)).p == 1.0


def test_p_values_are_uniform_where_methods_differ_by_chance_alone():
    """The answers of two methods, exchanged at random by trajectory: by the bootstrap and by influences."""
    truth = crowded_truth(80, t=2)
    first, second = noisy_answers(truth, 0.1), noisy_answers(truth, 0.13, seed=1)
    exact, linear = [], []
    for seed in range(200):
        pair = swapped(first, second, seed)
        drawn = compare_files([("a", pair[0]), ("b", pair[1])], truth, resamples=400, seed=seed).pairs[0].main
        exact.append(drawn.p)
        shares = [influences(match(one, truth), truth).mean(axis=0) for one in pair]
        linear.append(linear_difference("cso_map", drawn.values, (shares[0], shares[1])).p)
    assert kstest(exact, "uniform").pvalue > 0.01
    assert kstest(linear, "uniform").pvalue > 0.01
    assert np.mean(np.array(exact) < 0.05) < 0.1


@pytest.mark.parametrize("k", range(5))
def test_influences_and_the_exact_bootstrap_give_intervals_of_one_width(k):
    truth = crowded_truth(300, seed=k)
    kinds = [(0.06, 0.02, 0.0), (0.1, 0.05, 0.1), (0.1, 0.2, 0.0), (0.15, 0.05, 0.4), (0.2, 0.1, 0.1), (0.08, 0.0, 1.0)]
    first, second = (noisy_answers(truth, *kinds[k + i], seed=i) for i in range(2))
    exact = compare_files([("a", first), ("b", second)], truth, resamples=2000).pairs[0].main
    shares = [influences(match(one, truth), truth).mean(axis=0) for one in (first, second)]
    linear = linear_difference("cso_map", exact.values, (shares[0], shares[1]))
    assert (linear.high - linear.low) == pytest.approx(exact.high - exact.low, rel=0.1)
    assert linear.difference == exact.difference


def test_groups_hold_the_scores_of_their_frames_alone():
    truth = truth_of([[(5, 5)], [(5, 5), (5.4, 5)], [(4, 4), (6, 6)], []], 4, 1, [[200], [210, 220], [230, 240], []])
    first = detections_of([(0, 0, 5, 5, 1), (1, 0, 5, 5, 1)])
    second = detections_of([(0, 0, 5, 5, 1), (2, 0, 4, 4, 1), (2, 0, 6, 6, 1)])
    groups = compare_files([("a", first), ("b", second)], truth, resamples=20).pairs[0].groups
    found = {(g.kind, g.label): (g.frames, *g.difference.values) for g in groups}
    assert found == {
        ("targets", "K = 1"): (1, 100.0, 100.0),
        ("targets", "K = 2"): (2, 25.0, 50.0),
        ("separation", "fewer than 2 targets"): (2, 100.0, 100.0),
        ("separation", "0.3 to 0.45 px"): (1, 50.0, 0.0),
        ("separation", "1 px and more"): (1, 0.0, 100.0),
    }


def test_quarters_by_signal_to_noise_follow_the_faintest_target():
    light = [[100.0 + i, 250.0] for i in range(8)]
    truth = truth_of([[(4, 4), (6, 6)]] * 8, 8, 1, light)
    answers = detections_of([(i, 0, 4, 4, 1) for i in range(8)])
    camera = Camera(Optics(psf_sigma=0.5), noise_sigma=2.0)
    files = [("a", answers), ("b", answers)]
    groups = compare_files(files, truth, camera=camera, resamples=5).pairs[0].groups
    quarters = [g for g in groups if g.kind == "snr"]
    assert [g.frames for g in quarters] == [2, 2, 2, 2]
    share = 0.6826894921370859**2  # of a Gaussian's light within its own width, along both axes
    assert quarters[0].label.startswith(f"{100 * share / 2:.3g} to ")
    silent = Camera(Optics(psf_sigma=0.5))
    groups = compare_files(files, truth, camera=silent, resamples=5).pairs[0].groups
    assert "snr" not in {g.kind for g in groups}


def test_a_frame_is_right_if_every_target_is_found_and_nothing_else():
    truth = truth_of([[(5, 5)], [(5, 5)], [(5, 5), (7, 7)], []], 2, 2)
    rows = [(0, 0, 5.2, 5, 1), (0, 1, 5, 5, 1), (0, 1, 9, 9, 0), (1, 0, 5, 5, 1)]
    answers = detections_of(rows)
    assert right_frames(match(answers, truth), truth).tolist() == [True, False, False, True]
    pair = compare_files([("a", answers), ("b", detections_of([(0, 1, 5, 5, 1)]))], truth, resamples=5).pairs[0]
    assert pair.frames.to_dict() == {"both": 1, "neither": 1, "only_first": [[0, 0]], "only_second": [[0, 1]]}
