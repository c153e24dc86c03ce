"""The leaderboard of one data set as bars, few enough for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csist_bench.conventions import APART
from csist_bench.errors import InputError
from csist_bench.leaderboard.board import ordered, own_rankings
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.naming import names_of
from csist_bench.leaderboard.rows import Row
from csist_bench.plots.style import BLACK, BLUE, GREEN, ORANGE, PINK, RED, save, tidy

FAMILY_COLOURS = {"traditional": PINK, "super-resolution": BLUE, "unfolding": ORANGE, "off-grid": GREEN}
# How reference lines look, and what the legend calls them; a kind that is not here is called by its own name.
LINE_STYLES = {
    "ceiling": (RED, "--", "ceiling of the grid"),
    "limit": ("0.4", "--", "Cramer-Rao line"),
    "bayes": (BLACK, ":", "Bayes line"),
}
# More bars are no picture any more.
MOST = 25


def leaderboard_picture(
    rows: Sequence[Row], path: str | Path, lines: Sequence[Line] = (), title: str = ""
) -> tuple[int, int]:
    """Draw one bar a method with its interval, and the published score of its method as a ring.

    A bar is the best row of a method's variant; of more than 25 variants there is one for each method, and the best 25
    of these. Returns how many are drawn, and of how many.

    Raises
    ------
    InputError
        If there is no row to draw.
    """
    names = names_of(rows)
    measured = own_rankings(row for row in ordered(rows) if row.measured)
    variants = _best(measured, names)
    bars = variants if len(variants) <= MOST else _best(measured, {row: row.method for row in measured})[:MOST]
    published = {row.method: row.cso_map for row in rows if not row.measured}
    only = sorted(set(published) - {row.method for row in measured}, key=lambda name: -published[name])
    only = only[: MOST - len(bars)]
    if not bars and not only:
        raise InputError("there is no row to draw")
    labels = [_label(row, names[row]) for row in bars] + only
    figure = Figure(figsize=(7.6, 0.25 * len(labels) + 1.7), layout="constrained")
    panel = figure.add_subplot()
    _bars(panel, bars)
    rings = [(place, published[row.method]) for place, row in enumerate(bars) if row.method in published]
    rings += [(len(bars) + place, published[name]) for place, name in enumerate(only)]
    if rings:
        at_rings, values = zip(*rings)
        panel.plot(values, at_rings, "o", zorder=4, mfc="white", mec=BLACK, mew=1.4, ms=5, ls="", label="published")
    _reference(panel, lines)
    panel.set(xlabel="CSO-mAP, %", xlim=(0, 101), ylim=(len(labels) - 0.4, -0.6))
    panel.tick_params(axis="x", labelsize=8)
    panel.set_yticks(np.arange(len(labels)), labels, fontsize=8)
    _figures(panel, [row.cso_map for row in bars] + [published[name] for name in only])
    figure.suptitle(title, fontsize=10)
    figure.legend(loc="outside lower center", frameon=False, ncols=4, fontsize=8)
    tidy(panel)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="y", visible=False)
    save(figure, path)
    return len(labels), len(variants) + len(set(published) - {row.method for row in measured})


def _figures(panel: Axes, values: Sequence[float]) -> None:
    """Write the scores in a column beside the bars."""
    for place, value in enumerate(values):
        at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "center", "fontsize": 8}
        panel.annotate(f"{value:.1f}", (1.075, place), annotation_clip=False, **at)


def _label(row: Row, name: str) -> str:
    return name + ", polish" * (row.decoder == "polish") + f", {row.status}" * (row.status in APART)


def _best(rows: Iterable[Row], names: dict[Row, str]) -> list[Row]:
    """Return the first row of each name."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(names[row], row)
    return list(first.values())


def _bars(panel: Axes, rows: Sequence[Row]) -> None:
    for family, colour in FAMILY_COLOURS.items():
        at = [place for place, row in enumerate(rows) if row.family == family]
        if at:
            panel.barh(at, [rows[place].cso_map for place in at], color=colour, height=0.66, label=family)
    for place, row in enumerate(rows):
        if row.cso_map_low is not None and row.cso_map_high is not None:
            panel.plot((row.cso_map_low, row.cso_map_high), (place, place), "-", color=BLACK, lw=1.4, zorder=3)


def _reference(panel: Axes, lines: Sequence[Line]) -> None:
    """Draw the reference lines, one entry of the legend a kind."""
    for kind in dict.fromkeys(line.kind for line in lines):
        colour, style, name = LINE_STYLES.get(kind, (BLACK, ":", str(kind)))
        for index, value in enumerate(line.cso_map for line in lines if line.kind == kind):
            panel.axvline(value, color=colour, ls=style, lw=1, label="_" * bool(index) + name)
