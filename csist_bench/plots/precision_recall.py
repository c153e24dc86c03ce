"""Precision against recall: of one file at every threshold, or of several files beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csist_bench.errors import must
from csist_bench.plots.style import BLUE, GREEN, ORANGE, PINK, RED, SKY, THRESHOLD_COLOURS, Floats, save, tidy

Curve = tuple[Floats, Floats]  # recall and precision, fractions
FILE_STYLES = (
    (BLUE, "-"),
    (ORANGE, "-"),
    (GREEN, "-"),
    (PINK, "-"),
    (RED, "-"),
    (SKY, "-"),
    (BLUE, ":"),
    (ORANGE, ":"),
)


@dataclass(frozen=True)
class FileCurves:
    """A file's name, its CSO-mAP in percent, and its curves and APs (percent) by AP name ("ap05")."""

    name: str
    cso_map: float
    curves: Mapping[str, Curve]
    aps: Mapping[str, float]


def precision_recall_picture(
    curves: Mapping[str, Curve],
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
    for colour, (name, curve) in zip(THRESHOLD_COLOURS, curves.items()):
        share = f", AP {aps[name]:.2f} %" if aps else ""
        curve_panel(panel, curve, colour, f"0.{name.removeprefix('ap')} px{share}")
    panel.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.03), title=title)
    figure.legend(title="within", loc="outside right upper", frameon=False, fontsize=9)
    tidy(panel)
    save(figure, path)


def curve_panel(panel: Axes, curve: Curve, colour: str, label: str, dashes: str = "-") -> None:
    """Draw a curve from recall 0 at the first precision down to 0 where the answers end: the area that AP takes."""
    recall, precision = curve
    across = np.concatenate([[0.0], recall, recall[-1:]])
    down = np.concatenate([precision[:1], precision, np.zeros(len(recall[-1:]))])
    panel.plot(across[: len(down)], down, dashes, color=colour, lw=1.8, label=label)


def compared_curves_picture(files: Sequence[FileCurves], path: str | Path) -> None:
    """Draw precision against recall of several files, one panel a threshold and one line a file.

    Raises
    ------
    InputError
        If there are more files than lines that can be told apart.
    """
    if not 1 <= len(files) <= len(FILE_STYLES):
        raise must("prediction files of one picture", f"be 1 to {len(FILE_STYLES)}", len(files))
    names = list(files[0].curves)
    figure = Figure(figsize=(10.4, 6.4), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    for panel, name in zip(panels, names):
        for file, (colour, dashes) in zip(files, FILE_STYLES):
            curve_panel(panel, file.curves[name], colour, f"{file.aps[name]:.2f} %", dashes)
        panel.set(xlim=(0, 1.01), ylim=(0, 1.03), title=f"within 0.{name.removeprefix('ap')} px")
        panel.set(xlabel="recall", ylabel="precision")
        panel.legend(title="AP", title_fontsize=8, frameon=False, fontsize=8, loc="best")
        tidy(panel)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    lines = panels[0].get_lines()
    labels = [f"{file.name}\nCSO-mAP {file.cso_map:.2f} %" for file in files]
    panels[-1].legend(lines, labels, loc="upper left", frameon=False, fontsize=9)
    save(figure, path)
