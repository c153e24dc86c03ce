import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from csist_bench.conventions import THRESHOLDS
from csist_bench.errors import InputError
from csist_bench.evaluation import _kernels as kernel
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.metrics import ospa
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.report_text import report_text
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 2), (3, 7), (4, 4), (8, 8), (8, 40)])
def test_assignment_costs_what_scipy_finds(shape):
    rng = np.random.default_rng(shape)
    for kind in ("real", "whole"):
        cost = rng.random(shape) if kind == "real" else rng.integers(0, 4, shape).astype(float)
        chosen = np.empty(shape[0], dtype=np.int64)
        kernel.assign(cost, *shape, chosen)
        assert len(set(chosen.tolist())) == shape[0]
        rows, columns = linear_sum_assignment(cost)
        assert cost[np.arange(shape[0]), chosen].sum() == pytest.approx(cost[rows, columns].sum(), abs=1e-12)


def test_hungarian_matching_has_the_most_pairs_and_then_the_least_distance():
    rng = np.random.default_rng(2)
    for _ in range(60):
        targets, rows = random_scene(rng, n=1, t=2, most_targets=3, most_found=4)
        matched = match(detections_of(rows), truth_of(targets, 1, 2), matching="hungarian")
        frames = frames_of(targets, rows, 2)
        for threshold, hits, distance in zip(THRESHOLDS, matched.hits, matched.distance):
            best = [naive.hungarian_pairs(detections, group, threshold) for detections, group in frames]
            assert hits.sum() == sum(pairs for pairs, _ in best)
            assert distance[hits].sum() == pytest.approx(sum(total for _, total in best), abs=1e-12)


def test_hungarian_takes_the_second_choice_that_the_protocol_does_not():
    truth = truth_of([[(5, 5), (5.25, 5)]], 1, 1)
    detections = detections_of([(0, 0, 5, 5, 9), (0, 0, 5.0625, 5, 8)])
    assert match(detections, truth).hits[-1].tolist() == [True, False]
    assert match(detections, truth, matching="hungarian").hits[-1].tolist() == [True, True]


def test_hungarian_goes_by_another_name():
    truth = truth_of([[(5, 5)]], 1, 1)
    report = evaluate(detections_of([(0, 0, 5, 5, 9)]), truth, matching="hungarian")
    table = report.to_dict()
    assert "cso_map" not in table
    assert table["hungarian_cso_map"] == 100.0
    assert not table["official"]
    assert "CSO-mAP (hungarian matching) 100.00" in report_text(report)


def test_unknown_matching_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'hungarian'"):
        match(detections_of([]), truth_of([[(5, 5)]], 1, 1), matching="hungary")


def test_ospa_equals_trying_every_assignment():
    rng = np.random.default_rng(4)
    for _ in range(100):
        targets, rows = random_scene(rng, most_found=5)
        truth = truth_of(targets, 2, 3)
        expected = [naive.ospa(*frame) for frame in frames_of(targets, rows, 3)]
        np.testing.assert_allclose(ospa(match(detections_of(rows), truth), truth), expected, rtol=0, atol=1e-12)


def test_ospa_of_known_frames():
    # Equal sets: 0. One lost of two: sqrt(c^2 / 2). Off by 0.15: 0.15. Nothing found: the cut-off.
    groups = [[(5, 5), (6, 6)], [(5, 5), (6, 6)], [(5, 5)], [(5, 5)], []]
    rows = [(0, 0, 5, 5, 1), (0, 0, 6, 6, 1), (0, 1, 5, 5, 1), (0, 2, 5.15, 5, 1)]
    truth = truth_of(groups, 1, 5)
    expected = [0.0, 0.25 / np.sqrt(2), 0.15, 0.25, 0.0]
    np.testing.assert_allclose(ospa(match(detections_of(rows), truth), truth), expected, atol=1e-12)
