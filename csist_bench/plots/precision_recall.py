"""Precision against recall."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from csist_bench.plots.style import THRESHOLD_COLOURS, Floats, save, tidy


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
    tidy(panel)
    save(figure, path)
