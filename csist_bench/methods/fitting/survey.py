"""What every frame shows at first sight: its brightest window, that window's light and centroid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit
from csist_bench.methods.fitting.pixel_model import window_origin

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Survey:
    """What `survey` found in F frames: windows, origins, centroids (x, y, flux) and flags."""

    windows: Floats
    origins: Ints
    centroids: Floats
    flags: Ints

    @property
    def flux(self) -> Floats:
        """Light in the window of every frame, shape (F,), grey levels."""
        return self.centroids[:, 2]


@jit
def survey(
    frames: Floats, limit: float, near: float, windows: Floats, origins: Ints, centroids: Floats, flags: Ints
) -> None:
    """Cut the window of every frame (F, H, W) and measure it.

    Out: windows (F, n, n), origins (F, 2) as (row, column), centroids (F, 3) as (x, y, flux), and flags (F,): 1 where
    light is missing from the flux: a pixel is clipped at `limit`, or the centroid is within `near` px of the border.
    """
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
                if value >= limit:
                    clipped = 1
        if flux > 0.0:
            # Noise can throw the centroid of a faint window anywhere; the window itself bounds it.
            x, y = min(max(x / flux, 0.0), size - 1.0), min(max(y / flux, 0.0), size - 1.0)
        centroids[f, 0], centroids[f, 1], centroids[f, 2] = column + x, row + y, flux
        inside = near <= column + x <= width - 1 - near and near <= row + y <= height - 1 - near
        flags[f] = 0 if inside and clipped == 0 else 1
