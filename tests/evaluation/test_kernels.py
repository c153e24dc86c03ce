"""Scoring kernels against slow ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from csist_bench.evaluation import _kernels as kernel
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import evaluate
from tests.helpers.scenes import detections_of, random_scene, truth_of


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


def _frames(rng, n=60):
    """Up to three detections and three targets a frame, some of them a few steps of 0.1 px apart."""
    found, count = rng.integers(0, 4, n), rng.integers(0, 4, n)
    target_xy = rng.integers(0, 6, (n, 3, 2)) / 10
    return rng.integers(0, 6, (found.sum(), 2)) / 10, np.concatenate([[0], np.cumsum(found)]), target_xy, count


def _assignments(xy, targets):
    """Every set of pairs that uses the smaller side up: distances (number of sets, pairs)."""
    apart = np.hypot(*(xy[:, None] - targets[None]).transpose(2, 0, 1))
    apart = apart if len(xy) <= len(targets) else apart.T
    orders = list(itertools.permutations(range(apart.shape[1]), len(apart)))
    return np.array([[apart[i, j] for i, j in enumerate(order)] for order in orders])


def test_hungarian_hits_are_the_best_of_every_assignment():
    xy, start, target_xy, count = _frames(np.random.default_rng(0))
    thresholds = np.array([0.15, 0.35])
    hits, distance = np.zeros((2, len(xy)), np.bool_), np.full((2, len(xy)), np.nan)
    kernel.assigned_hits(xy, start, target_xy, count, thresholds, hits, distance)
    for f, (first, last) in enumerate(itertools.pairwise(start)):
        for d, threshold in enumerate(thresholds):
            sets = _assignments(xy[first:last], target_xy[f, : count[f]])
            near = np.where(sets <= threshold, sets, 0.0).sum(axis=1), (sets <= threshold).sum(axis=1)
            most, least = min((-pairs, total) for total, pairs in zip(*near))
            assert hits[d, first:last].sum() == -most
            assert np.nansum(distance[d, first:last]) == pytest.approx(least)


def test_ospa_is_the_least_of_every_assignment():
    xy, start, target_xy, count = _frames(np.random.default_rng(1))
    out, cutoff = np.full(len(count), np.nan), 0.3
    kernel.ospa(xy, start, target_xy, count, cutoff, out)
    for f, (first, last) in enumerate(itertools.pairwise(start)):
        most, least = max(last - first, count[f]), min(last - first, count[f])
        paired = (np.minimum(_assignments(xy[first:last], target_xy[f, : count[f]]), cutoff) ** 2).sum(axis=1).min()
        assert out[f] == pytest.approx(np.sqrt((paired + cutoff**2 * (most - least)) / max(most, 1)))


def test_of_equal_columns_the_first_that_is_free_is_taken():
    slack, done = np.array([0.0, 3.0, 1.0, 1.0, 0.5]), np.array([True, False, False, False, True])
    assert kernel.least_slack(slack, done) == 2


def _weighted(targets, rows, weights):
    """AP of a scene in which trajectory i is repeated weights[i] times, by the plain scorer."""
    copies = np.repeat(np.arange(len(weights)), weights)
    again = [targets[c] for c in copies]
    repeated = [(i, *row[1:]) for i, c in enumerate(copies) for row in rows if row[0] == c]
    return evaluate(detections_of(repeated), truth_of(again, len(again), 1)).ap


def test_weighted_ap_equals_the_ap_of_repeated_trajectories():
    rng = np.random.default_rng(4)
    for _ in range(40):
        targets, rows = random_scene(rng, n=4, t=1)
        # Distinct scores: copies of tied detections of one trajectory would rank in turns, not one after another.
        rows = [(*row[:4], score) for row, score in zip(rows, rng.permutation(len(rows)))]
        truth = truth_of(targets, 4, 1)
        matched = match(detections_of(rows), truth)
        weights = rng.integers(0, 4, (3, 4))
        weights[:, 0] += 1
        out = np.empty((3, 5))
        per_trajectory = truth.frame_count
        hits = np.ascontiguousarray(matched.hits.T)
        kernel.weighted_average_precision(hits, matched.frame, weights, per_trajectory, out)
        for row, values in zip(weights, out):
            expected = _weighted(targets, rows, row) if (row * per_trajectory).sum() else (0.0,) * 5
            np.testing.assert_allclose(100 * values, expected, atol=1e-10)
