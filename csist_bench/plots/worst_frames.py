"""The worst frames of a report, drawn with what went wrong: as one figure, and as small pictures of a page."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from csist_bench.evaluation import frame_table as fate
from csist_bench.evaluation.report import Details
from csist_bench.plots.style import BLUE, GREEN, ORANGE, PINK, RED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHOWN = 24
COLUMNS = 6  # of the figure; its cells hold a unit square and what is said beneath it
CELL_WIDTH, CELL_HEIGHT = 1.06, 1.32
NEAR_BY = 2.5  # px, within which a false answer widens what is shown
MARGIN = 0.9  # px shown beyond targets and answers
TARGET_COLOURS = {fate.FOUND: GREEN, fate.DISPLACED: BLUE, fate.MERGED: ORANGE, fate.MISSED: RED}
ANSWER_COLOURS = {fate.HIT: GREEN, fate.MOVED: BLUE, fate.DOUBLED: PINK, fate.FALSE: RED}
TARGET_WORDS = {fate.FOUND: "found", fate.DISPLACED: "displaced", fate.MERGED: "merged", fate.MISSED: "missed"}
ANSWER_WORDS = {fate.HIT: "hit", fate.MOVED: "displaced", fate.DOUBLED: "doubled", fate.FALSE: "false"}

# The image of a trajectory's frame, (H, W) grey levels.
ReadFrame = Callable[[int, int], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame with its targets (K, 2) and answers (m, 2), px, and what became of them."""

    trajectory: int
    frame: int
    gospa: float  # px
    wrong: str
    image: NDArray[Any]
    targets: Floats
    target_fates: Ints
    answers: Floats
    answer_fates: Ints

    def _near_by(self) -> NDArray[np.bool_]:
        """Return which answers are shown in any case: false ones only where they are near a target."""
        apart = np.hypot(*(self.answers[:, None] - self.targets).transpose(2, 0, 1))
        return np.asarray((self.answer_fates != fate.FALSE) | (apart <= NEAR_BY).any(axis=1))

    def window(self) -> tuple[float, float, float, float]:
        """Return the square that is shown: left, top, width and height, px."""
        height, width = self.image.shape
        points = np.concatenate([self.targets, self.answers[self._near_by()]])
        if not len(points):
            return -0.5, -0.5, float(width), float(height)
        low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
        side = float((high - low).max())
        left, top = ((low + high - side) / 2).tolist()
        return left, top, side, side


def worst_frames(details: Details, read: ReadFrame, count: int = SHOWN) -> list[Shown]:
    """Return the frames of highest GOSPA, worst first, at most one of each trajectory: its frames are near copies."""
    columns, shown = details.frames.columns, []
    order = np.argsort(-columns["gospa"], kind="stable")
    _, first = np.unique(columns["trajectory"][order], return_index=True)
    detections = details.matched.detections
    for index in order[np.sort(first)][:count]:
        if not details.frames.wrong(index):
            continue
        trajectory, frame = int(columns["trajectory"][index]), int(columns["frame"][index])
        mine = details.matched.frame == index
        present = details.frames.targets[index] != fate.ABSENT
        shown.append(
            Shown(
                trajectory,
                frame,
                float(columns["gospa"][index]),
                details.frames.wrong(index),
                read(trajectory, frame),
                details.truth.frame_xy[index][present],
                details.frames.targets[index][present],
                np.column_stack([detections.x[mine], detections.y[mine]]),
                details.frames.answers[mine],
            )
        )
    return shown


