"""What a report holds."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from csist_bench.conventions import ap_name
from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation import EVALUATOR_VERSION, scores_alike
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
    assert table["evaluator"] == EVALUATOR_VERSION == "1.1"
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


@pytest.mark.parametrize(
    ("version", "alike"),
    [*((text, True) for text in ("1.0", "1.1", "1.27")),
     *((text, False) for text in ("2.0", "0.9", "1", "1.", "1.0.0", "11.0", "1.x", "1.0 ", "1.\u0661"))],
)  # fmt: skip
def test_versions_of_one_first_number_score_alike(version, alike):
    assert scores_alike(version) is alike


def test_what_stands_beside_the_score_is_in_json_and_html(scene):
    truth, detections = scene
    report = evaluate(detections, truth)
    table = report.to_dict()
    assert table["answers_per_frame"] == len(detections) / 12
    assert table["gospa"] == report.gospa.distance > 0
    parts = [table[f"gospa_{name}"] for name in ("localisation", "missed", "false")]
    assert sum(parts) == pytest.approx(table["gospa"], abs=1e-12)
    assert table["cso_f1"] == report.cso_f1 > 0
    assert table["cso_f1_score"] in detections.score
    html = report._repr_html_()
    assert re.findall(r"<th>(.*?)</th>", html)[-6:] == [
        "CSO-F1", "answers/frame", "GOSPA, px", "of it localisation", "of it missed", "of it false"
    ]  # fmt: skip
    assert f"<td>{report.cso_f1:.2f}</td><td>{report.answers_per_frame:.2f}</td><td>{table['gospa']:.4f}</td>" in html


def test_nothing_found_has_figures_that_json_can_hold():
    table = evaluate(Detections.empty(), truth_of([[(5, 5)]], 1, 1)).to_dict()
    assert (table["cso_f1"], table["cso_f1_score"], table["answers_per_frame"]) == (0, None, 0)
    assert [table["gospa"], table["gospa_missed"]] == pytest.approx([0.25 / np.sqrt(2)] * 2)


def test_details_break_the_figures_down(scene):
    truth, detections = scene
    report = evaluate(detections, truth, full=True, options=DetailOptions(bootstrap=0))
    whole, parts = report.details.metrics, report.details.by_targets
    assert (whole.cso_f1, whole.gospa) == (report.cso_f1, report.gospa.distance)
    assert sum(row.gospa_false * row.frames for row in parts) == pytest.approx(whole.gospa_false * whole.frames)
    assert sum(row.answers_per_frame * row.frames for row in parts) == pytest.approx(len(detections))


def test_a_capped_score_is_a_variant_of_its_own_name():
    # Frame 0: the better answer is wrong. Frame 1 is not scored.
    truth = truth_of([[(5, 5)], [(5, 5)]], 1, 2, frames=range(1))
    rows = [(0, 0, 9, 9, 3), (0, 0, 5, 5, 2), (0, 0, 8, 8, 1), (0, 1, 5, 5, 4), (0, 1, 6, 6, 4)]
    capped = evaluate(detections_of(rows), truth, max_answers=1)
    table = capped.to_dict()
    assert (table["capped_cso_map"], table["capped_cso_f1"], table["capped_answers_per_frame"]) == (0, 0, 1)
    assert not {"cso_map", "ap05", "cso_f1", "gospa", "answers_per_frame"} & set(table)
    assert (table["max_answers"], table["dropped_answers"], table["ignored_detections"]) == (1, 2, 2)
    assert not table["official"]
    assert table["metric"] == "CSO-mAP (at most 1 answers a frame)"
    assert evaluate(detections_of(rows), truth, max_answers=2).cso_map == pytest.approx(50)
    both = evaluate(detections_of(rows), truth, max_answers=3, matching="hungarian")
    assert "hungarian_capped_cso_map" in both.to_dict()
    with pytest.raises(InputError, match="max_answers must be at least 1, got 0"):
        evaluate(detections_of(rows), truth, max_answers=0)


def test_a_cap_that_cuts_nothing_scores_the_same_and_is_still_a_variant(scene):
    truth, detections = scene
    plain, capped = evaluate(detections, truth), evaluate(detections, truth, max_answers=100)
    assert (capped.ap, capped.dropped_answers, capped.official) == (plain.ap, 0, False)
