"""Metrics beside AP."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.evaluation.matching import match
from csist_bench.evaluation.metrics import best_f1, cardinality, ospa, rmse
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
