"""Which pairs of targets are told apart: by distance and brightness ratio, with the statistical limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from csist_bench.plots.style import BLACK, BLUE, GREEN, ORANGE, PINK, RED, SKY, Floats, save, tidy

COLOURS = (BLUE, RED, GREEN, ORANGE, PINK, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", "-", "--")  # lines that cover one another are both seen
MOST_FILES = len(COLOURS)


@dataclass(frozen=True, eq=False)
class ResolvedShares:
    """The shares (fractions) of resolved pairs of one file: `by_both` (ratios, distances) and `by_distance`."""

    name: str
    share: float  # of all pairs
    answers: float  # a scored frame, of those that were counted
    by_both: Floats
    by_distance: Floats

    @property
    def label(self) -> str:
        """The file's name and figures, in two lines."""
        return f"{self.name}\n{100 * self.share:.1f} %, {self.answers:.1f} answers a frame"


def resolution_picture(
    files: Sequence[ResolvedShares],
    edges: tuple[Floats, Floats],
    limit: tuple[Floats, Floats],
    path: str | Path,
    title: str = "",
) -> None:
    """Draw a map a file, of distance and ratio, and all files over distance.

    Parameters
    ----------
    edges : (distances, ratios)
        Of the bins, px and 1.
    limit : (ratios, distances)
        The statistical resolution limit; distances that are NaN are not drawn.
    """
    figure = Figure(figsize=(3.0 + 2.6 * max(len(files), 2), 7.0), layout="constrained")
    halves = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.0, 1.25])
    upper, lower = halves[0, 0], halves[1, 0]
    maps = np.atleast_1d(upper.subplots(1, len(files), sharey=True))
    for panel, one in zip(maps, files):
        image = _map(panel, one, edges, limit)
    upper.colorbar(image, ax=maps.tolist(), label="share resolved, %", pad=0.01)
    maps[0].set_ylabel("brightness ratio")
    _lines(lower.subplots(), files, edges[0], limit[1])
    figure.suptitle(title, fontsize=11)
    save(figure, path)


def _map(panel: Axes, one: ResolvedShares, edges: tuple[Floats, Floats], limit: tuple[Floats, Floats]) -> QuadMesh:
    image = panel.pcolormesh(*edges, 100 * one.by_both, cmap="cividis", vmin=0, vmax=100)
    panel.plot(limit[1], limit[0], color=BLACK, lw=3.4)
    panel.plot(limit[1], limit[0], color="white", lw=1.6, ls="--")
    panel.set(xlabel="distance, px", xlim=edges[0][[0, -1]], ylim=edges[1][[0, -1]])
    panel.set_title(one.label, fontsize=9)
    return image


def _lines(panel: Axes, files: Sequence[ResolvedShares], edges: Floats, limit: Floats) -> None:
    middle = (edges[:-1] + edges[1:]) / 2
    known = limit[np.isfinite(limit)]
    if len(known):
        panel.axvspan(known.min(), known.max(), color="0.85", lw=0, label="statistical limit (Smith 2005)")
        panel.axvline(known.min(), color="0.6", lw=0.8)
        panel.axvline(known.max(), color="0.6", lw=0.8)
    for colour, marker, dashes, one in zip(COLOURS, MARKERS, DASHES, files):
        there = np.isfinite(one.by_distance)
        (line,) = panel.plot(middle[there], 100 * one.by_distance[there], color=colour, label=one.label)
        line.set(marker=marker, linestyle=dashes, markersize=4.5, linewidth=1.6)
    panel.set(
        xlabel="distance of the two targets, px", ylabel="resolved, % of pairs", ylim=(-2, 102), xlim=(0, edges[-1])
    )
    panel.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    tidy(panel)
