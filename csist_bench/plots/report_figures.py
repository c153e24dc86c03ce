"""The figures of a report: precision against recall, where errors are, breakdowns, and frames over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from csist_bench.conventions import ap_name
from csist_bench.evaluation.frame_table import FrameTable
from csist_bench.evaluation.matching import nearest_targets
from csist_bench.evaluation.metrics import Metrics
from csist_bench.evaluation.report import Details, Report
from csist_bench.plots.precision_recall import curve_panel
from csist_bench.plots.style import BLUE, GREEN, ORANGE, PINK, RED, SKY, THRESHOLD_COLOURS, tidy

REACH = 0.5  # px about a target that the map of errors shows
BINS = 60
GOSPA_PARTS = (("localisation", BLUE), ("missed", ORANGE), ("false", PINK))


def report_figures(report: Report, details: Details) -> dict[str, Figure]:
    """Return the figures of a report by name."""
    return {
        "precision_recall": _precision_recall(report, details),
        "errors": _errors(details),
        "breakdown": _breakdown(details),
        "frames": _frames(details.frames),
    }


def _precision_recall(report: Report, details: Details) -> Figure:
    figure = Figure(figsize=(7.0, 3.9), layout="constrained")
    panel = figure.add_subplot()
    for colour, (name, curve), ap in zip(THRESHOLD_COLOURS, details.curves.items(), report.ap):
        curve_panel(panel, curve, colour, f"0.{name.removeprefix('ap')} px, AP {ap:.2f} %")
    marked = _at_cut(details, report.cut.score)
    if marked is not None:
        panel.plot(*marked, "o", ms=6, mfc="none", mec=RED, mew=1.5, ls="none", label="at the score of CSO-F1")
    panel.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.03))
    figure.legend(title="within", loc="outside right upper", frameon=False, fontsize=9)
    tidy(panel)
    return figure


def _at_cut(details: Details, score: float) -> tuple[list[float], list[float]] | None:
    """Return recall and precision at a score threshold, one point a distance."""
    taken = int((details.matched.detections.score >= score).sum())
    if not taken:
        return None
    hits = details.matched.hits[:, :taken].sum(axis=1)
    return (hits / details.truth.n_targets).tolist(), (hits / taken).tolist()


def _errors(details: Details) -> Figure:
    matched, truth = details.matched, details.truth
    figure = Figure(figsize=(9.2, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    nearest, distance = nearest_targets(matched.detections, matched.frame, truth)
    target = truth.frame_xy[matched.frame, nearest]
    near = distance <= REACH
    dx, dy = (matched.detections.x - target[:, 0])[near], (matched.detections.y - target[:, 1])[near]
    _error_map(figure, left, dx, dy, matched.thresholds)
    edges = np.linspace(0, REACH, BINS + 1)
    hit = matched.hits[-1]
    right.hist([distance[hit & near], distance[~hit & near]], edges.tolist(), stacked=True, color=[GREEN, SKY],
               label=["hits within 0.25 px", "others"])  # fmt: skip
    for threshold in matched.thresholds:
        right.axvline(threshold, color="0.6", lw=0.8, ls="--")
    right.set(xlabel="distance to the nearest target, px", ylabel="answers", title="How far answers are off")
    right.legend(frameon=False, fontsize=9)
    tidy(right)
    return figure


def _error_map(
    figure: Figure, panel: Axes, dx: NDArray[np.float64], dy: NDArray[np.float64], thresholds: Sequence[float]
) -> None:
    edges = np.linspace(-REACH, REACH, BINS + 1)
    counts, _, _ = np.histogram2d(dy, dx, [edges, edges])
    shown = panel.imshow(
        counts, extent=(-REACH, REACH, REACH, -REACH), cmap="viridis", norm=PowerNorm(0.5, 0), interpolation="nearest"
    )
    for threshold in thresholds:
        panel.add_patch(Circle((0, 0), threshold, fill=False, ec="white", lw=0.8, ls=":"))
    if len(dx):
        panel.plot(dx.mean(), dy.mean(), "+", color=RED, ms=11, mew=2, label="mean error")
        panel.legend(loc="lower right", fontsize=8, facecolor="white", labelcolor="#111111")
    figure.colorbar(shown, ax=panel, label="answers of a cell", shrink=0.9)
    panel.set(xlabel="x from the nearest target, px", ylabel="y, px", title="Where answers are off")


def _breakdown(details: Details) -> Figure:
    groups = [("Targets of a frame", details.by_targets), ("Separation", details.by_separation)]
    figure = Figure(figsize=(9.2, 1.3 + 0.42 * max(len(rows) for _, rows in groups)), layout="constrained")
    for panel, (title, rows) in zip(figure.subplots(1, 2), groups):
        _bars(panel, title, rows)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure


def _bars(panel: Axes, title: str, rows: Sequence[Metrics]) -> None:
    places = np.arange(len(rows))
    panel.barh(places, [row.cso_map for row in rows], color=SKY, height=0.6, label="CSO-mAP")
    for index, colour in enumerate(THRESHOLD_COLOURS[: len(rows[0].points)] if rows else ()):
        name = ap_name(rows[0].points[index].threshold).upper()
        panel.plot([row.ap[index] for row in rows], places, "o", ms=5, color=colour, mec="white", mew=0.5, label=name)
    panel.plot([row.cso_f1 for row in rows], places, "d", ms=6, color=RED, label="CSO-F1")
    panel.set_yticks(places, [f"{row.label} ({row.frames:,})" for row in rows], fontsize=8)
    panel.set(xlabel="percent", xlim=(0, 102), ylim=(len(rows) - 0.4, -0.6), title=f"{title} (frames)")
    tidy(panel)
    panel.grid(axis="y", visible=False)


def _frames(table: FrameTable) -> Figure:
    figure = Figure(figsize=(9.2, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    number, place = np.unique(table.columns["frame"], return_inverse=True)
    count = np.bincount(place)
    bottom = np.zeros(len(number))
    for name, colour in GOSPA_PARTS:
        height = np.bincount(place, weights=table.columns[f"gospa_{name}"]) / count
        left.bar(number, height, 0.8, bottom=bottom, color=colour, label=name)
        bottom += height
    left.set(xlabel="frame of the trajectory", ylabel="GOSPA, px", title="Errors over time")
    left.set_ylim(top=1.25 * max(float(bottom.max()), 1e-3))
    left.legend(frameon=False, fontsize=8, ncols=3, loc="upper center")
    right.hist(table.columns["gospa"], BINS, color=SKY)
    right.set(xlabel="GOSPA of a frame, px", ylabel="frames", title="How bad frames are")
    tidy(left, right)
    return figure
