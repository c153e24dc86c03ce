"""Sensor model: background, shot and read noise, saturation and quantisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.camera import saturation_level
from csist_bench.simulation.scenes import NOISE_STREAM, stream

Floats = NDArray[np.float64]

# A source of background frames: (index of the trajectory in the set, T) -> (T, H, W) in grey levels.
Background = Callable[[int, int], Floats]


def is_ideal(recipe: DataRecipe) -> bool:
    """Tell whether the sensor passes the radiance on unchanged (z = G s)."""
    noiseless = recipe.background == "none" and not recipe.shot_gain and not recipe.noise_sigma
    return noiseless and np.isinf(saturation_level(recipe))


def sense(recipe: DataRecipe, radiance: Floats, indices: Sequence[int], background: Background | None = None) -> Floats:
    """Pass rendered frames through the sensor, in place.

    Parameters
    ----------
    radiance : float64 ndarray, shape (N, T, H, W), grey levels
    indices : N indices of the trajectories in the whole set; each has its own noise stream
    background : callable, optional
        Source of the user's own frames, needed when the recipe names a background path.

    Returns
    -------
    float64 ndarray, the same shape; quantised frames hold whole numbers.
    """
    if is_ideal(recipe):
        return radiance
    source = background_source(recipe, background)
    for frames, index in zip(radiance, indices):
        rng = stream(recipe.seed, index, NOISE_STREAM)
        if source is not None:
            frames += source(index, len(frames))
        elif recipe.background == "clutter":
            frames += recipe.background_mean + recipe.background_sigma * _power_law_clutter(
                rng, frames.shape, recipe.background_exponent
            )
        elif recipe.background == "constant":
            frames += recipe.background_mean
        if recipe.shot_gain:
            frames[...] = rng.poisson(np.maximum(frames, 0.0) / recipe.shot_gain) * recipe.shot_gain
        if recipe.noise_sigma:
            frames += recipe.noise_sigma * rng.standard_normal(frames.shape)
    if recipe.bits:
        np.rint(radiance, out=radiance)
    level = saturation_level(recipe)
    if np.isfinite(level):
        np.clip(radiance, 0.0 if recipe.bits else None, level, out=radiance)
    return radiance


def background_source(recipe: DataRecipe, background: Background | None) -> Background | None:
    """Return the source of the user's background frames, or None where the recipe draws or adds none."""
    if recipe.background in ("none", "constant", "clutter"):
        return None
    if background is None:
        raise InputError(
            f"background {recipe.background!r} needs its frames; generate opens them, a bare call must too"
        )
    return background


def _power_law_clutter(rng: np.random.Generator, shape: tuple[int, ...], exponent: float) -> Floats:
    """Return one clutter field, the same in all T frames, of zero mean and unit standard deviation.

    Its power spectrum falls as 1 / f^exponent, the usual law of infrared cloud and terrain clutter. It is cut from a
    field four times as wide, so that its period does not show.
    """
    _, height, width = shape
    tall, wide = 4 * height, 4 * width
    frequency = np.hypot(np.fft.fftfreq(tall)[:, None], np.fft.rfftfreq(wide)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((tall, wide))) * frequency ** (-exponent / 2)
    field = np.fft.irfft2(spectrum, s=(tall, wide))
    return np.asarray(field[:height, :width] / field.std())
