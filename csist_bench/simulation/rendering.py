"""From targets to frames, and from a recipe to one shard of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError, must, require_shape
from csist_bench.recipes import DataRecipe
from csist_bench.simulation import _kernels
from csist_bench.simulation.optics import Optics, pixel_response
from csist_bench.simulation.scenes import Scenes, draw_scenes
from csist_bench.simulation.sensor import Background, sense

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shard:
    """Frames (N, T, H, W) of a run of trajectories in the recipe's dtype, and the scenes they show."""

    frames: NDArray[Any]
    scenes: Scenes


def frames_from_targets(xy: Floats, intensity: Floats, optics: Optics, dtype: Any = np.float64) -> NDArray[Any]:
    """Render noise-free frames z = G s of point targets.

    Parameters
    ----------
    xy : ndarray, shape (..., K, 2), px
        NaN marks an absent target; positions may lie outside the frame.
    intensity : ndarray, shape (..., K), grey levels
    dtype : float64 or float32
        Type of the result; the sum is always taken in float64.

    Returns
    -------
    ndarray, shape (..., size, size)
        Within 3e-12 of each target's intensity of the exact pixel integral.

    Raises
    ------
    InputError
        If the shapes do not belong together or a coordinate is infinite.
    """
    xy, intensity = _checked_targets(xy, intensity)
    lead, k = xy.shape[:-2], xy.shape[-2]
    out = np.empty((int(np.prod(lead)), optics.size, optics.size), dtype=dtype)
    scratch = np.empty((optics.size, optics.size))
    _kernels.render(xy.reshape(-1, k, 2), intensity.reshape(-1, k), optics.psf_sigma, scratch, out)
    return out.reshape(*lead, optics.size, optics.size)


def frames_from_targets_numpy(xy: Floats, intensity: Floats, optics: Optics) -> Floats:
    """Render as `frames_from_targets` does, with NumPy and SciPy alone: the kernel's oracle, three times slower."""
    xy, intensity = _checked_targets(xy, intensity)
    absent = np.isnan(xy).any(axis=-1) | np.isnan(intensity)
    place = np.where(absent[..., None], 0.0, xy)
    light = np.where(absent, 0.0, intensity)
    pixel = np.arange(optics.size)
    columns = pixel_response(pixel, place[..., 0, None], optics.psf_sigma)  # (..., K, W)
    rows = pixel_response(pixel, place[..., 1, None], optics.psf_sigma) * light[..., None]  # (..., K, H)
    return np.asarray(np.swapaxes(rows, -1, -2) @ columns)


def _checked_targets(xy: Floats, intensity: Floats) -> tuple[Floats, Floats]:
    xy = np.ascontiguousarray(xy, dtype=np.float64)
    if xy.ndim < 2 or xy.shape[-1] != 2:
        raise must("xy", "have shape (..., K, 2)", xy.shape)
    if np.isinf(xy).any() or np.isinf(intensity).any():
        raise InputError("targets must be finite (NaN marks an absent one), got an infinite value")
    try:
        intensity = np.ascontiguousarray(np.broadcast_to(intensity, xy.shape[:-1]), dtype=np.float64)
    except ValueError:
        require_shape("intensity", np.asarray(intensity), xy.shape[:-1], "(..., K)")
        raise
    return xy, intensity


def render_shard(recipe: DataRecipe, indices: Sequence[int], background: Background | None = None) -> Shard:
    """Draw, render and sense the trajectories `indices` (counted over the whole set) of a recipe."""
    return shard_from_scenes(recipe, draw_scenes(recipe, indices), indices, background)


def shard_from_scenes(
    recipe: DataRecipe, scenes: Scenes, indices: Sequence[int], background: Background | None = None
) -> Shard:
    """Render and sense given scenes; `indices` choose their noise streams."""
    optics = Optics.from_recipe(recipe)
    radiance = frames_from_targets(scenes.xy, scenes.intensity, optics)
    frames = sense(recipe, radiance, indices, background)
    with np.errstate(over="ignore"):  # what the type cannot hold becomes infinite, and is refused
        stored = frames.astype(recipe.dtype)
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        lower = "lower intensities, noise and background"
        raise must("frames", "be finite in float32", f"up to {np.nanmax(np.abs(frames)):.3g} grey levels", lower)
    return Shard(stored, scenes)
