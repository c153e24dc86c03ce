"""A frame with the detections of its groups: the whole frame, and each group near to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import require_shape
from csist_bench.plots.style import ORANGE, SKY, save

SHOWN = 12  # groups that are drawn near to
COLUMNS = 4
REACH = 5.0  # px shown about the detections of a group
ELLIPSE_SIGMAS = 3.0
BRIGHT = 99.9  # percentile of the frame that is white


def overlay_picture(frame: NDArray[Any], found: Detections, path: str | Path, title: str = "") -> None:
    """Draw a frame with its groups numbered, and each of the first twelve near to with ellipses of 3 standard errors.

    Parameters
    ----------
    frame : ndarray, shape (H, W), grey levels
    found : Detections
        Of that frame alone; without `group` all are of one.
    path : str or Path
    title : str
    """
    require_shape("frame", frame, (None, None), "(H, W)")
    group = np.zeros(len(found), np.int64) if found.group is None else found.group
    numbers = np.unique(group)
    near = numbers[:SHOWN]
    columns = min(COLUMNS, max(1, len(near)))
    rows = -(-len(near) // columns)
    figure = Figure(figsize=(7.2 + 2.4 * columns, max(6.0, 2.4 * rows + 0.8)), layout="constrained")
    halves = figure.subfigures(1, 2, squeeze=False, width_ratios=(6.6, 2.4 * columns + 0.2))
    left, right = np.asarray(halves).ravel()
    _whole(left.subplots(), frame, found, group)
    if len(near):
        panels = right.subplots(rows, columns, squeeze=False).ravel()
        for panel, number in zip(panels, near):
            _near(panel, frame, found.select(group == number), int(number))
        for panel in panels[len(near) :]:
            panel.set_axis_off()
    more = f"; groups 0 to {near[-1]} near to" if len(numbers) > len(near) else ""
    figure.suptitle(f"{title}: {len(found)} detections in {len(numbers)} groups{more}", fontsize=10)
    save(figure, path)


def _whole(panel: Axes, frame: NDArray[Any], found: Detections, group: NDArray[np.int64]) -> None:
    _image(panel, frame, float(np.percentile(frame, BRIGHT)))
    panel.plot(found.x, found.y, "x", ms=4, mec=ORANGE, mew=0.9, ls="none")
    outline = [Stroke(linewidth=1.5, foreground="black"), Normal()]
    for number in np.unique(group):
        left, right, top, bottom = _bounds(found.select(group == number))
        panel.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec=SKY, lw=0.9))
        panel.annotate(str(number), (right, top), color=SKY, fontsize=8, ha="left", va="bottom", path_effects=outline)
    panel.set_xlabel("x, px")
    panel.set_ylabel("y, px")


def _near(panel: Axes, frame: NDArray[Any], found: Detections, number: int) -> None:
    left, right, top, bottom = _bounds(found)
    rows = slice(max(0, int(top)), int(bottom) + 2)
    columns = slice(max(0, int(left)), int(right) + 2)
    _image(panel, frame, float(frame[rows, columns].max(initial=1)) if frame[rows, columns].size else 1.0)
    panel.plot(found.x, found.y, "x", ms=5, mec=ORANGE, mew=1.2, ls="none")
    if found.sigma_x is not None and found.sigma_y is not None:
        for x, y, sx, sy in zip(found.x, found.y, found.sigma_x, found.sigma_y):
            if np.isfinite(sx + sy):
                size = (2 * ELLIPSE_SIGMAS * sx, 2 * ELLIPSE_SIGMAS * sy)
                panel.add_patch(Ellipse((x, y), *size, fill=False, ec=ORANGE, lw=1.0))
    panel.set_xlim(left, right)
    panel.set_ylim(bottom, top)
    panel.set_title(f"group {number}: {len(found)}", fontsize=8)
    panel.tick_params(labelsize=6)


def _image(panel: Axes, frame: NDArray[Any], white: float) -> None:
    height, width = frame.shape
    black = float(np.percentile(frame, 1))
    panel.imshow(
        frame,
        cmap="gray",
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        interpolation="nearest",
        vmin=black,
        vmax=max(white, black + 1e-9),
    )


def _bounds(found: Detections) -> tuple[float, float, float, float]:
    """Return the left, right, upper and lower edge of what is shown of a group: a square about its detections, px."""
    x, y = (0.5 * float(place.min() + place.max()) for place in (found.x, found.y))
    half = REACH + 0.5 * float(max(np.ptp(found.x), np.ptp(found.y)))
    return x - half, x + half, y - half, y + half
