"""Frames as the fits of single frames take them, and the side of their windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import must, require_finite, require_shape
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]

# The window reaches this many psf_sigma beyond its central pixel; the Fisher information within is that of the frame.
WINDOW_SIGMAS = 4.0
# Where the background is fitted too, the window has to show it: 11 px at 0.5 px.
WINDOW_SIGMAS_WITH_BACKGROUND = 9.0


def pixels_from_frames(frames: NDArray[Any], camera: Camera) -> Floats:
    """Check frames (B, T, H, W) and return them as contiguous float64 with the background subtracted."""
    frames = np.asarray(frames)
    require_shape("frames", frames, (None, None, None, None), "(B, T, H, W)")
    if min(frames.shape[2:]) < 3:
        raise must("frames", "be at least 3 pixels a side", frames.shape)
    if frames.dtype.kind not in "fiu":
        raise must("frames", "hold real numbers", frames.dtype)
    pixels = np.array(frames, dtype=np.float64, order="C")
    require_finite("frames", pixels)
    pixels -= camera.background
    return pixels


def window_side(asked: int, camera: Camera, shape: tuple[int, ...]) -> int:
    """Return the window's side in px, odd where the image allows: as asked, or wide enough for the PSF."""
    sigmas = WINDOW_SIGMAS if camera.background_law == "level" else WINDOW_SIGMAS_WITH_BACKGROUND
    side = asked or 2 * max(1, math.ceil(sigmas * camera.optics.psf_sigma)) + 1
    return min(side, *shape)
