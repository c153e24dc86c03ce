"""Frames side by side, with targets and detections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from csist_bench.errors import InputError, require_shape
from csist_bench.plots.style import ORANGE, SKY, Floats, save

MARGIN = 1.6  # px shown beyond the targets of a frame
COLUMNS = 4


def frames_picture(
    frames: NDArray[Any], truth: Floats, detections: Sequence[Floats], path: str | Path, titles: Sequence[str] = ()
) -> None:
    """Draw frames side by side, zoomed to the targets, with targets (rings) and detections (crosses).

    Parameters
    ----------
    frames : ndarray, shape (n, H, W), grey levels
    truth : ndarray, shape (n, K, 2), px
        Targets, NaN-padded; K = 0 where they are not known.
    detections : n arrays of shape (m, 2), px
        None of them (an empty sequence) draws the targets alone.
    titles : n texts, optional
    """
    require_shape("frames", frames, (None, None, None), "(n, H, W)")
    require_shape("truth", truth, (len(frames), None, 2), "(n, K, 2)")
    if not len(frames):
        raise InputError("there is no frame to draw")
    columns = min(COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    lines = 1 + max((title.count("\n") for title in titles), default=0)
    figure = Figure(figsize=(2.9 * columns + 0.3, (2.8 + 0.15 * lines) * rows + 0.8), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False).ravel())
    for index, panel in enumerate(panels):
        if index >= len(frames):
            panel.set_axis_off()
            continue
        found = detections[index] if len(detections) else None
        _frame(panel, frames[index], truth[index], found)
        panel.set_title(titles[index] if len(titles) else "", fontsize=9)
    handles, names = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    save(figure, path)


def _frame(panel: Axes, frame: NDArray[Any], targets: Floats, found: Floats | None) -> None:
    height, width = frame.shape
    panel.imshow(frame, cmap="gray", extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest")
    if len(targets):
        panel.plot(*targets.T, "o", ms=9, mfc="none", mec=SKY, mew=1.8, ls="none", label="target")
    if found is not None or len(targets):
        shown = np.zeros((0, 2)) if found is None else found
        panel.plot(*shown.T, "x", ms=6, mec=ORANGE, mew=1.8, ls="none", label="detection")
    panel.set_xlim(-0.5, width - 0.5)
    panel.set_ylim(height - 0.5, -0.5)
    known = targets[np.isfinite(targets).all(axis=-1)]
    if len(known):
        low, high = known.min(axis=0) - MARGIN, known.max(axis=0) + MARGIN
        middle, reach = (low + high) / 2, (high - low).max() / 2
        panel.set_xlim(middle[0] - reach, middle[0] + reach)
        panel.set_ylim(middle[1] + reach, middle[1] - reach)
    panel.tick_params(labelsize=7)
