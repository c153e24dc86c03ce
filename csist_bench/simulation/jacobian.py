"""How the pixels of a frame answer to what is unknown: its targets, the PSF's widths, the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import pixel_response

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FrameModel:
    """Pixels in row order, P of them: their means and derivatives in a number of unknowns.

    `mean` (..., P) is the targets' light, grey levels; `targets` (..., 3K, P) its derivatives in (x, y, s), target by
    target, zero for absent ones; `widths` (..., w, P) those in the widths that are fitted (`fitted_widths`).
    """

    mean: Floats
    targets: Floats
    widths: Floats


def fitted_widths(camera: Camera) -> list[int]:
    """Return the axes (0: x, 1: y) along which the PSF's width is fitted, for it is known with an error alone."""
    return [axis for axis, error in enumerate(camera.psf_sigma_error) if error > 0]


def frame_model(xy: Floats, intensity: Floats, camera: Camera) -> FrameModel:
    """Return mean and derivatives of frames.

    A spline PSF is made wider by stretching the whole of it, the pixel's integral included: R(u / f, v) / f with
    f = width / effective width.

    Parameters
    ----------
    xy : ndarray, shape (N, T, K, 2), px
        NaN marks an absent target.
    intensity : ndarray, shape (N, T, K), grey levels
    """
    n, t, k = intensity.shape
    absent = np.isnan(xy).any(axis=-1) | np.isnan(intensity)
    place = np.where(absent[..., None], 0.0, xy)
    brightness = np.where(absent, 0.0, intensity)[..., None, None]
    present = np.where(absent, 0.0, 1.0)[..., None, None]
    axes = fitted_widths(camera)
    respond = _gaussian_response if camera.psf is None else _spline_response
    unit, by_x, by_y, by_width = respond(place, present, brightness, camera)
    targets = np.stack([by_x, by_y, unit], axis=3).reshape(n, t, 3 * k, -1)
    widths = [by_width[axis].sum(axis=2).reshape(n, t, -1) for axis in axes]
    return FrameModel(
        (brightness * unit).sum(axis=2).reshape(n, t, -1),
        targets,
        np.stack(widths, axis=2) if widths else np.zeros((n, t, 0, targets.shape[-1])),
    )


Responses = tuple[Floats, Floats, Floats, tuple[Floats, Floats]]


def _gaussian_response(place: Floats, present: Floats, brightness: Floats, camera: Camera) -> Responses:
    """Return unit responses (N, T, K, H, W), and derivatives of the targets' light in x, y and both widths."""
    width_x, width_y = camera.widths
    size = camera.optics.size
    column, column_slope, column_spread = (part[..., None, :] for part in _axis_response(place[..., 0], width_x, size))
    row, row_slope, row_spread = (part[..., :, None] for part in _axis_response(place[..., 1], width_y, size))
    by_width = brightness * row * column_spread, brightness * row_spread * column
    return present * row * column, brightness * row * column_slope, brightness * row_slope * column, by_width


def _axis_response(position: Floats, sigma: float, size: int) -> tuple[Floats, Floats, Floats]:
    """Return q(i - position) for every pixel i and its derivatives in position and sigma, shape (..., size)."""
    value = pixel_response(np.arange(size), position[..., None], sigma)
    edges = (np.arange(size + 1) - 0.5 - position[..., None]) / sigma
    density = np.exp(-0.5 * edges**2) / (np.sqrt(2 * np.pi) * sigma)
    moment = edges * density
    return value, density[..., :-1] - density[..., 1:], moment[..., :-1] - moment[..., 1:]


def _spline_response(place: Floats, present: Floats, brightness: Floats, camera: Camera) -> Responses:
    """Return what `_gaussian_response` does, of a spline PSF."""
    assert camera.psf is not None
    size = camera.optics.size
    value, by_x, by_y = camera.psf.response(place[..., 0], place[..., 1], size, size)
    pixel, (width_x, width_y) = np.arange(size), camera.widths
    by_width_x = brightness * ((pixel - place[..., 0, None, None]) * by_x - value) / width_x
    by_width_y = brightness * ((pixel[:, None] - place[..., 1, None, None]) * by_y - value) / width_y
    return present * value, brightness * by_x, brightness * by_y, (by_width_x, by_width_y)


def background_columns(camera: Camera) -> Floats:
    """Return how the pixels answer to a fitted background's numbers, shape (0, 1 or 3, P): its level and slopes."""
    size = camera.optics.size
    ramp = np.linspace(-1.0, 1.0, size) if size > 1 else np.zeros(1)
    flat = np.ones((size, size))
    columns = {"level": [], "constant": [flat], "plane": [flat, flat * ramp, flat * ramp[:, None]]}
    return np.array(columns[camera.background_law]).reshape(-1, size * size)
