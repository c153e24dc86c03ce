"""Samples of the targets of single frames, and of windows of frames, under the law of freely placed groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.pixel_model import psf_table
from csist_bench.methods.fitting.survey import survey_frames
from csist_bench.methods.posterior._kernels import Chain, Scene, run_chain
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOW, FLUX_WINDOW = 7, 5  # px
CHAINS = 2
SPEED_SD = 0.06  # px per frame and axis, of the group's path in a window
BEND_SD = 0.0013  # px, of its second Legendre coefficient over five frames


@dataclass(frozen=True)
class Effort:
    """How long a chain runs: steps in all, of which `burn` first ones are left out, and samples that are kept."""

    steps: int = 16_000
    burn: int = 6_000
    samples: int = 256


@dataclass(frozen=True)
class FreeLaw:
    """The law of a freely placed group: `count_min` to `count_max` targets in a disc of `radius` px, intensities."""

    count_min: int
    count_max: int
    radius: float
    low: float
    high: float

    @classmethod
    def of(cls, recipe: DataRecipe) -> FreeLaw:
        """Return the law of a recipe; arms grow, so the disc is that of the middle of its sequence."""
        grown = 0.5 * recipe.growth_max * 0.5 * (recipe.frames - 1)
        counts = max(recipe.k_min, 2), recipe.k_max
        return cls(*counts, recipe.radius_max + grown, recipe.intensity_min, recipe.intensity_max)


@dataclass(frozen=True, eq=False)
class FramePosterior:
    """Samples of one frame: place (C, S, K, 2) px and light (C, S, K) of C chains, and their convergence, R-hat."""

    place: Floats
    light: Floats
    r_hat: float


def sample_frame(
    frames: NDArray[np.generic], frame: int, window: int, camera: Camera, law: FreeLaw, seed: list[int], effort: Effort
) -> FramePosterior:
    """Sample the targets of one frame of a sequence (T, H, W), given the window of frames about it.

    `seed` are whole numbers that name the frame: what is drawn depends on them alone.
    """
    first = int(np.clip(frame - window // 2, 0, len(frames) - window))
    part = np.asarray(frames[first : first + window], dtype=np.float64) - camera.background
    middle = part.mean(axis=0)[None]
    scene = scene_of(part, middle, camera, law)
    count = likely_count(part, camera, law)
    survey = survey_frames(middle, FLUX_WINDOW, np.inf, 0.0)
    unknowns = 3 * count + 2 * len(scene.path_sd)
    chains = []
    for c in range(CHAINS):
        rng = np.random.default_rng([*seed, c])
        normal, uniform = rng.standard_normal((effort.steps, unknowns)), rng.random((effort.steps, 2))
        place = survey.centroids[0, :2] + start_in_disc(rng, count, 0.5 * law.radius)
        light = rng.uniform(law.low, law.high, count)
        chain = Chain(*(np.empty((effort.samples, *shape)) for shape in ((count, 2), (count,), ())))
        run_chain(scene, place, light, normal, uniform, effort.burn, frame - first, chain)
        chains.append(chain)
    place, light = np.stack([chain.place for chain in chains]), np.stack([chain.light for chain in chains])
    return FramePosterior(place, light, r_hat(features(place, np.stack([chain.chi2 for chain in chains]))))


def start_in_disc(rng: np.random.Generator, count: int, radius: float) -> Floats:
    """Return places (K, 2) anywhere in a disc about the origin."""
    length, angle = radius * np.sqrt(rng.random(count)), 2 * np.pi * rng.random(count)
    return np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1)


def scene_of(part: Floats, middle: Floats, camera: Camera, law: FreeLaw) -> Scene:
    """Return what a chain is told of the frames (m, H, W), cut about the blob of their mean (1, H, W)."""
    row, column = survey_frames(middle, WINDOW, np.inf, 0.0).origins[0]
    m = len(part)
    u = np.linspace(-1, 1, m) if m > 1 else np.zeros(1)
    basis = np.stack([u, 1.5 * u**2 - 0.5], axis=1) if m > 1 else np.zeros((1, 0))
    path_sd = np.array([SPEED_SD * (m - 1) / 2, BEND_SD * ((m - 1) / 4) ** 2]) if m > 1 else np.zeros(0)
    pixels = np.ascontiguousarray(part[:, row : row + WINDOW, column : column + WINDOW])
    table = psf_table(camera.optics.psf_sigma)
    about = (law.low, law.high, law.radius, camera.noise_sigma, table)
    return Scene(pixels, int(row), int(column), np.ascontiguousarray(basis), path_sd, *about)


def likely_count(part: Floats, camera: Camera, law: FreeLaw) -> int:
    """Return the number of targets that frames (m, H, W) of one group show most probably, by their light."""
    flux = float(survey_frames(part, FLUX_WINDOW, np.inf, 0.0).flux.mean())
    counts = np.arange(law.count_min, law.count_max + 1)
    variance = counts * (law.high - law.low) ** 2 / 12 + (FLUX_WINDOW * camera.noise_sigma) ** 2 / len(part)
    log = -0.5 * (flux - counts * 0.5 * (law.low + law.high)) ** 2 / variance - 0.5 * np.log(variance)
    return int(counts[np.argmax(log)])


def features(place: Floats, chi2: Floats) -> Floats:
    """Return what chains (C, S, K, 2) are compared by, (Q, C, S): nothing that depends on the targets' order.

    The misfit, the middle, and the second to fourth power sums of the targets about it, as complex numbers.
    """
    z = place[..., 0] + 1j * place[..., 1]
    middle = z.mean(axis=-1)
    away = z - middle[..., None]
    powers = [(away**n).sum(axis=-1) for n in (2, 3, 4)]
    sizes = (np.abs(away) ** 2).sum(axis=-1)
    parts = [np.stack([value.real, value.imag]) for value in (middle, *powers)]
    return np.concatenate([chi2[None], sizes[None], *parts])


def r_hat(values: Floats) -> float:
    """Return the largest R-hat of quantities (Q, C, S) of C chains (Gelman and Rubin, 1992): 1 where they agree."""
    s = values.shape[-1]
    within = values.var(axis=-1, ddof=1).mean(axis=-1)
    between = values.mean(axis=-1).var(axis=-1, ddof=1)
    ratio = np.divide(between, within, out=np.zeros_like(within), where=within > 0)
    return float(np.sqrt((s - 1) / s + ratio).max())
