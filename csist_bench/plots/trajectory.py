"""The paths of a trajectory's targets and detections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from csist_bench.detections import Detections
from csist_bench.errors import require_shape
from csist_bench.plots.style import BLACK, SKY, Floats, save, tidy


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
    tidy(plane, *over_time)
    save(figure, path)
