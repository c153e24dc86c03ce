"""What a method is told of the imager: optics, sensor and the brightness law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import must
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.spline_psf import SplinePsf

Floats = NDArray[np.float64]

# What of the background is known: its level, or nothing but that it is constant or a plane in every frame.
BackgroundLaw = Literal["level", "constant", "plane"]

# What a fitter assumes at least: float frames carry model error, integer frames rounding error (1 / sqrt 12 = 0.29).
NOISE_FLOOR_FLOAT, NOISE_FLOOR_INTEGER = 0.05, 0.29


@dataclass(frozen=True, eq=False)
class PixelMaps:
    """What is known of single pixels, each (H, W) or None: `bad` ones (bool), read noise `noise_sigma`, grey levels."""

    bad: NDArray[np.bool_] | None = None
    noise_sigma: Floats | None = None


@dataclass(frozen=True)
class Camera:
    """What a method may know of the data: optics, sensor and the brightness law; grey levels.

    `saturation` is the level at which pixels clip (inf: none), `noise_sigma` the effective read noise, with the floors
    for noise-free and integer frames applied, `background` the constant level to subtract. `centre` is the point that
    scenes are drawn about, px along both axes; only `group-map` reads it.

    `psf_sigma_xy` are the PSF's widths along x and y where they differ, px; `optics.psf_sigma` is then their geometric
    mean. `psf_sigma_error` are the standard errors of both widths; above 0 methods that can do so fit the widths. The
    background is known (`background_law` "level") or fitted in every frame, a constant or a plane beside `background`.
    `intensity_free` says that nothing is known of the intensities. `assumed` names what was not told but taken over
    from the published set, by the names of a camera file's fields. `noise_floor` is the least read noise that frames
    of their type carry. Where the PSF is no Gaussian it is `psf`; `optics.psf_sigma` is then its effective width.
    """

    optics: Optics
    noise_sigma: float = NOISE_FLOOR_FLOAT
    shot_gain: float = 0.0
    saturation: float = float("inf")
    background: float = 0.0
    intensity_min: float = 220.0
    intensity_max: float = 250.0
    centre: float = 5.0
    psf_sigma_xy: tuple[float, float] | None = None
    psf_sigma_error: tuple[float, float] = (0.0, 0.0)
    background_law: BackgroundLaw = "level"
    intensity_free: bool = False
    maps: PixelMaps | None = None
    assumed: tuple[str, ...] = ()
    noise_floor: float = NOISE_FLOOR_FLOAT
    psf: SplinePsf | None = None

    def __post_init__(self) -> None:
        if self.background_law not in get_args(BackgroundLaw):
            raise must("background_law", f"be one of {', '.join(get_args(BackgroundLaw))}", self.background_law)
        if not all(width > 0 for width in self.widths):
            raise must("psf_sigma_xy", "be positive", self.psf_sigma_xy)

    @property
    def widths(self) -> tuple[float, float]:
        """Standard deviation of the PSF along x and y, px."""
        return self.psf_sigma_xy or (self.optics.psf_sigma, self.optics.psf_sigma)

    @property
    def read_variance(self) -> float | NDArray[np.float64]:
        """The variance of the read noise, grey levels^2: of all pixels, or of each, (H, W), where the maps tell it."""
        own = None if self.maps is None else self.maps.noise_sigma
        return self.noise_sigma**2 if own is None else np.asarray(own) ** 2

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
            noise_floor=floor,
        )


def saturation_level(recipe: DataRecipe) -> float:
    """Return the highest grey level a recipe's sensor answers (inf without saturation or integer output)."""
    limits = [recipe.saturation] if recipe.saturation > 0 else []
    if recipe.bits:
        limits.append(float(2**recipe.bits - 1))
    return min(limits, default=float("inf"))
