"""Pictures: frames with targets and detections, trajectories, precision-recall, training, leaderboard, calibration.

The only module that uses matplotlib. Every picture goes to a file (.png, .svg or .pdf) by rename; nothing is shown on a
screen. Colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart; targets and detections
also differ in shape.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from csist_bench.conventions import AP_NAMES
from csist_bench.detections import Detections
from csist_bench.errors import InputError, require_shape, unknown
from csist_bench.files import replace_file
from csist_bench.leaderboard.board import ranked
from csist_bench.leaderboard.columns import row_label
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row
from csist_bench.training.log import TrainingLog

Floats = NDArray[np.float64]

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
THRESHOLD_COLOURS = (PINK, ORANGE, GREEN, SKY, BLUE)
FAMILY_COLOURS = {"traditional": PINK, "super-resolution": BLUE, "unfolding": ORANGE, "off-grid": GREEN}
SUFFIXES = (".png", ".svg", ".pdf")
RESOLUTION = 160  # dots per inch
MARGIN = 1.6  # px shown beyond the targets of a frame
COLUMNS = 4
HISTOGRAM_REACH = 5.0  # standard errors
CALIBRATION_BINS = 12


def frames_picture(
    frames: NDArray[Any], truth: Floats, detections: Sequence[Floats], path: str | Path, titles: Sequence[str] = ()
) -> None:
    """Draw frames side by side, zoomed to the targets, with targets (rings) and detections (crosses).

    Parameters
    ----------
    frames : ndarray, shape (n, H, W), grey levels
    truth : ndarray, shape (n, K, 2), px
        Targets, NaN-padded.
    detections : n arrays of shape (m, 2), px
        None of them (an empty sequence) draws the targets alone.
    titles : n texts, optional
    """
    require_shape("frames", frames, (None, None, None), "(n, H, W)")
    require_shape("truth", truth, (len(frames), None, 2), "(n, K, 2)")
    if not len(frames):
        raise InputError("there is no frame to draw")
    columns = min(COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    figure = Figure(figsize=(2.9 * columns + 0.3, 2.95 * rows + 0.7), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False).ravel())
    for index, panel in enumerate(panels):
        if index >= len(frames):
            panel.set_axis_off()
            continue
        found = detections[index] if len(detections) else np.zeros((0, 2))
        _frame(panel, frames[index], truth[index], found)
        panel.set_title(titles[index] if len(titles) else "", fontsize=9)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    _save(figure, path)


def _frame(panel: Axes, frame: NDArray[Any], targets: Floats, found: Floats) -> None:
    height, width = frame.shape
    panel.imshow(frame, cmap="gray", extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest")
    panel.plot(*targets.T, "o", ms=9, mfc="none", mec=SKY, mew=1.8, ls="none", label="target")
    panel.plot(*found.T, "x", ms=6, mec=ORANGE, mew=1.8, ls="none", label="detection")
    known = targets[np.isfinite(targets).all(axis=-1)]
    if len(known):
        low, high = known.min(axis=0) - MARGIN, known.max(axis=0) + MARGIN
        middle, reach = (low + high) / 2, (high - low).max() / 2
        panel.set_xlim(middle[0] - reach, middle[0] + reach)
        panel.set_ylim(middle[1] + reach, middle[1] - reach)
    panel.tick_params(labelsize=7)


def trajectory_picture(target_xy: Floats, detections: Detections | None, path: str | Path, title: str = "") -> None:
    """Draw the paths of a trajectory's targets, in the image plane and as x and y over the frames.

    Parameters
    ----------
    target_xy : ndarray, shape (T, K, 2), px
        NaN-padded.
    detections : Detections of this trajectory, optional
    """
    require_shape("target_xy", target_xy, (None, None, 2), "(T, K, 2)")
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.15))
    plane = figure.add_subplot(grid[:, 0])
    over_time = [figure.add_subplot(grid[row, 1]) for row in range(2)]
    for k in range(target_xy.shape[1]):
        plane.plot(*target_xy[:, k].T, "-", color=SKY, lw=2, label="target" if k == 0 else None)
        for axis, panel in enumerate(over_time):
            panel.plot(target_xy[:, k, axis], "-", color=SKY, lw=2)
    if detections is not None:
        style: dict[str, Any] = {"color": BLACK, "ls": "none", "marker": "x", "ms": 4, "mew": 1}
        plane.plot(detections.x, detections.y, label="detection", **style)
        for values, panel in zip((detections.x, detections.y), over_time):
            panel.plot(detections.frame, values, **style)
    plane.set(xlabel="x, px", ylabel="y, px", title=title, aspect="equal")
    plane.invert_yaxis()
    plane.legend(frameon=False)
    for name, panel in zip("xy", over_time):
        panel.set(xlabel="frame", ylabel=f"{name}, px")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    _tidy(plane, *over_time)
    _save(figure, path)


def precision_recall_picture(
    curves: Mapping[str, tuple[Floats, Floats]],
    path: str | Path,
    aps: Mapping[str, float] | None = None,
    title: str = "",
) -> None:
    """Draw precision against recall, one curve a threshold.

    Parameters
    ----------
    curves : mapping of AP name ("ap05") to recall and precision, fractions
    aps : mapping of AP name to AP in percent, optional
        Shown in the legend.
    """
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    panel = figure.add_subplot()
    for colour, (name, (recall, precision)) in zip(THRESHOLD_COLOURS, curves.items()):
        share = f", AP {aps[name]:.2f} %" if aps else ""
        # From recall 0 at the first precision down to 0 where the answers end: the area that AP takes.
        across = np.concatenate([[0.0], recall, recall[-1:]])
        down = np.concatenate([precision[:1], precision, np.zeros(len(recall[-1:]))])
        panel.plot(across[: len(down)], down, color=colour, lw=1.8, label=f"0.{name.removeprefix('ap')} px{share}")
    panel.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.03), title=title)
    figure.legend(title="within", loc="outside right upper", frameon=False, fontsize=9)
    _tidy(panel)
    _save(figure, path)


def training_curve_picture(log: TrainingLog, path: str | Path, title: str = "") -> None:
    """Draw the loss and the validation scores of a training run over its steps."""
    if not log.losses and not log.scores:
        raise InputError("the training log holds no line to draw")
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for stage, colour in zip(dict.fromkeys(line["stage"] for line in log.losses), (BLUE, ORANGE, GREEN, PINK)):
        lines = [line for line in log.losses if line["stage"] == stage]
        left.plot([x["step"] for x in lines], [x["total"] for x in lines], color=colour, lw=1.4, label=f"stage {stage}")
    if log.losses:
        left.legend(frameon=False)
        if min(line["total"] for line in log.losses) > 0:
            left.set_yscale("log")
    steps = [line["step"] for line in log.scores]
    right.plot(steps, [line["cso_map"] for line in log.scores], "o-", color=BLACK, lw=2, ms=3.5, label="CSO-mAP")
    for colour, name in zip(THRESHOLD_COLOURS, AP_NAMES):
        if all(name in line for line in log.scores):
            right.plot(steps, [line[name] for line in log.scores], color=colour, lw=1.1, label=name.upper())
    left.set(xlabel="step", ylabel="training loss", title=title)
    right.set(xlabel="step", ylabel="validation score, %", ylim=(0, 102))
    right.legend(frameon=False, fontsize=8, ncols=2)
    _tidy(left, right)
    _save(figure, path)


def leaderboard_picture(rows: Sequence[Row], path: str | Path, lines: Sequence[Line] = (), title: str = "") -> None:
    """Draw one bar a measured row, with its interval, and the published score of its method as a ring."""
    order = ranked(rows)
    shown = [row for row in order if row.measured]
    names = [row_label(row) + (f", {row.decoder}" if row.decoder == "polish" else "") for row in shown]
    published = {row.method: row.cso_map for row in order if not row.measured}
    only = [name for name in published if name not in {row.method for row in shown}]
    places = np.arange(len(shown) + len(only))
    if not len(places):
        raise InputError("there is no row to draw")
    figure = Figure(figsize=(7.6, 0.27 * len(places) + 1.6), layout="constrained")
    panel = figure.add_subplot()
    for family, colour in FAMILY_COLOURS.items():
        at = [i for i, row in enumerate(shown) if row.family == family]
        if at:
            panel.barh(at, [shown[i].cso_map for i in at], color=colour, height=0.66, label=family)
    _intervals(panel, shown)
    rings = [(i, published[row.method]) for i, row in enumerate(shown) if row.method in published]
    rings += [(len(shown) + i, published[name]) for i, name in enumerate(only)]
    if rings:
        at_rings, values = zip(*rings)
        panel.plot(values, at_rings, "o", mfc="white", mec=BLACK, mew=1.4, ms=6, ls="none", label="published")
    for kind, colour, name in (("ceiling", RED, "ceiling of the grid"), ("limit", "0.4", "Cramer-Rao limit")):
        for index, value in enumerate(line.cso_map for line in lines if line.kind == kind):
            panel.axvline(value, color=colour, ls="--", lw=1, label="_" * bool(index) + name)
    panel.set(xlabel="CSO-mAP, %", xlim=(0, 102), ylim=(len(places) - 0.4, -0.6), title=title)
    panel.set_yticks(places, [*names, *only], fontsize=8)
    figure.legend(loc="outside lower center", frameon=False, ncols=4, fontsize=8)
    _tidy(panel)
    panel.grid(axis="y", visible=False)
    _save(figure, path)


def _intervals(panel: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        if row.cso_map_low is not None and row.cso_map_high is not None:
            panel.plot((row.cso_map_low, row.cso_map_high), (place, place), "-", color=BLACK, lw=1.4)


def calibration_picture(errors: Floats, sigmas: Floats, path: str | Path, title: str = "") -> None:
    """Draw whether predicted standard errors are the errors made: errors over them, and error against prediction.

    Parameters
    ----------
    errors : ndarray, shape (n,), px
        Position errors of matched detections, one a coordinate.
    sigmas : ndarray, shape (n,), px
        The standard errors predicted for them, positive.
    """
    errors, sigmas = np.asarray(errors, dtype=np.float64), np.asarray(sigmas, dtype=np.float64)
    require_shape("sigmas", sigmas, errors.shape, "(n,)")
    if not len(errors) or not (sigmas > 0).all():
        raise InputError("calibration needs at least one matched detection, and positive standard errors throughout")
    ratio = errors / sigmas
    figure = Figure(figsize=(9.2, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    edges = np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, 61)
    left.hist(ratio, edges, density=True, color=SKY, label=f"{len(ratio):,} errors, spread {ratio.std():.2f}")
    left.plot(edges, np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi), color=BLACK, lw=1.5, label="unit normal")
    outside = float((np.abs(ratio) > HISTOGRAM_REACH).mean())
    left.set(xlabel=f"error / predicted standard error ({outside:.1%} lie outside)", ylabel="density", title=title)
    left.set_ylim(top=1.2 * left.get_ylim()[1])  # room for the legend
    left.legend(frameon=False, fontsize=8)
    predicted, made = _binned_errors(errors, sigmas)
    right.loglog(predicted, made, "o-", color=BLUE, label="measured, bins of equal number")
    ends = np.array([min(predicted.min(), made.min()), max(predicted.max(), made.max())])
    right.loglog(ends, ends, "--", color="0.5", label="as predicted")
    right.set(xlabel="predicted standard error, px", ylabel="root mean square error, px")
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    right.legend(frameon=False, fontsize=8)
    _tidy(left, right)
    _save(figure, path)


def _binned_errors(errors: Floats, sigmas: Floats) -> tuple[Floats, Floats]:
    """Return the root mean square of predictions and errors in bins of equal number, by rising prediction."""
    bins = np.array_split(np.argsort(sigmas, kind="stable"), min(CALIBRATION_BINS, len(errors)))
    smallest = np.finfo(np.float64).tiny
    predicted = [np.sqrt(np.mean(sigmas[part] ** 2)) for part in bins]
    return np.array(predicted), np.array([max(np.sqrt(np.mean(errors[part] ** 2)), smallest) for part in bins])


def _tidy(*panels: Axes) -> None:
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="0.9", lw=0.7)
        panel.set_axisbelow(True)


def require_picture(path: str | Path) -> str:
    """Return the format of a picture by its suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise unknown("picture format", suffix or str(path), SUFFIXES)
    return suffix[1:]


def _save(figure: Figure, path: str | Path) -> None:
    kind = require_picture(path)
    content = io.BytesIO()
    # Without a date, and with fixed names of the parts, equal pictures are equal files.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
    with matplotlib.rc_context({"svg.hashsalt": "csist-bench"}):
        figure.savefig(content, format=kind, dpi=RESOLUTION, metadata=metadata)
    replace_file(Path(path), content.getvalue())
