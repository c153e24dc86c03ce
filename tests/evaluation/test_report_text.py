"""A report in words, and as a folder of files."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from csist_bench.evaluation.report import DetailOptions, Provenance, evaluate
from csist_bench.evaluation.report_text import _csv, report_latex, report_text, write_report
from csist_bench.predictions import Header
from tests.helpers.scenes import detections_of, random_scene, truth_of


def test_hungarian_goes_by_another_name():
    truth = truth_of([[(5, 5)]], 1, 1)
    report = evaluate(detections_of([(0, 0, 5, 5, 9)]), truth, matching="hungarian")
    table = report.to_dict()
    assert "cso_map" not in table
    assert table["hungarian_cso_map"] == 100.0
    assert not table["official"]
    assert "CSO-mAP (hungarian matching) 100.00" in report_text(report)


@pytest.fixture
def scene():
    targets, rows = random_scene(np.random.default_rng(1), n=3, t=4)
    detections = detections_of(rows, intensity=np.full(len(rows), 200.0))
    return truth_of(targets, 3, 4), detections


def test_text_tells_the_score_and_every_departure(scene):
    truth, detections = scene
    text = report_text(evaluate(detections, truth, provenance=Provenance(Header({"name": "ISTA"}))))
    assert "ISTA" in text.splitlines()[0]
    assert "official" not in text
    text = report_text(
        evaluate(detections, truth, provenance=Provenance(unverified="of other data", standard_frames=False))
    )
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
    names = {
        "report.json",
        "report.txt",
        "table.tex",
        "breakdown.csv",
        "operating_points.csv",
        "curves.csv",
        "frames.csv",
    }
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
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.txt", "table.tex"}


def test_frames_stand_one_a_line_and_average_to_the_figures(scene, tmp_path):
    truth, detections = scene
    report = evaluate(detections, truth, full=True, options=DetailOptions(bootstrap=0))
    write_report(report, tmp_path)
    with (tmp_path / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trajectory"], row["frame"]) for row in rows] == [(str(t), str(f)) for t in range(3) for f in range(4)]
    for name, value in (("ospa", report.details.metrics.ospa), ("gospa_false", report.gospa.false)):
        assert np.mean([float(row[name]) for row in rows]) == pytest.approx(value)
    assert sum(int(row["answers"]) for row in rows) == len(detections)
    assert any(row["wrong"] for row in rows)
    assert all((row["separation"] == "") == (int(row["targets"]) < 2) for row in rows)


def test_the_latex_table_holds_the_scores_and_what_they_are_not(scene):
    truth, detections = scene
    provenance = Provenance(Header({"name": "A_b & c"}), unverified="of other\ndata")
    report = evaluate(detections, truth, full=True, options=DetailOptions(bootstrap=10), provenance=provenance)
    lines = report_latex(report).splitlines()
    assert lines[0] == r"% needs \usepackage{booktabs}"
    (row,) = [line for line in lines if line.startswith("A")]
    assert row.startswith(r"A\_b \& c & ")
    assert f"{report.cso_map:.2f} & {report.ap[0]:.2f}" in row
    assert row.endswith(rf"{report.gospa.distance:.4f} \\")
    assert r"\toprule" in lines
    assert r"\bottomrule" in lines
    assert any("UNVERIFIED: of other data" in line for line in lines)
    assert all(line.startswith("%") for line in lines[lines.index(r"\end{tabular}") + 1 :])
    assert any("95 % interval" in line for line in lines)


def test_breakdowns_have_a_heading_over_every_column(scene):
    truth, detections = scene
    lines = report_text(evaluate(detections, truth, full=True, options=DetailOptions(bootstrap=0))).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("By number of targets"))
    head, row = lines[at + 1], next(line for line in lines[at:] if line.startswith("  K = 2"))
    assert head.split() == [
        "frames", "mean", "AP05", "AP10", "AP15", "AP20", "AP25", "CSO-F1", "card.", "RMSE25", "OSPA", "GOSPA", "PSNR",
        "SSIM",
    ]  # fmt: skip
    assert len(head) == len(row)


def test_what_stands_beside_the_score_is_one_line(scene):
    truth, detections = scene
    report = evaluate(detections, truth)
    (line,) = [line for line in report_text(report).splitlines() if line.startswith("CSO-F1")]
    gospa = report.gospa
    assert line == (
        f"CSO-F1 {report.cso_f1:.2f}   {report.answers_per_frame:.2f} answers per frame   GOSPA {gospa.distance:.4f} px"
        f" = {gospa.localisation:.4f} localisation + {gospa.missed:.4f} missed + {gospa.false:.4f} false"
    )


def test_a_capped_score_says_so(scene):
    truth, detections = scene
    text = report_text(evaluate(detections, truth, max_answers=1))
    assert text.startswith("CSO-mAP (at most 1 answers a frame) ")
    assert "not the official figure: at most 1 answers a frame: a variant of the protocol" in text
    assert "(the best 1 of each frame; " in text


def test_a_table_of_one_row_has_its_header():
    assert _csv([{"name": "=a", "ap": 1.5}]) == b"name,ap\n'=a,1.5\n"
    assert _csv([]) == b""
