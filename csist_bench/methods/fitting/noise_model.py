"""What the likelihood of a pixel needs to know of the camera."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.pixel_model import psf_table
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]

BACKGROUND_UNKNOWNS = {"level": 0, "constant": 1, "plane": 3}


class NoiseModel(NamedTuple):
    """The PSF's tables along x and y, variance of the read noise, gain of the shot noise, clipping level and its edge.

    A pixel at or above `saturation` is clipped, and says only that the light was at or above `edge`; grey levels.
    `dense` cameras need `dense_model`: of `background` unknowns in every frame, beside the level `offset` that was
    taken off; with a variance of its own for each pixel, `variance_map` (H, W), infinite where it is bad; with a PSF
    given by B-spline coefficients `spline` (C, C), `spline_step` px apart. `sigma_x`, `sigma_y` are the widths, px.
    Empty maps and coefficients: none.
    """

    table: Floats
    variance: float
    gain: float
    saturation: float
    edge: float
    table_y: Floats
    dense: bool
    background: int
    offset: float
    sigma_x: float
    sigma_y: float
    variance_map: Floats
    spline: Floats
    spline_step: float


def simple_noise_model(
    psf_sigma: float, variance: float, gain: float = 0.0, saturation: float = math.inf, edge: float = math.inf
) -> NoiseModel:
    """Return the noise model of a round Gaussian PSF, a known background and pixels that are alike."""
    table, none = psf_table(psf_sigma), np.zeros((0, 0))
    return NoiseModel(
        table, variance, gain, saturation, edge, table, False, 0, 0.0, psf_sigma, psf_sigma, none, none, 1.0
    )


def noise_model_of(camera: Camera, whole_numbers: bool, least_sigma: float = 0.0) -> NoiseModel:
    """Return the noise model of frames whose known background is subtracted.

    Parameters
    ----------
    whole_numbers : bool
        Pixels are rounded: they read the highest level from half a level below it.
    least_sigma : float
        Read noise assumed at least, grey levels.
    """
    sigma, saturation = max(float(camera.noise_sigma), least_sigma), float(camera.saturation - camera.background)
    edge = saturation - 0.5 if whole_numbers else saturation
    simple = simple_noise_model(camera.optics.psf_sigma, sigma**2, float(camera.shot_gain), saturation, edge)
    sigma_x, sigma_y = camera.widths
    background = BACKGROUND_UNKNOWNS[camera.background_law]
    # Light of a known level makes shot noise too, which only the dense model counts.
    lit = camera.shot_gain > 0.0 and camera.background > 0.0
    return simple._replace(
        table=psf_table(sigma_x),
        table_y=psf_table(sigma_y),
        dense=bool(background or camera.maps is not None or camera.psf is not None or lit),
        background=background,
        offset=float(camera.background),
        sigma_x=sigma_x,
        sigma_y=sigma_y,
        variance_map=_variance_map(camera, sigma),
        # A copy: to the compiler an array that is read only is of another type, for which it would start anew.
        spline=np.zeros((0, 0)) if camera.psf is None else np.array(camera.psf.coefficients, order="C"),
        spline_step=1.0 if camera.psf is None else camera.psf.step,
    )


def plain_noise_model(noise_model: NoiseModel) -> NoiseModel:
    """Return the model of the same camera where the background is known and all pixels are alike."""
    none = np.zeros((0, 0))
    return noise_model._replace(dense=False, background=0, offset=0.0, variance_map=none, spline=none)


def _variance_map(camera: Camera, sigma: float) -> Floats:
    """Return the variance of every pixel's read noise (H, W), infinite where it is bad; empty without maps."""
    if camera.maps is None:
        return np.zeros((0, 0))
    bad, noise_sigma = camera.maps.bad, camera.maps.noise_sigma
    shape = bad.shape if bad is not None else noise_sigma.shape if noise_sigma is not None else (0, 0)
    variance = np.full(shape, sigma**2) if noise_sigma is None else np.asarray(noise_sigma, dtype=np.float64) ** 2
    return variance if bad is None else np.where(bad, np.inf, variance)
