"""What the likelihood of a pixel needs to know of the camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.pixel_model import psf_table
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]


class NoiseModel(NamedTuple):
    """The PSF's table, variance of the read noise, gain of the shot noise, clipping level and its edge.

    A pixel at or above `saturation` is clipped, and says only that the light was at or above `edge`; grey levels.
    """

    table: Floats
    variance: float
    gain: float
    saturation: float
    edge: float


def noise_model_of(camera: Camera, whole_numbers: bool, least_sigma: float = 0.0) -> NoiseModel:
    """Return the noise model of frames whose background is subtracted.

    Parameters
    ----------
    whole_numbers : bool
        Pixels are rounded: they read the highest level from half a level below it.
    least_sigma : float
        Read noise assumed at least, grey levels.
    """
    sigma, saturation = max(float(camera.noise_sigma), least_sigma), float(camera.saturation - camera.background)
    edge = saturation - 0.5 if whole_numbers else saturation
    return NoiseModel(psf_table(camera.optics.psf_sigma), sigma**2, float(camera.shot_gain), saturation, edge)