def worst_frames_figure(shown: list[Shown]) -> Figure:
    """Draw the frames side by side: targets are rings, answers crosses, coloured by what became of them.

    All stand in one panel, each in a cell of its own: a panel for each would take ten times as long.
    """
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(1.9 * COLUMNS, (1.9 * CELL_HEIGHT) * rows + 0.4))
    panel = figure.add_axes((0.0, 0.0, 1.0, 1 - 0.4 / figure.get_figheight()))
    panel.set_axis_off()
    for index, one in enumerate(shown):
        _cell(panel, one, index % COLUMNS * CELL_WIDTH, index // COLUMNS * CELL_HEIGHT)
    gap = CELL_WIDTH - 1
    panel.set(xlim=(-gap, COLUMNS * CELL_WIDTH), ylim=(rows * CELL_HEIGHT, -gap), aspect="equal")
    said = (
        "Trajectory:frame and what went wrong. Rings are targets, crosses answers: green found, blue displaced,"
        " orange merged, pink doubled, red missed or false."
    )
    figure.suptitle(said, fontsize=8)
    return figure


def _cell(panel: Axes, one: Shown, across: float, down: float) -> None:
    """Draw a frame in the unit square whose upper left corner is given."""
    left, top, wide, _ = one.window()
    corner, size = np.array([left, top]), np.array([across, down])
    height, width = one.image.shape
    low, high = ((np.array(at) - corner) / wide + size for at in ((-0.5, -0.5), (width - 0.5, height - 0.5)))
    square = Rectangle((across, down), 1, 1, color="black", lw=0, zorder=0)
    panel.add_patch(square)
    extent = (low[0], high[0], high[1], low[1])
    panel.imshow(one.image, cmap="gray", extent=extent, interpolation="nearest").set_clip_path(square)
    for points, kinds, colours, marker, width_of_mark in (
        (one.targets, one.target_fates, TARGET_COLOURS, "o", 8),
        (one.answers, one.answer_fates, ANSWER_COLOURS, "x", 5),
    ):
        for kind, colour in colours.items():
            x, y = ((points[kinds == kind] - corner) / wide + size).T
            (marks,) = panel.plot(x, y, marker, ms=width_of_mark, mfc="none", mec=colour, mew=1.5, ls="none")
            marks.set_clip_path(square)
    words = f"{one.trajectory}:{one.frame}  {one.wrong}".replace(", ", ",\n")
    panel.text(across, down + 1.02, words, fontsize=7, va="top")


def worst_frames_html(shown: list[Shown]) -> str:
    """Return the frames as figures of a page, each with its own drawing and what it shows in words."""
    return "\n".join(_frame_html(one) for one in shown)


def _frame_html(one: Shown) -> str:
    left, top, wide, high = one.window()
    rows, columns = _pixels(top, high, one.image.shape[0]), _pixels(left, wide, one.image.shape[1])
    picture = one.image[rows, columns]
    parts = [
        f'<image href="{_png(picture, one.image)}" x="{columns.start - 0.5}" y="{rows.start - 0.5}"'
        f' width="{picture.shape[1]}" height="{picture.shape[0]}"/>'
    ]
    radius, arm, stroke = 0.045 * wide, 0.032 * wide, f'stroke-width="{0.016 * wide:.3f}"'
    for (x, y), kind in zip(one.targets, one.target_fates):
        parts.append(f'<circle cx="{x:.3f}" cy="{y:.3f}" r="{radius:.3f}" class="t{int(kind)}" {stroke}/>')
    for (x, y), kind in zip(one.answers, one.answer_fates):
        cross = (
            f"M{x - arm:.3f} {y - arm:.3f}l{2 * arm:.3f} {2 * arm:.3f}m0 {-2 * arm:.3f}l{-2 * arm:.3f} {2 * arm:.3f}"
        )
        parts.append(f'<path d="{cross}" class="a{int(kind)}" {stroke}/>')
    words = f"Trajectory {one.trajectory}, frame {one.frame}: {one.wrong}"
    return (
        f'<figure class="frame"><svg viewBox="{left:.3f} {top:.3f} {wide:.3f} {high:.3f}" role="img"'
        f' aria-label="{html.escape(words)}">{"".join(parts)}</svg>'
        f"<figcaption><b>{one.trajectory}:{one.frame}</b> {html.escape(one.wrong)}"
        f"<br><span>GOSPA {one.gospa:.3f} px</span></figcaption></figure>"
    )


def _pixels(low: float, size: float, n: int) -> slice:
    """Return which of n pixels a stretch of the given size from `low` on touches, at least one."""
    first = min(max(0, math.floor(low + 0.5)), n - 1)
    return slice(first, min(max(first + 1, math.ceil(low + size + 0.5)), n))


def _png(part: NDArray[Any], whole: NDArray[Any]) -> str:
    """Return a part of an image, stretched over the range of the whole, as an address that holds it."""
    low, high = float(np.nanmin(whole)), float(np.nanmax(whole))
    grey = np.nan_to_num((np.asarray(part, dtype=np.float64) - low) / (high - low if high > low else 1.0))
    content = io.BytesIO()
    Image.fromarray((255 * grey).astype(np.uint8)).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def fate_styles() -> str:
    """Return the style sheet that colours rings and crosses."""
    rules = [f".t{kind}{{fill:none;stroke:{colour}}}" for kind, colour in TARGET_COLOURS.items()]
    return "".join([*rules, *(f".a{kind}{{fill:none;stroke:{colour}}}" for kind, colour in ANSWER_COLOURS.items())])


def fate_legend() -> str:
    """Return what colours of rings and crosses mean, as lists of a page."""
    rings = [_key(f'<circle cx="10" cy="10" r="6" class="t{kind}"', word) for kind, word in TARGET_WORDS.items()]
    crosses = [_key(f'<path d="M4 4l12 12m0-12l-12 12" class="a{kind}"', word) for kind, word in ANSWER_WORDS.items()]
    lists = (("Targets", rings), ("Answers", crosses))
    return "".join(f'<ul class="legend"><li><b>{name}</b></li>{"".join(keys)}</ul>' for name, keys in lists)


def _key(shape: str, word: str) -> str:
    return f'<li><svg viewBox="0 0 20 20" class="key" aria-hidden="true">{shape} stroke-width="3"/></svg> {word}</li>'
