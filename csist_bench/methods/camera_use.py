"""What a method that cannot use all that is told of a camera makes of it, and what it leaves unused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.background import targets_alone
from csist_bench.simulation.camera import Camera

# What a camera can tell beyond the published set: by the fields of a camera file, what a method may be able to use.
TWO_WIDTHS, SPLINE, WIDTH_ERROR, PIXEL_NOISE, FREE_INTENSITY = (
    "psf_sigma",
    "psf",
    "psf_sigma_error",
    "noise",
    "intensity",
)
FITTED = frozenset((TWO_WIDTHS, SPLINE, PIXEL_NOISE, FREE_INTENSITY))
FITTED_OVER_TIME = FITTED | {WIDTH_ERROR}
GROUP = frozenset((TWO_WIDTHS,))
GRID: frozenset[str] = frozenset()


def without_unknown_background(frames: NDArray[Any], camera: Camera) -> NDArray[Any]:
    """Return frames (B, T, H, W) for methods that only know a level: its estimate taken off, bad pixels filled in.

    The known level stays; without an unknown background or bad pixels these are the frames themselves.
    """
    if camera.background_law == "level" and (camera.maps is None or camera.maps.bad is None):
        return frames
    flat = np.asarray(frames, dtype=np.float64).reshape(-1, *frames.shape[2:]) - camera.background
    return (targets_alone(flat, camera) + camera.background).reshape(frames.shape)


def plainly(camera: Camera) -> Camera:
    """Return the camera of frames as `without_unknown_background` leaves them."""
    return replace(camera, background_law="level", maps=None)


def unused(camera: Camera, used: frozenset[str], trained_width: float | None = None) -> tuple[str, ...]:
    """Return in words what a camera tells that a method does not use.

    Parameters
    ----------
    used : the kinds of facts the method uses, of those named above
    trained_width : the PSF's width that weights were trained for, px
    """
    told = {
        TWO_WIDTHS: "two PSF widths" if camera.psf_sigma_xy else "",
        SPLINE: "a PSF that is no Gaussian" if camera.psf is not None else "",
        WIDTH_ERROR: "the error of the PSF's width" if max(camera.psf_sigma_error) > 0 else "",
        PIXEL_NOISE: "the noise of single pixels" if camera.maps and camera.maps.noise_sigma is not None else "",
        FREE_INTENSITY: "that intensities are unknown" if camera.intensity_free else "",
    }
    left = [text for kind, text in told.items() if text and kind not in used]
    if trained_width is not None and trained_width != camera.optics.psf_sigma:
        left.append(f"a PSF of {camera.optics.psf_sigma:.4g} px (the weights are of {trained_width:g} px)")
    return tuple(left)
