"""Which detections count as true positives, by the protocol and by the Hungarian variant."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.conventions import THRESHOLDS
from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation import matching
from csist_bench.evaluation.gospa import gospa
from csist_bench.evaluation.matching import best_of_each_frame, match, ranking
from csist_bench.evaluation.report import evaluate
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive


def scored(detections, truth, **options):
    return np.array(evaluate(detections, truth, **options).ap) / 100


def test_hits_agree_bit_for_bit_on_decimal_positions_that_straddle_a_threshold():
    # 5.15 - 5.10 and 5.30 - 5.25 fall on different sides of 0.05 in binary; both scorers must say the same.
    for tenth in range(100):
        target, found = 5 + tenth / 20, 5 + (tenth + 1) / 20
        targets, rows = [[(target, 3.3)]], [(0, 0, found, 3.3, 1.0)]
        assert list(scored(detections_of(rows), truth_of(targets, 1, 1))) == naive.score(frames_of(targets, rows, 1))


def test_ranking_is_by_score_then_trajectory_frame_x_and_y():
    rng = np.random.default_rng(3)
    table = np.unique(rng.integers(0, 3, (80, 5)), axis=0)
    rng.shuffle(table)
    expected = sorted(map(tuple, table.tolist()), key=lambda r: (-r[4], *r[:4]))
    order = ranking(detections_of(table))
    assert [tuple(row) for row in table[order].tolist()] == expected


def test_rows_that_are_equal_in_all_keep_their_order():
    rng = np.random.default_rng(3)
    n = 2000
    frame, x, score = rng.integers(0, 3, n), rng.integers(0, 4, n) / 2, rng.integers(0, 5, n) / 4
    table = Detections(np.zeros(n, np.int64), frame, x, x, score)
    expected = sorted(range(n), key=lambda i: (-score[i], frame[i], x[i], i))
    assert ranking(table).tolist() == expected


def test_distances_are_worked_out_in_blocks(monkeypatch):
    targets, rows = random_scene(np.random.default_rng(8))
    truth = truth_of(targets, 2, 3)
    whole = match(detections_of(rows), truth)
    monkeypatch.setattr(matching, "BLOCK", 3)
    parts = match(detections_of(rows), truth)
    assert len(whole.frame) > 6
    np.testing.assert_array_equal(parts.distance, whole.distance)
    np.testing.assert_array_equal(parts.hits, whole.hits)
    np.testing.assert_array_equal(gospa(parts, truth).distance, gospa(whole, truth).distance)


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


def test_unknown_matching_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'hungarian'"):
        match(detections_of([]), truth_of([[(5, 5)]], 1, 1), matching="hungary")


def test_a_miss_of_hungarian_matching_is_as_far_as_its_nearest_target():
    found = detections_of([(0, 0, 5.1, 5.0, 1.0), (0, 0, 5.2, 5.0, 0.5), (0, 0, 5.0, 8.0, 0.2)])
    matched = match(found, truth_of([[(5, 5)]], 1, 1), matching="hungarian")
    assert matched.hits[-1].tolist() == [True, False, False]
    np.testing.assert_allclose(matched.distance[-1], [0.1, 0.2, 3.0])


def test_the_best_answers_of_each_frame_are_kept():
    rng = np.random.default_rng(2)
    for _ in range(50):
        _, rows = random_scene(rng)
        k = int(rng.integers(1, 4))
        kept = best_of_each_frame(detections_of(rows), k)
        expected = set()
        for frame in {row[:2] for row in rows}:
            expected |= set(naive.ranked([row for row in rows if row[:2] == frame])[:k])
        assert {tuple(row) for row in zip(kept.trajectory, kept.frame, kept.x, kept.y, kept.score)} == expected
        assert len(kept) == len(expected)


def test_the_best_answers_of_nothing():
    assert len(best_of_each_frame(Detections.empty(), 2)) == 0
