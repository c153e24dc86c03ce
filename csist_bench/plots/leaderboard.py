"""The leaderboard of one data set as bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csist_bench.errors import InputError
from csist_bench.leaderboard.board import ranked
from csist_bench.leaderboard.columns import row_label
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row
from csist_bench.plots.style import BLACK, BLUE, GREEN, ORANGE, PINK, RED, save, tidy

FAMILY_COLOURS = {"traditional": PINK, "super-resolution": BLUE, "unfolding": ORANGE, "off-grid": GREEN}


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
    tidy(panel)
    panel.grid(axis="y", visible=False)
    save(figure, path)


def _intervals(panel: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        if row.cso_map_low is not None and row.cso_map_high is not None:
            panel.plot((row.cso_map_low, row.cso_map_high), (place, place), "-", color=BLACK, lw=1.4)
