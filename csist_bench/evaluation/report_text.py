"""A report in words: for the terminal, and as a folder of files."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csist_bench.errors import printable
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.evaluation.frame_table import FrameTable
from csist_bench.evaluation.metrics import DEFINITIONS, Metrics
from csist_bench.evaluation.report import Report
from csist_bench.files import replace_file
from csist_bench.files.latex import latex_text
from csist_bench.files.spreadsheets import guarded


def report_text(report: Report) -> str:
    """Return a report as lines for a terminal."""
    name = report.header.method.get("name")
    title = f"{report.metric} {report.cso_map:.2f}" + (f"  {name}" if isinstance(name, str) else "")
    stamps = [] if report.official else [why_not_official(report)]
    parts = [[title, *stamps], [*_score_lines(report), *_beside_lines(report)], _coverage_lines(report)]
    if report.details:
        details = report.details
        parts += [
            _metric_lines(details.metrics) + ([report.tracks.to_text()] if report.tracks else []),
            _table("By number of targets", details.by_targets),
            _table("By separation (smallest distance between two targets of a frame)", details.by_separation),
            ["Definitions", *(f"  {term}: {text}" for term, text in DEFINITIONS.items())],
        ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def why_not_official(report: Report) -> str:
    """Return in one line why a score is not the protocol's figure."""
    reasons = []
    if report.unverified:
        reasons.append(f"UNVERIFIED: {report.unverified}")
    if report.variant:
        reasons.append(f"{report.variant}: a variant of the protocol")
    if not report.standard_frames:
        reasons.append(f"a subset or other frames than the data set scores: {report.frames} of each trajectory")
    return "not the official figure: " + "; ".join(reasons)


def _score_lines(report: Report) -> list[str]:
    head = "".join(f"{f'AP{round(100 * t):02d}':>8}" for t in report.thresholds) + f"{'mean':>8}"
    lines = [f"{'':12}{head}", f"{'percent':12}" + "".join(f"{value:8.2f}" for value in (*report.ap, report.cso_map))]
    if report.details and report.details.intervals:
        low, high = zip(*report.details.intervals.values())
        lines.append(f"{'95 % from':12}" + "".join(f"{value:8.2f}" for value in low))
        lines.append(f"{'95 % to':12}" + "".join(f"{value:8.2f}" for value in high))
    return lines


def _beside_lines(report: Report) -> list[str]:
    gospa = report.gospa
    return [
        f"CSO-F1 {report.cso_f1:.2f}   {report.answers_per_frame:.2f} answers per frame   GOSPA {gospa.distance:.4f} px"
        f" = {gospa.localisation:.4f} localisation + {gospa.missed:.4f} missed + {gospa.false:.4f} false"
    ]


def _coverage_lines(report: Report) -> list[str]:
    read_with = [f"read with {report.conventions}"] if report.conventions else []
    kept = f" (the best {report.max_answers} of each frame; {report.dropped_answers} others left out)"
    return [
        f"{report.frames_scored} frames scored ({report.frames} of {report.trajectories} trajectories),"
        f" {report.targets} targets, {report.detections} detections{kept if report.max_answers else ''}",
        f"{report.missing_frames} scored frames missing, {report.ignored_detections} detections in unscored frames"
        f" ignored; evaluator {EVALUATOR_VERSION}, {report.matching} matching",
        *read_with,
        *([f"hint: {report.hint}"] if report.hint else []),
    ]


def _metric_lines(metrics: Metrics) -> list[str]:
    lines = [
        "At the score of best F1",
        f"  {'within':>8}{'score':>10}{'precision':>11}{'recall':>8}{'F1':>8}{'false/frame':>13}{'cardinality':>13}"
        f"{'RMSE':>9}",
    ]
    for point, error in zip(metrics.points, metrics.rmse):
        lines.append(
            f"  {point.threshold:5.2f} px{_number(point.score, 10)}{point.precision:11.2f}{point.recall:8.2f}"
            f"{point.f1:8.2f}{point.false_alarms:13.3f}{point.cardinality:13.2f}{_number(error, 9, 4)}"
        )
    estimates = metrics.estimates
    lines.append(
        f"cardinality {metrics.cardinality:.2f} %   OSPA {metrics.ospa:.4f} px"
        f"   PSNR {_word(metrics.psnr)} dB   SSIM {_word(metrics.ssim, 4)}   as public code has them"
        f" {_word(metrics.psnr_public_code)} dB, {_word(metrics.ssim_public_code, 4)}"
    )
    lines.append(
        f"within 0.25 px: Jaccard {_word(estimates.jaccard)} %   efficiency {_word(estimates.efficiency)} %"
        f"   intensity bias {_word(estimates.intensity_bias)} %, RMSE {_word(estimates.intensity_rmse)} %"
    )
    lines.append(
        f"claimed errors: NEES {_word(estimates.nees)}   coverage {_word(estimates.coverage_68)} % of the 68 %,"
        f" {_word(estimates.coverage_95)} % of the 95 % ellipses"
    )
    return lines


