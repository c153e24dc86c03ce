"""Average precision, against a scorer of loops only."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.conventions import THRESHOLDS
from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.average_precision import RankedHits, average_precision, curve, merge
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import evaluate
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive

CASES = json.loads((Path(__file__).parents[1] / "golden" / "scoring_cases.json").read_text(encoding="utf-8"))
SEEDS = st.integers(0, 2**32 - 1)


def fraction(text):
    return sum(
        (np.prod([Fraction(f) for f in term.split("*")]) for term in text.replace(" ", "").split("+")), Fraction(0)
    )


def scored(detections, truth, **options):
    return np.array(evaluate(detections, truth, **options).ap) / 100


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_hand_worked_cases(case):
    frames = case["frames"]
    rows = [(0, f, *d) for f, frame in enumerate(frames) for d in frame["detections"]]
    truth = truth_of([frame["targets"] for frame in frames], 1, len(frames))
    expected = [float(fraction(text)) for text in case["ap"]]
    np.testing.assert_allclose(scored(detections_of(rows), truth), expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(naive.score(frames_of([f["targets"] for f in frames], rows, len(frames))), expected)


def test_equals_the_loop_only_scorer_on_1000_random_scenes():
    rng = np.random.default_rng(11)
    tied = empty = 0
    for _ in range(1000):
        targets, rows = random_scene(rng)
        tied += len({row[4] for row in rows}) < len(rows)
        empty += any(not len(group) for group in targets)
        fast = scored(detections_of(rows), truth_of(targets, 2, 3))
        np.testing.assert_allclose(fast, naive.score(frames_of(targets, rows, 3)), rtol=0, atol=1e-12)
    assert tied > 900
    assert empty > 500


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_truth_scores_100_and_nothing_scores_0(seed):
    rng = np.random.default_rng(seed)
    targets = [np.unique(4 + 0.3 * rng.integers(0, 8, (rng.integers(1, 5), 2)), axis=0) for _ in range(6)]
    truth = truth_of(targets, 2, 3)
    rows = [(i // 3, i % 3, *xy, rng.random()) for i, group in enumerate(targets) for xy in group]
    assert scored(detections_of(rows), truth) == pytest.approx(np.ones(5), abs=1e-12)
    nothing = evaluate(Detections.empty(), truth)
    assert nothing.ap == (0.0,) * 5
    assert nothing.cso_map == 0.0


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_properties_of_any_scene(seed):
    rng = np.random.default_rng(seed)
    targets, rows = random_scene(rng)
    truth = truth_of(targets, 2, 3)
    detections = detections_of(rows)
    base = scored(detections, truth)
    assert ((base >= 0) & (base <= 1 + 1e-12)).all()
    shuffled = detections.select(rng.permutation(len(rows)))
    np.testing.assert_array_equal(scored(shuffled, truth), base)
    lowest = min((row[4] for row in rows), default=0.0) - 1
    more = detections_of([*rows, (0, 0, 100.0, 100.0, lowest)])
    np.testing.assert_array_equal(scored(more, truth), base)
    # Raising every score by a rising function changes nothing.
    bent = detections_of([(*row[:4], np.exp(row[4])) for row in rows])
    np.testing.assert_array_equal(scored(bent, truth), base)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_a_false_alarm_of_any_score_never_helps(seed):
    rng = np.random.default_rng(seed)
    targets, rows = random_scene(rng)
    truth = truth_of(targets, 2, 3)
    more = detections_of([*rows, (0, 0, 100.0, 100.0, rng.uniform(-1, 6))])
    assert (scored(more, truth) <= scored(detections_of(rows), truth) + 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_ap_does_not_fall_as_the_threshold_grows(seed):
    # A detection's nearest target does not depend on the threshold, so each target's first claim can only come earlier.
    targets, rows = random_scene(np.random.default_rng(seed))
    assert (np.diff(scored(detections_of(rows), truth_of(targets, 2, 3))) >= -1e-12).all()


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_merged_parts_equal_the_whole(seed):
    rng = np.random.default_rng(seed)
    targets, rows = random_scene(rng, n=4)
    truth, detections = truth_of(targets, 4, 3), detections_of(rows)
    whole = RankedHits.from_matched(match(detections, truth), truth.n_targets)
    parts = []
    for trajectory in rng.permutation(4):
        group = targets[3 * trajectory : 3 * trajectory + 3]
        if sum(map(len, group)) == 0:
            continue
        part = truth_of(targets, 4, 3, trajectories=[trajectory])
        parts.append(RankedHits.from_matched(match(detections, part), part.n_targets))
    lost = [t for t in range(4) if not sum(map(len, targets[3 * t : 3 * t + 3]))]
    if not np.isin(detections.trajectory, lost).any():
        assert merge(parts).average_precisions() == whole.average_precisions()
        assert merge(parts).n_targets == whole.n_targets


def test_merge_needs_equal_thresholds():
    truth = truth_of([[(5, 5)]], 1, 1)
    few = RankedHits.from_matched(match(Detections.empty(), truth, (0.1,)), 1)
    many = RankedHits.from_matched(match(Detections.empty(), truth), 1)
    with pytest.raises(InputError, match="same thresholds"):
        merge([few, many])


def test_average_precision_is_the_area_under_its_curve():
    hits = np.random.default_rng(5).random(200) < 0.4
    recall, precision = curve(hits, 120)
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    assert area == pytest.approx(average_precision(hits, 120), abs=1e-12)
    assert (np.diff(precision) <= 0).all()


def test_thresholds_are_those_of_the_protocol():
    assert THRESHOLDS == naive.THRESHOLDS
