"""What a method is told of the imager: optics, sensor and the brightness law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from csist_bench.recipes import DataRecipe
from csist_bench.simulation.optics import Optics

# What a fitter assumes at least: float frames carry model error, integer frames rounding error (1 / sqrt 12 = 0.29).
NOISE_FLOOR_FLOAT, NOISE_FLOOR_INTEGER = 0.05, 0.29


@dataclass(frozen=True)
class Camera:
    """What a method may know of the data: optics, sensor and the brightness law; grey levels.

    `saturation` is the level at which pixels clip (inf: none), `noise_sigma` the effective read noise, with the floors
    for noise-free and integer frames applied, `background` the constant level to subtract. `centre` is the point that
    scenes are drawn about, px along both axes; only `group-map` reads it.
    """

    optics: Optics
    noise_sigma: float = NOISE_FLOOR_FLOAT
    shot_gain: float = 0.0
    saturation: float = float("inf")
    background: float = 0.0
    intensity_min: float = 220.0
    intensity_max: float = 250.0
    centre: float = 5.0

    @classmethod
    def from_recipe(cls, recipe: DataRecipe, noise_sigma: float | None = None) -> Camera:
        """Return what a data recipe tells; `noise_sigma` (grey levels) overrides the recipe's noise."""
        floor = NOISE_FLOOR_FLOAT if recipe.dtype == "float32" and not recipe.bits else NOISE_FLOOR_INTEGER
        clutter = recipe.background_sigma if recipe.background == "clutter" else 0.0
        told = float(np.hypot(recipe.noise_sigma, clutter)) if noise_sigma is None else noise_sigma
        return cls(
            optics=Optics.from_recipe(recipe),
            noise_sigma=max(told, floor),
            shot_gain=recipe.shot_gain,
            saturation=saturation_level(recipe),
            background=recipe.background_mean if recipe.background in ("constant", "clutter") else 0.0,
            intensity_min=recipe.intensity_min,
            intensity_max=recipe.intensity_max,
            centre=recipe.reference,
        )


def saturation_level(recipe: DataRecipe) -> float:
    """Return the highest grey level a recipe's sensor answers (inf without saturation or integer output)."""
    limits = [recipe.saturation] if recipe.saturation > 0 else []
    if recipe.bits:
        limits.append(float(2**recipe.bits - 1))
    return min(limits, default=float("inf"))
