"""A report as one page of HTML that stands by itself, and its figures as PDF files.

The page holds its figures, needs no script and no other file, and is read in light and dark, on paper and on a phone.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from csist_bench.errors import InputError
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.evaluation.metrics import DEFINITIONS, Metrics
from csist_bench.evaluation.report import Details, Report
from csist_bench.evaluation.report_text import why_not_official
from csist_bench.files import replace_file
from csist_bench.plots.report_figures import report_figures
from csist_bench.plots.style import inline_svg, save
from csist_bench.plots.worst_frames import (
    ReadFrame,
    fate_legend,
    fate_styles,
    worst_frames,
    worst_frames_figure,
    worst_frames_html,
)

CAPTIONS = {
    "precision_recall": "Precision against recall at the five thresholds, precision made monotone from the right.",
    "errors": "Every answer from its nearest target. Circles and dashed lines are the five thresholds.",
    "breakdown": "CSO-mAP, its five APs and CSO-F1 by number of targets and by separation of the nearest two.",
    "frames": "Mean GOSPA by frame of the trajectory with its three parts, and its distribution over frames.",
}
FATES = (
    ("missed", "targets", "no answer within 0.5 px"),
    ("merged", "targets", "the nearest answer within 0.5 px is another target's: one answer stands for two targets"),
    ("displaced", "targets", "an answer that belongs to no other target lies within 0.5 px, but not within 0.25 px"),
    ("doubled", "answers", "within 0.25 px of a target that has a better answer"),
    ("false", "answers", "belongs to no target"),
)
STYLE = """
:root{color-scheme:light dark;--ink:#1a1d21;--soft:#565d66;--page:#fff;--card:#f4f5f7;--grid:#dcdfe4;--good:#0b6b4b;
--warn:#8a4b00;--warn-page:#fff4e0}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a9b0b8;--page:#15181c;--card:#1f2329;--grid:#3a4048;
--good:#5fd3a6;--warn:#ffc069;--warn-page:#33270f}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:66rem;padding:1.5rem 1rem 4rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}
h2{font-size:1.2rem;margin:2.4rem 0 .6rem;border-bottom:1px solid var(--grid);padding-bottom:.25rem}
p{margin:.4rem 0;max-width:48rem}
.soft,figcaption span,dd{color:var(--soft)}
.note{background:var(--warn-page);color:var(--warn);border-left:4px solid var(--warn);padding:.5rem .8rem;
margin:.8rem 0;max-width:none;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.6rem;margin:1.2rem 0;padding:0}
.cards div{background:var(--card);border-radius:.5rem;padding:.6rem .8rem}
.cards dt{font-size:.85rem;color:var(--soft)}
.cards dd{margin:0;color:var(--ink);font-size:1.35rem;font-variant-numeric:tabular-nums}
.cards small{display:block;font-size:.78rem;color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;white-space:nowrap}
th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--grid)}
th:first-child,td:first-child{text-align:left;padding-left:0}
.words{text-align:left!important;white-space:normal;min-width:16rem}
.wide+.wide{margin-top:1rem}
thead th{color:var(--soft);font-weight:600}
figure{margin:1rem 0}
figcaption{font-size:.88rem;color:var(--soft)}
figure>svg,.plot svg{width:100%;height:auto;display:block}
.plot{overflow-x:auto}.plot svg{min-width:34rem}
svg text{fill:currentColor;font-family:inherit!important}
.frames{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.9rem}
.frame{margin:0}.frame svg{border-radius:.3rem;background:#000}
.legend+.legend{margin-bottom:.8rem}
.frame figcaption{line-height:1.3;margin-top:.25rem;color:var(--ink)}
image{image-rendering:pixelated}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;margin:.3rem 0;font-size:.9rem}
.key{width:1em;height:1em;vertical-align:-.12em}
dl.terms dt{font-weight:600;margin-top:.5rem}dl.terms dd{margin:0;max-width:48rem}
code{font-size:.92em;overflow-wrap:anywhere}
@media print{body{max-width:none}h2{break-after:avoid}figure,.cards div{break-inside:avoid}}
"""


def write_report_page(report: Report, directory: str | Path, read: ReadFrame) -> None:
    """Write report.html and figures/*.pdf of a report with details.

    Parameters
    ----------
    read : callable
        Returns the image of a trajectory's frame, to draw the worst ones.

    Raises
    ------
    InputError
        If the report holds no details.
    """
    if report.details is None:
        raise InputError("report must hold details to be a page; evaluate with full=True")
    folder = Path(directory)
    figures = report_figures(report, report.details)
    drawings = {name: inline_svg(figure, name, CAPTIONS[name]) for name, figure in figures.items()}
    shown = worst_frames(report.details, read)
    page = _page(report, report.details, drawings, worst_frames_html(shown))
    replace_file(folder / "report.html", page.encode())
    for name, figure in figures.items():
        figure.set_layout_engine("none")  # it was laid out for the page
        save(figure, folder / "figures" / f"{name}.pdf")
    if shown:
        save(worst_frames_figure(shown), folder / "figures" / "worst_frames.pdf")


def _page(report: Report, details: Details, drawings: dict[str, str], frames: str) -> str:
    name = report.header.method.get("name")
    title = f"{name if isinstance(name, str) else 'Predictions'}: {report.metric} {report.cso_map:.2f} %"
    worst = (
        f"<p>The {frames.count('<figure')} frames of highest GOSPA, at most one of each trajectory (trajectory:frame)."
        f"</p>{fate_legend()}<div class='frames'>{frames}</div>"
        if frames
        else "<p>Nothing went wrong in any frame.</p>"
    )
    parts = [
        f"<header><h1>{_text(title)}</h1>{_about(report)}</header>",
        _cards(report, details),
        _section("What went wrong", _fates(details) + worst),
        _section("Precision and recall", _drawn(drawings, "precision_recall") + _points(details.metrics)),
        _section("Where the errors are", _drawn(drawings, "errors") + _drawn(drawings, "frames")),
        _section(
            "Breakdown",
            _drawn(drawings, "breakdown")
            + _breakdown("targets", details.by_targets)
            + _breakdown("separation", details.by_separation),
        ),
        _section("Definitions", _terms(DEFINITIONS.items())),
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{_text(title)}</title><style>{STYLE}{fate_styles()}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def _text(value: object) -> str:
    return html.escape(" ".join(str(value).split()))


def _section(title: str, content: str) -> str:
    return f"<section><h2>{_text(title)}</h2>{content}</section>"


def _drawn(drawings: dict[str, str], name: str) -> str:
    caption = _text(CAPTIONS[name])
    return f"<figure><div class='plot' tabindex='0' role='group' aria-label='{caption}'>{drawings[name]}</div>" + (
        f"<figcaption>{caption} <code>figures/{name}.pdf</code></figcaption></figure>"
    )


def _about(report: Report) -> str:
    data = " ".join(str(part) for part in (report.header.dataset, report.header.split) if part)
    lines = [
        f"{report.frames_scored:,} frames ({report.frames} of {report.trajectories:,} trajectories)"
        f"{f' of {data}' if data else ''}, {report.targets:,} targets, {report.detections:,} answers;"
        f" evaluator {EVALUATOR_VERSION}, {report.matching} matching.",
    ]
    if report.missing_frames or report.ignored_detections:
        lines.append(
            f"{report.missing_frames:,} scored frames are missing from the file,"
            f" {report.ignored_detections:,} answers in frames that are not scored were ignored."
        )
    if report.conventions:
        lines.append(f"Read with {report.conventions}.")
    if report.tracks:
        lines.append(report.tracks.to_text())
    notes = [] if report.official else [why_not_official(report)]
    notes += [f"Hint: {report.hint}. Nothing was changed."] if report.hint else []
    notes += report.warnings
    said = "".join(f"<p class='soft'>{_text(line)}</p>" for line in lines)
    return said + "".join(f"<p class='note'>{_text(note)}</p>" for note in notes)


def _cards(report: Report, details: Details) -> str:
    whole, interval = details.metrics, details.intervals.get("cso_map")
    estimates, gospa = whole.estimates, report.gospa
    spread = f"95 %: {interval[0]:.2f} to {interval[1]:.2f}" if interval else ""
    aps = [(f"AP{round(100 * t):02d}", f"{ap:.2f}", "") for t, ap in zip(report.thresholds, report.ap)]
    cards = [
        (report.metric, f"{report.cso_map:.2f}", spread),
        *aps,
        ("CSO-F1", f"{report.cso_f1:.2f}", f"at score {_number(report.cut.score, 4, 'g')}"),
        ("Answers per frame", f"{report.answers_per_frame:.2f}", f"targets: {details.targets_per_frame:.2f}"),
        (
            "GOSPA, px",
            f"{gospa.distance:.4f}",
            f"{gospa.localisation:.3f} localisation + {gospa.missed:.3f} missed + {gospa.false:.3f} false",
        ),
        ("OSPA, px", f"{whole.ospa:.4f}", ""),
        ("Jaccard, %", _number(estimates.jaccard), f"efficiency {_number(estimates.efficiency)}"),
        ("RMSE, px", _number(whole.rmse[-1], 4), "within 0.25 px"),
        ("Intensity bias, %", _number(estimates.intensity_bias), f"RMSE {_number(estimates.intensity_rmse)}"),
        (
            "NEES of claimed errors",
            _number(estimates.nees),
            f"coverage {_number(estimates.coverage_68, 1)} of 68 %, {_number(estimates.coverage_95, 1)} of 95 %",
        ),
        ("PSNR, dB", _number(whole.psnr), f"as public code: {_number(whole.psnr_public_code)}"),
        ("SSIM", _number(whole.ssim, 4), f"as public code: {_number(whole.ssim_public_code, 4)}"),
    ]
    known = [card for card in cards if card[1] != "-"]
    return "<dl class='cards'>" + "".join(_card(*card) for card in known) + "</dl>"


def _card(term: str, value: str, small: str) -> str:
    more = f"<small>{_text(small)}</small>" if small else ""
    return f"<div><dt>{_text(term)}</dt><dd>{_text(value)}{more}</dd></div>"


def _number(value: float, digits: int = 2, kind: str = "f") -> str:
    return f"{value:.{digits}{kind}}" if math.isfinite(value) else "-"


def _fates(details: Details) -> str:
    totals = details.frames.totals()
    rows = []
    for name, of, meaning in FATES:
        share = 100 * totals[name] / totals[of] if totals[of] else 0.0
        rows.append(
            f"<tr><td>{name}</td><td>{totals[name]:,}</td><td>{share:.1f} % of {of}</td>"
            f"<td class='words'>{_text(meaning)}</td></tr>"
        )
    wrong, frames = details.frames.n_wrong, len(details.frames.targets)
    said = f"<p>Something went wrong in {wrong:,} of {frames:,} frames (<code>frames.csv</code>).</p>"
    return said + _table(["what", "number", "share", "what it means"], rows)


def _points(metrics: Metrics) -> str:
    rows = [
        f"<tr><td>{p.threshold:.2f} px</td><td>{_number(p.score, 4, 'g')}</td><td>{p.precision:.2f}</td>"
        f"<td>{p.recall:.2f}</td><td>{p.f1:.2f}</td><td>{p.false_alarms:.3f}</td><td>{p.cardinality:.2f}</td>"
        f"<td>{_number(error, 4)}</td></tr>"
        for p, error in zip(metrics.points, metrics.rmse)
    ]
    head = ["best F1 within", "score", "precision", "recall", "F1", "false/frame", "cardinality", "RMSE, px"]
    return _table(head, rows)


def _breakdown(kind: str, groups: Sequence[Metrics]) -> str:
    aps = [f"AP{round(100 * p.threshold):02d}" for p in groups[0].points] if groups else []
    head = [kind, "frames", "CSO-mAP", *aps, "CSO-F1", "GOSPA, px", "Jaccard", "RMSE, px"]
    rows = [
        f"<tr><td>{_text(row.label)}</td><td>{row.frames:,}</td>"
        + "".join(f"<td>{_number(value)}</td>" for value in (row.cso_map, *row.ap, row.cso_f1))
        + f"<td>{row.gospa:.4f}</td><td>{_number(row.estimates.jaccard)}</td><td>{_number(row.rmse[-1], 4)}</td></tr>"
        for row in groups
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[str]) -> str:
    words = " class='words'"
    cells = "".join(f"<th scope='col'{words * (cell == 'what it means')}>{_text(cell)}</th>" for cell in head)
    return (
        f"<div class='wide' tabindex='0' role='group' aria-label='Table by {_text(head[0])}'><table><thead>"
        f"<tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _terms(terms: Iterable[tuple[str, str]]) -> str:
    return "<dl class='terms'>" + "".join(f"<dt>{_text(t)}</dt><dd>{_text(d)}</dd>" for t, d in terms) + "</dl>"
