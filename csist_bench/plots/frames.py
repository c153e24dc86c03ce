"""Frames side by side, with targets and detections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from csist_bench.conventions import THRESHOLDS
from csist_bench.errors import InputError, require_shape
from csist_bench.plots.style import ORANGE, RED, SKY, Floats, save

MARGIN = 1.1  # px shown beyond the targets of a frame
COLUMNS = 4
WITHIN = max(THRESHOLDS)  # px
ELLIPSE_SIGMAS = 2.0
OUTSIDE = "0.25"  # where there is no pixel


def frames_picture(
    frames: NDArray[Any],
    truth: Floats,
    detections: Sequence[Floats],
    path: str | Path,
    titles: Sequence[str] = (),
    errors: Sequence[Floats] = (),
) -> None:
    """Draw frames side by side, zoomed to the targets: rings are targets, crosses detections with their errors.

    All frames have one scale of grey levels. A target that no detection hits within 0.25 px is red.

    Parameters
    ----------
    frames : ndarray, shape (n, H, W), grey levels
    truth : ndarray, shape (n, K, 2), px
        Targets, NaN-padded; K = 0 where they are not known.
    detections : n arrays of shape (m, 2), px
        None of them (an empty sequence) draws the targets alone.
    titles : n texts, optional
    errors : n arrays of shape (m, 2), px, optional
        Standard errors of the detections along x and y, NaN where they are not known; drawn as ellipses of two.
    """
    require_shape("frames", frames, (None, None, None), "(n, H, W)")
    require_shape("truth", truth, (len(frames), None, 2), "(n, K, 2)")
    if not len(frames):
        raise InputError("there is no frame to draw")
    columns = min(COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    lines = 1 + max((title.count("\n") for title in titles), default=0)
    figure = Figure(figsize=(2.7 * columns + 0.9, (2.6 + 0.15 * lines) * rows + 0.9), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    scale = float(np.min(frames)), float(np.max(frames))
    for index, panel in enumerate(panels):
        if index >= len(frames):
            panel.set_axis_off()
            continue
        image = _image(panel, frames[index], scale)
        _window(panel, frames[index].shape, truth[index])
        _targets(panel, truth[index], detections[index] if len(detections) else None)
        if len(detections):
            _detections(panel, detections[index], errors[index] if len(errors) else None)
        panel.set_title(titles[index] if len(titles) else "", fontsize=9)
        panel.set_xlabel("x, px" if index + columns >= len(frames) else "", fontsize=8)
        panel.set_ylabel("y, px" if index % columns == 0 else "", fontsize=8)
    bar = figure.colorbar(image, ax=panels.tolist(), shrink=0.6, aspect=30, pad=0.01)
    bar.set_label("grey levels", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    _legend(figure, list(panels))
    save(figure, path)


def _image(panel: Axes, frame: NDArray[Any], scale: tuple[float, float]) -> Any:
    height, width = frame.shape
    panel.set_facecolor(OUTSIDE)
    panel.tick_params(labelsize=7)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    return panel.imshow(frame, cmap="gray", vmin=scale[0], vmax=scale[1], extent=extent, interpolation="nearest")


def _window(panel: Axes, shape: tuple[int, ...], targets: Floats) -> None:
    """Show a square about the targets, moved into the frame where it and they fit; without targets the whole frame."""
    size = np.array(shape[::-1], dtype=np.float64)
    known = targets[np.isfinite(targets).all(axis=-1)]
    low, high = np.full(2, -0.5), size - 0.5
    if len(known):
        nearest, farthest = known.min(axis=0), known.max(axis=0)
        middle, reach = (nearest + farthest) / 2, (farthest - nearest).max() / 2 + MARGIN
        fits = (2 * reach <= size) & (nearest >= low) & (farthest <= high)
        moved = np.minimum(np.maximum(middle, low + reach), high - reach)
        middle = np.where(fits, moved, middle)
        low, high = middle - reach, middle + reach
    panel.set_xlim(low[0], high[0])
    panel.set_ylim(high[1], low[1])


def missed_targets(targets: Floats, found: Floats) -> NDArray[np.bool_]:
    """Return which of the targets (K, 2) no detection hits: none within 0.25 px has it as its nearest target."""
    present = np.isfinite(targets).all(axis=-1)
    if not present.any() or not len(found):
        return np.asarray(present)
    apart = np.hypot(*(targets[:, None] - found[None]).transpose(2, 0, 1))
    apart[~present] = np.inf
    hit = np.zeros(len(targets), dtype=bool)
    hit[apart.argmin(axis=0)[apart.min(axis=0) <= WITHIN]] = True
    return np.asarray(present & ~hit)


def _targets(panel: Axes, targets: Floats, found: Floats | None) -> None:
    """Draw targets as rings, those that are missed in red."""
    missed = np.zeros(len(targets), dtype=bool) if found is None else missed_targets(targets, found)
    for which, colour, name in ((~missed, SKY, "target"), (missed, RED, "missed target")):
        if which.any():
            panel.plot(*targets[which].T, "o", ms=10, mfc="none", mec=colour, mew=1.8, ls="none", label=name)


def _detections(panel: Axes, found: Floats, errors: Floats | None) -> None:
    panel.plot(*found.T, "x", ms=6, mec=ORANGE, mew=1.6, ls="none", label="detection")
    angle = np.linspace(0, 2 * np.pi, 60)[:, None]
    for place, sigma in zip(found, np.zeros((0, 2)) if errors is None else errors):
        if np.isfinite(sigma).all():
            edge = place + ELLIPSE_SIGMAS * sigma * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
            panel.plot(*edge.T, color=ORANGE, lw=1.0, label=f"its {ELLIPSE_SIGMAS:g} standard errors")


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Name every kind of mark once, below all panels."""
    named: dict[str, Artist] = {}
    for panel in panels:
        for handle, name in zip(*panel.get_legend_handles_labels()):
            named.setdefault(name, handle)
    if named:
        style: dict[str, Any] = {"loc": "outside lower center", "ncols": 2 if len(panels) < COLUMNS else 4}
        figure.legend(list(named.values()), list(named), frameon=False, fontsize=9, **style)
