"""Metrics by number of targets and separation, and bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.evaluation.breakdown import bootstrap_intervals, separation
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import DetailOptions, evaluate
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
