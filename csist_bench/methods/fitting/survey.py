"""What every frame shows at first sight: its brightest window, that window's light and centroid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit
from csist_bench.methods.fitting.pixel_model import window_origin

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Survey(NamedTuple):
    """What F frames show: windows (F, n, n), origins (F, 2), centroids (F, 3) as (x, y, flux), and flags (F,).

    A flag is 1 where light is missing from the flux, else 0.
    """

    windows: Floats
    origins: Ints
    centroids: Floats
    flags: Ints

    @property
    def flux(self) -> Floats:
        """Light in the window of every frame, shape (F,), grey levels."""
        return self.centroids[:, 2]


def survey_frames(frames: Floats, size: int, saturation: float, near: float) -> Survey:
    """Measure the brightest window of every frame.

    Parameters
    ----------
    frames : ndarray, shape (F, H, W), grey levels
        Background subtracted.
    size : int
        Side of the windows, px.
    saturation : float
        Level at which pixels clip, grey levels; a clipped pixel hides light.
    near : float
        Distance from the border, px, within which a centroid means that light fell outside the frame.
    """
    f = len(frames)
    found = Survey(np.empty((f, size, size)), np.empty((f, 2), np.int64), np.empty((f, 3)), np.empty(f, np.int64))
    measure_windows(frames, saturation, near, found)
    return found


@jit
def cut_windows(frames: Floats, origins: Ints, windows: Floats) -> None:
    """Copy the windows (F, n, n) at `origins` (F, 2), (row, column), of frames (F, H, W)."""
    for f in range(frames.shape[0]):
        for i in range(windows.shape[1]):
            for j in range(windows.shape[2]):
                windows[f, i, j] = frames[f, origins[f, 0] + i, origins[f, 1] + j]


@jit
def measure_windows(frames: Floats, saturation: float, near: float, survey: Survey) -> None:
    """Cut the window of every frame (F, H, W) and measure it.

    Light is missing where a pixel is clipped at `saturation`, or the centroid is within `near` px of the border.
    """
    windows, origins, centroids, flags = survey.windows, survey.origins, survey.centroids, survey.flags
    height, width, size = frames.shape[1], frames.shape[2], windows.shape[1]
    for f in range(frames.shape[0]):
        row, column = window_origin(frames[f], size)
        origins[f, 0], origins[f, 1] = row, column
        flux, x, y, clipped = 0.0, 0.0, 0.0, 0
        for i in range(size):
            for j in range(size):
                value = frames[f, row + i, column + j]
                windows[f, i, j] = value
                flux += value
                x += value * j
                y += value * i
                if value >= saturation:
                    clipped = 1
        if flux > 0.0:
            # Noise can throw the centroid of a faint window anywhere; the window itself bounds it.
            x, y = min(max(x / flux, 0.0), size - 1.0), min(max(y / flux, 0.0), size - 1.0)
        centroids[f, 0], centroids[f, 1], centroids[f, 2] = column + x, row + y, flux
        inside = near <= column + x <= width - 1 - near and near <= row + y <= height - 1 - near
        flags[f] = 0 if inside and clipped == 0 else 1
