"""What a report holds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from csist_bench.conventions import ap_name
from csist_bench.detections import Detections
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.evaluation.report import CURVE_POINTS, DetailOptions, Provenance, evaluate
from csist_bench.evaluation.truth import Truth
from csist_bench.predictions import Header
from tests.helpers.scenes import detections_of, random_scene, truth_of


def test_unscored_frames_are_ignored_and_counted_and_missing_ones_too():
    targets = [[(5, 5)]] * 8
    truth = truth_of(targets, 2, 4, frames=range(1, 3))
    rows = [(0, 0, 5, 5, 9), (0, 1, 5, 5, 8), (1, 3, 5, 5, 7), (1, 2, 5, 5, 6)]
    report = evaluate(detections_of(rows), truth)
    assert (report.frames_scored, report.targets, report.detections, report.ignored_detections) == (4, 4, 2, 2)
    assert report.missing_frames == 2
    assert report.ap == (50.0,) * 5
    assert report.frames == "1:3"


def test_inputs_are_left_alone():
    targets, rows = random_scene(np.random.default_rng(8))
    detections = detections_of(rows)
    before = {name: column.copy() for name, column in detections.columns().items()}
    evaluate(detections, truth_of(targets, 2, 3), full=True, options=DetailOptions(bootstrap=10))
    for name, column in detections.columns().items():
        np.testing.assert_array_equal(column, before[name])


@pytest.fixture
def scene():
    targets, rows = random_scene(np.random.default_rng(1), n=3, t=4)
    detections = detections_of(rows, intensity=np.full(len(rows), 200.0))
    return truth_of(targets, 3, 4), detections


def test_json_holds_the_promised_fields_in_percent_and_unrounded(scene):
    truth, detections = scene
    report = evaluate(detections, truth)
    table = report.to_dict()
    assert [ap_name(t) for t in report.thresholds] == ["ap05", "ap10", "ap15", "ap20", "ap25"]
    assert table["cso_map"] == np.mean([table[ap_name(t)] for t in report.thresholds])
    assert tuple(table[ap_name(t)] for t in report.thresholds) == report.ap
    assert (table["frames_scored"], table["detections"], table["targets"]) == (12, len(detections), truth.n_targets)
    assert table["evaluator"] == EVALUATOR_VERSION == "1.0"
    assert table["official"] is True
    assert table["unverified"] is False
    assert "figures" not in table


def test_full_json_has_no_value_that_json_cannot_hold(scene):
    truth, detections = scene
    table = evaluate(detections, truth, full=True, options=DetailOptions(bootstrap=20)).to_dict()
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert set(table["intervals"]) == {"ap05", "ap10", "ap15", "ap20", "ap25", "cso_map"}
    assert table["figures"]["frames"] == 12
    assert table["figures"]["cso_map"] == table["cso_map"]


@pytest.mark.parametrize(("answered", "missing"), [(None, 2), (4, 0), (3, 1), (0, 2), (9, 0)])
def test_missing_frames_are_told_from_empty_ones_by_the_header(answered, missing):
    truth = truth_of([[(5, 5)]] * 4, 1, 4)
    detections = detections_of([(0, 0, 5, 5, 1), (0, 1, 5, 5, 1)])
    assert evaluate(detections, truth, provenance=Provenance(Header(n_frames=answered))).missing_frames == missing


@pytest.mark.parametrize(("frames", "missing"), [("0:2", 0), ("2:4", 2), ("1:3", 1), (None, 0)])
def test_frames_answered_outside_the_scored_ones_do_not_count(frames, missing):
    xy, intensity = np.full((1, 4, 1, 2), 5.0), np.full((1, 4, 1), 230.0)
    truth = Truth.from_arrays(xy, intensity, np.ones((1, 4), np.uint8), range(2))
    report = evaluate(Detections.empty(), truth, provenance=Provenance(Header(n_frames=2, frames=frames)))
    assert report.missing_frames == missing


def test_curves_of_many_points_keep_their_ends():
    n = 1500
    rows = [(i, 0, 5.0 if i % 3 else 9.0, 5.0, 1 - i / n) for i in range(n)]
    truth = truth_of([[(5, 5)]] * n, n, 1)
    options = DetailOptions(bootstrap=0)
    recall, precision = evaluate(detections_of(rows), truth, full=True, options=options).details.curves["ap25"]
    hits = n - n // 3
    assert len(recall) == CURVE_POINTS < hits
    assert (recall[0], recall[-1]) == (pytest.approx(1 / n), pytest.approx(hits / n))
    assert precision[-1] == pytest.approx(hits / n)


def test_details_are_of_a_thousand_resamples_on_the_published_grid_unless_others_are_named():
    assert DetailOptions() == DetailOptions(bootstrap=1000, seed=0, grid=(3, 11))
