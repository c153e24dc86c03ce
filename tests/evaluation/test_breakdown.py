"""Metrics by number of targets and separation, and bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.average_precision import average_precision
from csist_bench.evaluation.breakdown import bootstrap_intervals, separation
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import DetailOptions, evaluate
from csist_bench.evaluation.truth import Truth
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive


def test_breakdowns_are_scores_of_the_frames_alone():
    rng = np.random.default_rng(3)
    targets, rows = random_scene(rng, n=3, t=4)
    truth = truth_of(targets, 3, 4)
    details = evaluate(detections_of(rows), truth, full=True, options=DetailOptions(bootstrap=0)).details
    assert sum(row.frames for row in details.by_targets) == 12
    assert sum(row.frames for row in details.by_separation) == 12
    frames = frames_of(targets, rows, 4)
    for row in details.by_targets:
        chosen = [frame for frame in frames if f"K = {len(frame[1])}" == row.label]
        assert len(chosen) == row.frames
        if row.label == "K = 0":
            assert np.isnan(row.ap).all()
        else:
            np.testing.assert_allclose(np.array(row.ap) / 100, naive.score(chosen), atol=1e-12)
        assert row.ospa == pytest.approx(np.mean([naive.ospa(*frame) for frame in chosen]))
        right = np.mean([len(detections) == len(group) for detections, group in chosen])
        assert row.cardinality == pytest.approx(100 * right)
    assert details.intervals == {}


def test_separation_is_the_smallest_distance():
    truth = truth_of([[(5, 5), (5, 6), (5.3, 5.4)], [(5, 5)], []], 1, 3)
    assert separation(truth).tolist() == pytest.approx([0.5, np.inf, np.inf])


def test_intervals_hold_the_score_repeat_with_the_seed_and_close_with_more_data():
    rng = np.random.default_rng(5)

    def scene(n):
        targets = [[(5, 5), (7, 7)]] * n
        rows = [(i, 0, 5 + rng.normal(0, 0.1), 5, rng.random()) for i in range(n)]
        return truth_of(targets, n, 1), detections_of(rows)

    widths = []
    for n in (20, 500):
        truth, detections = scene(n)
        matched = match(detections, truth)
        intervals = bootstrap_intervals(matched, truth, 200, seed=1)
        assert intervals == bootstrap_intervals(matched, truth, 200, seed=1)
        assert intervals != bootstrap_intervals(matched, truth, 200, seed=2)
        report = evaluate(detections, truth)
        for value, (low, high) in zip((*report.ap, report.cso_map), intervals):
            assert low <= value <= high
        widths.append(intervals[-1][1] - intervals[-1][0])
    assert widths[1] < widths[0] / 3


def test_intervals_do_not_vary_where_all_trajectories_are_alike():
    truth = truth_of([[(5, 5), (7, 7)]] * 6, 6, 1)
    matched = match(detections_of([(i, 0, 5, 5, 1) for i in range(6)]), truth)
    assert np.array(bootstrap_intervals(matched, truth, 20)) == pytest.approx(50.0)
    with pytest.raises(InputError, match="at least 1 resample"):
        bootstrap_intervals(matched, truth, 0)


def test_intervals_are_the_middle_95_percent_of_resampled_scores():
    """Against scoring every resample anew, from the same draws of trajectories."""
    rng = np.random.default_rng(7)
    n, t = 12, 2
    targets = [[(5, 5), (7, 7)]] * (n * t)
    rows = [(i // t, i % t, 5 + rng.normal(0, 0.15), 5, rng.random()) for i in range(n * t)]
    truth, detections = truth_of(targets, n, t), detections_of(rows)
    intervals = bootstrap_intervals(match(detections, truth), truth, resamples=60, seed=3)
    weights = np.random.default_rng(3).multinomial(n, np.full(n, 1 / n), size=60)
    frames = frames_of(targets, rows, t)
    scores = []
    for weight in weights:
        drawn = [frame for i in range(n) for frame in frames[i * t : i * t + t] * weight[i]]
        scores.append(naive.score(drawn))
    samples = 100 * np.column_stack([scores, np.mean(scores, axis=1)])
    assert samples[:, -1].std() > 1  # something to be uncertain about
    np.testing.assert_allclose(np.transpose(intervals), np.percentile(samples, (2.5, 97.5), axis=0), atol=1e-9)


def test_a_resample_without_any_target_scores_nothing():
    """Of two trajectories one has the only target; a quarter of the resamples draw the other one twice."""
    truth = truth_of([[(5, 5)], []], 2, 1)
    intervals = bootstrap_intervals(match(detections_of([(0, 0, 5, 5, 1)]), truth), truth, resamples=200, seed=0)
    assert intervals == ((0.0, 100.0),) * 6


@pytest.mark.slow
def test_intervals_hold_the_true_score_as_often_as_they_claim():
    """95 % intervals over 150 trajectories of correlated frames cover the score of a large population 93 to 97 %."""
    rng = np.random.default_rng(7)

    def scene(n, frames=4):
        xy = rng.uniform(3, 8, (n, frames, 2, 2))
        skill = rng.gamma(2.0, 0.04, (n, 1, 1, 1))  # one trajectory is harder than another
        found = xy + rng.normal(0, 1, xy.shape) * skill
        score = -skill[..., 0] + rng.normal(0, 0.05, xy.shape[:3])
        t, f, _ = np.indices(score.shape)
        columns = (t, f, found[..., 0], found[..., 1], score)
        truth = Truth.from_arrays(xy, np.ones(xy.shape[:3]), np.full((n, frames), 2), range(frames))
        return Detections(*(column.ravel() for column in columns)), truth

    population = match(*scene(200_000))
    true = 100 * np.mean([average_precision(row, 200_000 * 8) for row in population.hits])
    inside, repeats = 0, 1000
    for seed in range(repeats):
        found, truth = scene(150)
        low, high = bootstrap_intervals(match(found, truth), truth, resamples=400, seed=seed)[-1]
        inside += low <= true <= high
    assert 0.93 <= inside / repeats <= 0.97