def _word(value: float, digits: int = 2) -> str:
    return _number(value, 0, digits)


def _table(title: str, rows: Sequence[Metrics]) -> list[str]:
    lines = [title]
    if rows:
        names = "".join(f"{f'AP{round(100 * p.threshold):02d}':>8}" for p in rows[0].points)
        lines.append(
            f"  {'':22}{'frames':>8}{'mean':>8}{names}{'CSO-F1':>8}{'card.':>8}{'RMSE25':>9}{'OSPA':>9}{'GOSPA':>9}"
            f"{'PSNR':>8}{'SSIM':>8}"
        )
    for row in rows:
        aps = "".join(_number(value) for value in (row.cso_map, *row.ap))
        lines.append(
            f"  {row.label:22}{row.frames:8d}{aps}{row.cso_f1:8.2f}{row.cardinality:8.2f}{_number(row.rmse[-1], 9, 4)}"
            f"{row.ospa:9.4f}{row.gospa:9.4f}{_number(row.psnr)}{_number(row.ssim, 8, 4)}"
        )
    return lines


def _number(value: float, width: int = 8, digits: int = 2) -> str:
    return f"{'-' if math.isnan(value) else f'{value:.{digits}f}':>{width}}"


def write_report(report: Report, directory: str | Path) -> None:
    """Write report.json, report.txt and table.tex, and with details the tables that they hold as CSV.

    These are breakdown.csv, operating_points.csv, curves.csv and frames.csv, one line a scored frame.
    """
    folder = Path(directory)
    replace_file(folder / "table.tex", report_latex(report).encode())
    replace_file(folder / "report.json", (json.dumps(report.to_dict(), indent=2) + "\n").encode())
    replace_file(folder / "report.txt", report_text(report).encode())
    if report.details is None:
        return
    table = report.to_dict()
    groups = [("all", [table["figures"]]), ("targets", table["by_targets"]), ("separation", table["by_separation"])]
    flat = [{"group": name, **row} for name, rows in groups for row in rows]
    points = [{"group": r["group"], "label": r["label"], **point} for r in flat for point in r["points"]]
    breakdown = [{name: value for name, value in row.items() if name != "points"} for row in flat]
    curves = [
        {"threshold": name, "recall": float(r), "precision": float(p)}
        for name, (recall, precision) in report.details.curves.items()
        for r, p in zip(recall, precision)
    ]
    for name, rows in (("breakdown", breakdown), ("operating_points", points), ("curves", curves)):
        replace_file(folder / f"{name}.csv", _csv(rows))
    replace_file(folder / "frames.csv", _frames_csv(report.details.frames))


def _frames_csv(frames: FrameTable) -> bytes:
    """Return one line a scored frame; a separation that is not defined is left empty."""
    columns = {name: column.tolist() for name, column in frames.columns.items()}
    columns["separation"] = ["" if math.isinf(value) else value for value in columns["separation"]]
    columns["wrong"] = [frames.wrong(index) for index in range(len(columns["frame"]))]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values()))
    return text.getvalue().encode()


def report_latex(report: Report) -> str:
    r"""Return the scores as a LaTeX table of one row (\usepackage{booktabs})."""
    name = report.header.method.get("name")
    aps = [f"AP\\textsubscript{{{round(100 * t):02d}}}" for t in report.thresholds]
    head = ["Method", report.metric, *aps, "CSO-F1", "Answers/frame", "GOSPA, px"]
    values = [f"{value:.2f}" for value in (report.cso_map, *report.ap, report.cso_f1, report.answers_per_frame)]
    interval = report.details.intervals.get("cso_map") if report.details else None
    said = [f"CSO-mAP 95 % interval {interval[0]:.2f} to {interval[1]:.2f}"] if interval else []
    said += [f"evaluator {EVALUATOR_VERSION}", *([] if report.official else [why_not_official(report)])]
    lines = [
        "% needs \\usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
        " & ".join([latex_text(name if isinstance(name, str) else "-"), *values, f"{report.gospa.distance:.4f}"])
        + r" \\",
        r"\bottomrule",
        r"\end{tabular}",
        *(f"% {printable(' '.join(text.split()))}" for text in said),
    ]
    return "\n".join(lines) + "\n"


def _csv(rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({n: guarded(v) if isinstance(v, str) else v for n, v in row.items()} for row in rows)
    return text.getvalue().encode()
