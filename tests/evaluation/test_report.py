import csv
import json

import numpy as np
import pytest

from csist_bench.conventions import ap_name
from csist_bench.detections import Detections
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.evaluation.report import DetailOptions, Provenance, evaluate
from csist_bench.evaluation.report_text import report_text, write_report
from csist_bench.evaluation.truth import Truth
from csist_bench.predictions import Header
from tests.helpers.scenes import detections_of, random_scene, truth_of


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


def test_text_tells_the_score_and_every_departure(scene):
    truth, detections = scene
    text = report_text(evaluate(detections, truth, provenance=Provenance(Header({"name": "ISTA"}))))
    assert "ISTA" in text.splitlines()[0]
    assert "official" not in text
    text = report_text(evaluate(detections, truth, provenance=Provenance(unverified=True, standard_frames=False)))
    assert "UNVERIFIED" in text
    assert "subset or other frames" in text


def test_full_text_has_the_breakdowns_and_definitions(scene):
    truth, detections = scene
    text = report_text(evaluate(detections, truth, full=True, options=DetailOptions(bootstrap=20)))
    for part in ("95 % from", "best F1", "By number of targets", "K = 2", "By separation", "Definitions", "OSPA:"):
        assert part in text
    assert "nan" not in text


def test_report_folder(scene, tmp_path):
    truth, detections = scene
    report = evaluate(detections, truth, full=True, options=DetailOptions(bootstrap=20))
    write_report(report, tmp_path / "out")
    names = {"report.json", "report.txt", "breakdown.csv", "operating_points.csv", "curves.csv"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report.to_dict()
    with (tmp_path / "out" / "breakdown.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["cso_map"]) == report.cso_map
    assert len(rows) == 1 + len(report.details.by_targets) + len(report.details.by_separation)
    with (tmp_path / "out" / "curves.csv").open(newline="") as file:
        curves = [row for row in csv.DictReader(file) if row["threshold"] == "ap25"]
    assert [float(row["recall"]) for row in curves] == report.details.curves["ap25"][0].tolist()


def test_plain_report_folder_has_no_tables(scene, tmp_path):
    truth, detections = scene
    write_report(evaluate(detections, truth), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.txt"}


@pytest.mark.parametrize(("frames", "missing"), [("0:2", 0), ("2:4", 2), ("1:3", 1), (None, 0)])
def test_frames_answered_outside_the_scored_ones_do_not_count(frames, missing):
    xy, intensity = np.full((1, 4, 1, 2), 5.0), np.full((1, 4, 1), 230.0)
    truth = Truth.from_arrays(xy, intensity, np.ones((1, 4), np.uint8), range(2))
    report = evaluate(Detections.empty(), truth, provenance=Provenance(Header(n_frames=2, frames=frames)))
    assert report.missing_frames == missing
