"""Metrics beside AP."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.evaluation.matching import match
from csist_bench.evaluation.metrics import best_f1, cardinality, common_cut, ospa, rmse
from csist_bench.evaluation.report import evaluate
from tests.helpers.hedging import noisy_answers, with_turned_copy
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive


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


def test_best_f1_tries_every_score_and_no_cut_within_a_tie():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, frames = int(rng.integers(1, 12)), 4
        score = np.sort(rng.integers(0, 5, n))[::-1].astype(float)
        hits, frame = rng.random(n) < 0.5, rng.integers(0, frames, n)
        count = rng.integers(1, 4, frames)
        tried = []
        for cut in np.unique(score)[::-1]:
            kept = score >= cut
            true = int(hits[kept].sum())
            tried.append((2 * true / (kept.sum() + count.sum()), cut, true, kept))
        f1, cut, true, kept = max(tried, key=lambda row: (row[0], row[1]))
        point = best_f1(0.1, score, hits, frame, count)
        assert (point.f1, point.score) == (100 * f1, cut)
        assert point.precision == pytest.approx(100 * true / kept.sum())
        assert point.recall == pytest.approx(100 * true / count.sum())
        assert point.false_alarms == pytest.approx((kept.sum() - true) / frames)
        assert point.cardinality == pytest.approx(100 * cardinality(frame[kept], count))


def test_best_f1_of_nothing():
    none = np.zeros(0)
    point = best_f1(0.1, none, none.astype(bool), none.astype(int), np.array([2, 0]))
    assert (point.precision, point.recall, point.f1, point.false_alarms, point.cardinality) == (0, 0, 0, 0, 50)
    assert np.isnan(point.score)


def test_rmse():
    assert rmse(np.array([0.3, 0.4])) == pytest.approx(np.sqrt(0.125))
    assert np.isnan(rmse(np.zeros(0)))


def test_ospa_equals_stone_soup():
    """With its order 1 on squared distances: by itself it assigns by plain distances, whatever the order."""
    import datetime

    from stonesoup.measures import Euclidean
    from stonesoup.metricgenerator.ospametric import OSPAMetric
    from stonesoup.types.state import State

    apart, moment = Euclidean(), datetime.datetime(2026, 1, 1)
    metric = OSPAMetric(c=0.25**2, p=1, measure=lambda a, b: apart(a, b) ** 2)
    rng = np.random.default_rng(14)
    for _ in range(200):
        targets, rows = random_scene(rng)
        truth = truth_of(targets, 2, 3)
        ours = ospa(match(detections_of(rows), truth), truth)
        for frame, (answers, points) in enumerate(frames_of(targets, rows, 3)):
            states = [State([x, y], moment) for _, _, x, y, _ in answers], [State(list(xy), moment) for xy in points]
            theirs = metric.compute_OSPA_distance(*states).value ** 0.5 if answers or points else 0.0
            np.testing.assert_allclose(ours[frame], theirs, rtol=0, atol=1e-9)


def test_cso_f1_equals_trying_every_score():
    rng = np.random.default_rng(6)
    for _ in range(100):
        targets, rows = random_scene(rng)
        truth = truth_of(targets, 2, 3)
        matched = match(detections_of(rows), truth)
        cut = common_cut(matched.detections.score, matched.hits, truth.n_targets)
        if not rows:
            assert (cut.cso_f1, np.isnan(cut.score)) == (0, True)
            continue
        score, f1 = naive.common_f1(frames_of(targets, rows, 3))
        assert cut.score == score
        np.testing.assert_allclose(cut.f1, np.multiply(f1, 100), rtol=0, atol=1e-9)
        assert cut.cso_f1 == pytest.approx(100 * np.mean(f1), abs=1e-9)


def test_cso_f1_takes_one_score_for_all_thresholds():
    # Each threshold by itself would stop at another score: within 0.05 px after the first, within 0.25 px after both.
    truth = truth_of([[(5, 5), (7, 7)]], 1, 1)
    matched = match(detections_of([(0, 0, 5, 5, 9), (0, 0, 7.125, 7, 8)]), truth)
    score, hits = matched.detections.score, matched.hits
    cut = common_cut(score, hits, 2)
    assert cut.score == 8
    assert cut.f1 == pytest.approx((50, 50, 100, 100, 100))
    best = [best_f1(0.1, score, row, matched.frame, truth.frame_count).f1 for row in hits]
    assert best == pytest.approx([200 / 3, 200 / 3, 100, 100, 100])


@pytest.mark.parametrize("sigma", [2, 5])
def test_a_turned_copy_of_the_answers_does_not_pay(tmp_path, sigma):
    """Copies below all others raise CSO-mAP, leave CSO-F1 and worsen GOSPA; above all others, they lower CSO-F1."""
    _hedging(tmp_path, sigma, 60)


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "cso_f1"), [(2, 68.54), (5, 55.39)])
def test_a_turned_copy_does_not_pay_on_the_set_it_was_found_on(tmp_path, sigma, cso_f1):
    assert _hedging(tmp_path, sigma, 600) == pytest.approx(cso_f1, abs=0.005)


def _hedging(tmp_path, sigma, trajectories):
    truth, found = noisy_answers(tmp_path / "set.zarr", sigma, trajectories)
    plain = evaluate(found, truth)
    below, above = (evaluate(with_turned_copy(found, place), truth) for place in ("below", "above"))
    assert below.cso_map > plain.cso_map + 2
    assert below.cso_f1 == pytest.approx(plain.cso_f1, abs=1e-9)
    assert below.gospa.distance > plain.gospa.distance + 0.1
    assert below.answers_per_frame == 2 * plain.answers_per_frame
    assert above.cso_f1 < plain.cso_f1 - 5
    return plain.cso_f1
