"""Loss and validation scores of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from csist_bench.conventions import AP_NAMES
from csist_bench.errors import InputError
from csist_bench.plots.style import BLACK, BLUE, GREEN, ORANGE, PINK, THRESHOLD_COLOURS, save, tidy
from csist_bench.training.log import TrainingLog


def training_curve_picture(log: TrainingLog, path: str | Path, title: str = "") -> None:
    """Draw the loss and the validation scores of a training run over its steps."""
    if not log.losses and not log.scores:
        raise InputError("the training log holds no line to draw")
    figure = Figure(figsize=(10.4, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=11)
    _losses(left, log.losses)
    _scores(right, log.scores)
    for panel in (left, right):
        panel.set_xlabel("step")
        panel.set_xlim(left=0)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.xaxis.set_major_formatter("{x:,.0f}")
    tidy(left, right)
    if log.scores:
        figure.legend(*right.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    save(figure, path)


def _losses(panel: Axes, lines: Sequence[Mapping[str, Any]]) -> None:
    stages = list(dict.fromkeys(line["stage"] for line in lines))
    for stage, colour in zip(stages, (BLUE, ORANGE, GREEN, PINK)):
        own = [line for line in lines if line["stage"] == stage]
        panel.plot([x["step"] for x in own], [x["total"] for x in own], color=colour, lw=1.4, label=f"stage {stage}")
    panel.set_ylabel("training loss")
    if len(stages) > 1:
        panel.legend(frameon=False, fontsize=9)
    if lines and min(line["total"] for line in lines) > 0:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter(NullFormatter())


def _scores(panel: Axes, lines: Sequence[Mapping[str, Any]]) -> None:
    """Draw the scores, the widest threshold first, as the lines lie from top to bottom."""
    steps = [line["step"] for line in lines]
    for colour, name in reversed(list(zip(THRESHOLD_COLOURS, AP_NAMES))):
        if all(name in line for line in lines):
            panel.plot(steps, [line[name] for line in lines], color=colour, lw=1.1, label=name.upper())
    panel.plot(steps, [line["cso_map"] for line in lines], "o-", color=BLACK, lw=2, ms=3.5, label="CSO-mAP")
    panel.set(ylabel="validation score, %", ylim=(0, 102))
    if lines:
        best = max(lines, key=lambda line: line["cso_map"])
        panel.set_title(f"best CSO-mAP {best['cso_map']:.2f} % at step {best['step']:,}", fontsize=9)
