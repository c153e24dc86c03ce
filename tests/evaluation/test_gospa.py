"""GOSPA and its parts."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from csist_bench.evaluation import gospa as module
from csist_bench.evaluation import matching
from csist_bench.evaluation.gospa import gospa
from csist_bench.evaluation.matching import match
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive


def found(targets, rows, n, t):
    truth = truth_of(targets, n, t)
    return gospa(match(detections_of(rows), truth), truth)


def squares(result):
    """Return the parts of the squared distances, (F, 3), px^2."""
    return np.column_stack([result.localisation, result.missed, result.false]) * result.distance[:, None]


def crowded_scene(rng, most_targets=4, most_found=6):
    """Return a scene of two trajectories of three frames whose answers lie within reach of several targets."""
    targets = [5 + rng.uniform(-0.25, 0.25, (rng.integers(0, most_targets + 1), 2)) for _ in range(6)]
    targets[0] = np.array([[5.0, 5.0]])
    rows = []
    for frame in range(6):
        for x, y in 5 + rng.uniform(-0.4, 0.4, (rng.integers(0, most_found + 1), 2)):
            rows.append((frame // 3, frame % 3, x, y, rng.random()))
    return targets, rows


@pytest.mark.parametrize("scene", [random_scene, crowded_scene])
def test_equals_trying_every_set_of_pairs(scene):
    rng = np.random.default_rng(11)
    for _ in range(60):
        targets, rows = scene(rng, most_targets=3, most_found=5)
        result = found(targets, rows, 2, 3)
        expected = np.array([naive.gospa(*frame) for frame in frames_of(targets, rows, 3)])
        np.testing.assert_allclose(result.distance, expected[:, 0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(squares(result), expected[:, 1:], rtol=0, atol=1e-12)


def test_equals_stone_soup():
    """200 random cases of six frames, with empty ones, births and deaths."""
    from stonesoup.metricgenerator.ospametric import GOSPAMetric
    from stonesoup.types.state import State

    metric, moment = GOSPAMetric(c=0.25, p=2), datetime.datetime(2026, 1, 1)
    rng = np.random.default_rng(12)
    for case in range(200):
        targets, rows = (random_scene, crowded_scene)[case % 2](rng)
        result = found(targets, rows, 2, 3)
        for frame, (answers, points) in enumerate(frames_of(targets, rows, 3)):
            if not answers and not points:
                assert result.distance[frame] == 0
                continue
            states = [State([x, y], moment) for _, _, x, y, _ in answers], [State(list(xy), moment) for xy in points]
            theirs = metric.compute_gospa_metric(*states)[0].value
            parts = [theirs["localisation"], theirs["missed"], theirs["false"]]
            np.testing.assert_allclose(result.distance[frame], theirs["distance"], rtol=0, atol=1e-9)
            np.testing.assert_allclose(squares(result)[frame], parts, rtol=0, atol=1e-9)


def test_known_frames():
    # Off by 0.15; one of two missed; one too many; nothing found; all far: a target missed and an answer false.
    targets = [[(5, 5)], [(5, 5), (6, 6)], [(5, 5)], [(5, 5)], [(5, 5)]]
    rows = [(0, 0, 5.15, 5, 1), (0, 1, 5, 5, 1), (0, 2, 5, 5, 1), (0, 2, 7, 7, 1), (0, 4, 8, 8, 1)]
    half = 0.25 / np.sqrt(2)
    result = found(targets, rows, 1, 5)
    np.testing.assert_allclose(result.distance, [0.15, half, half, half, 0.25], atol=1e-12)
    np.testing.assert_allclose(result.localisation, [0.15, 0, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(result.missed, [0, half, 0, half, 0.125], atol=1e-12)
    np.testing.assert_allclose(result.false, [0, 0, half, 0, 0.125], atol=1e-12)


def test_the_cut_off_itself_is_out_of_reach():
    result = found([[(5, 5)]], [(0, 0, 5.25, 5, 1)], 1, 1)
    assert (result.localisation[0], result.missed[0], result.false[0]) == (0, 0.125, 0.125)


def test_parts_add_up_to_the_distance_in_every_frame_and_in_the_means():
    targets, rows = random_scene(np.random.default_rng(3), n=4, t=5)
    result = found(targets, rows, 4, 5)
    np.testing.assert_allclose(result.localisation + result.missed + result.false, result.distance, atol=1e-15)
    means = result.means()
    assert means.localisation + means.missed + means.false == pytest.approx(means.distance, abs=1e-15)
    some = np.arange(20) < 7
    assert result.means(some).distance == pytest.approx(result.distance[:7].mean())


def test_the_best_pairs_are_not_the_nearest_ones():
    # The answer at 0 is nearest to the target at 0.05, but only there can the other answer be paired at all.
    targets, rows = [[(5.05, 5), (4.8, 5)]], [(0, 0, 5, 5, 2), (0, 0, 5.2, 5, 1)]
    result = found(targets, rows, 1, 1)
    assert squares(result)[0] == pytest.approx([0.2**2 + 0.15**2, 0, 0], abs=1e-12)


def test_groups_of_many_targets_are_solved_by_assignment(monkeypatch):
    rng = np.random.default_rng(5)
    targets = [5 + rng.uniform(0, 0.6, (11, 2)) for _ in range(4)]
    rows = [(0, f, x, y, 1.0) for f in range(4) for x, y in 5 + rng.uniform(0, 0.6, (14, 2))]
    assigned = found(targets, rows, 1, 4)
    monkeypatch.setattr(module, "MOST_TARGETS", 11)
    tried = found(targets, rows, 1, 4)
    np.testing.assert_allclose(assigned.distance, tried.distance, rtol=0, atol=1e-12)
    np.testing.assert_allclose(squares(assigned), squares(tried), rtol=0, atol=1e-12)


def test_many_answers_in_a_frame():
    """Every node of a fine heat map answers: one is paired with each target, the others are false."""
    x, y = np.meshgrid(np.arange(0, 11, 0.1), np.arange(0, 11, 0.1))
    rows = [(0, 0, *xy, 1.0) for xy in zip(x.ravel(), y.ravel())]
    result = found([[(5.02, 5.0), (5.52, 5.5)]], rows, 1, 1)
    expected = [2 * 0.02**2, 0, (len(rows) - 2) * 0.25**2 / 2]
    np.testing.assert_allclose(squares(result)[0], expected, rtol=1e-9, atol=1e-12)


def test_states_are_solved_in_blocks(monkeypatch):
    targets, rows = crowded_scene(np.random.default_rng(8))
    whole = found(targets, rows, 2, 3)
    monkeypatch.setattr(module, "STATES_AT_A_TIME", 1)
    np.testing.assert_array_equal(found(targets, rows, 2, 3).distance, whole.distance)


def test_distances_taken_in_blocks_are_of_the_same_answers(monkeypatch):
    targets, rows = crowded_scene(np.random.default_rng(8))
    whole = found(targets, rows, 2, 3)
    monkeypatch.setattr(matching, "BLOCK", 3)
    assert len(rows) > 9
    np.testing.assert_array_equal(squares(found(targets, rows, 2, 3)), squares(whole))


def test_no_answers_and_the_truth_itself():
    targets, _ = random_scene(np.random.default_rng(1))
    truth = truth_of(targets, 2, 3)
    assert found(targets, [], 2, 3).means().missed == found(targets, [], 2, 3).means().distance > 0
    rows = [(f // 3, f % 3, *xy, 1.0) for f in range(6) for xy in truth.frame_xy[f, : truth.frame_count[f]]]
    assert found(targets, rows, 2, 3).means().distance == 0
