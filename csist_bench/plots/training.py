"""Loss and validation scores of a training run."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from csist_bench.conventions import AP_NAMES
from csist_bench.errors import InputError
from csist_bench.plots.style import BLACK, BLUE, GREEN, ORANGE, PINK, THRESHOLD_COLOURS, save, tidy
from csist_bench.training.log import TrainingLog


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
    tidy(left, right)
    save(figure, path)
