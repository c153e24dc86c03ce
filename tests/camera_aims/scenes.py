"""Frames of three imagers by plain NumPy and SciPy, nothing of the package's renderer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from csist_bench.datasets.frame_files import BareFrames
from csist_bench.evaluation.truth import Truth
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT, NOISE_FLOOR_INTEGER, Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_frames import pixel_integrals

SIZE, LENGTH = 11, 20  # px a side, frames of a sequence
MOST = 4  # targets
FLUX = (220.0, 250.0)  # grey levels
SPREAD = 0.6  # of the PSF's width: distance of a target from the middle of its group
ARM, GROWTH, STEP = 0.3, 0.0014, 0.04  # px; the arms of SeqCSIST, their growth and the path a frame
COMPASS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], dtype=float)


@dataclass(frozen=True)
class Imager:
    """What makes frames: PSF widths, read noise, level, slope of the background, gain by what it does, bits.

    `shot_ratio` is the shot noise of the brightest pixel (median over frames) over the read noise; `slope` grey levels
    per px along x and y, about the middle of the frame.
    """

    psf_sigma: tuple[float, float]
    noise: float = 2.0
    level: float = 0.0
    slope: tuple[float, float] = (0.0, 0.0)
    shot_ratio: float = 0.0
    bits: int = 0


IMAGERS = {
    "sharp": Imager((0.40, 0.44)),
    "level": Imager((0.50, 0.50), level=30.0, shot_ratio=1.5),
    "wide": Imager((0.80, 0.73), level=100.0, slope=(1.0, -0.7), shot_ratio=3.0, bits=12),
}


@dataclass(frozen=True, eq=False)
class Scene:
    """Frames (N, T, 11, 11), their targets xy (N, T, K, 2) px and light (N, T, K), NaN where absent, and the gain."""

    frames: np.ndarray
    xy: np.ndarray
    light: np.ndarray
    gain: float
    imager: Imager

    @property
    def truth(self) -> Truth:
        count = np.isfinite(self.light).sum(axis=2)
        return Truth.from_arrays(self.xy, self.light, count, range(self.xy.shape[1]))

    @property
    def camera(self) -> Camera:
        """The camera told exactly; the background as the imager has it: none, a constant or a plane in every frame."""
        imager = self.imager
        law = "plane" if any(imager.slope) else "constant" if imager.level else "level"
        return replace(self.levelled, background_law=law, background=0.0)

    @property
    def levelled(self) -> Camera:
        """The camera told exactly, its level included."""
        imager = self.imager
        round_one = imager.psf_sigma[0] == imager.psf_sigma[1]
        rounding = 1 / 12 if imager.bits else 0.0
        return Camera(
            Optics(float(np.sqrt(np.prod(imager.psf_sigma))), SIZE),
            noise_sigma=float(np.sqrt(imager.noise**2 + rounding)),
            shot_gain=self.gain,
            saturation=2.0**imager.bits - 1 if imager.bits else np.inf,
            background=imager.level,
            intensity_min=FLUX[0],
            intensity_max=FLUX[1],
            psf_sigma_xy=None if round_one else imager.psf_sigma,
            noise_floor=NOISE_FLOOR_INTEGER if imager.bits else NOISE_FLOOR_FLOAT,
        )

    def one_by_one(self) -> Scene:
        """Return the same frames as unrelated ones, N T trajectories of one frame."""
        flat = [a.reshape(-1, 1, *a.shape[2:]) for a in (self.frames, self.xy, self.light)]
        return replace(self, frames=flat[0], xy=flat[1], light=flat[2])

    def without_slope(self) -> Scene:
        """Return the scene with the slope of its background taken off exactly; the level stays."""
        return replace(self, frames=self.frames - slope_of(self.imager))

    def bare(self) -> BareFrames:
        return BareFrames.of(self.frames)


def slope_of(imager: Imager) -> np.ndarray:
    """Return the background (11, 11) less its level."""
    away = np.arange(SIZE) - (SIZE - 1) / 2
    return imager.slope[0] * away[None, :] + imager.slope[1] * away[:, None]


def rigid_groups(rng: np.random.Generator, sequences: int, psf_sigma: tuple[float, float]) -> np.ndarray:
    """Return xy (N, T, K, 2) of groups of 2 to 4 targets in any shape that move along lines, NaN where absent."""
    radius = SPREAD * float(np.sqrt(np.prod(psf_sigma)))
    xy = np.full((sequences, LENGTH, MOST, 2), np.nan)
    for group in xy:
        count = rng.integers(2, MOST + 1)
        while True:
            angle, length = rng.uniform(0, 2 * np.pi, count), radius * rng.uniform(0.7, 1.3, count)
            offset = np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1)
            apart = np.hypot(*(offset[:, None] - offset[None]).transpose(2, 0, 1)) + 9 * np.eye(count)
            if apart.min() > 0.8 * radius:
                break
        group[:, :count] = line_of(rng, rng.uniform(-0.05, 0.05, 2))[:, None] + offset
    return xy


def arm_groups(rng: np.random.Generator, sequences: int) -> np.ndarray:
    """Return xy (N, T, K, 2) by the law of SeqCSIST: targets on arms along the axes of the pixels about a moving point.

    The arms are 0.3 px long at first and grow by 0 to 0.0014 px a frame each.
    """
    xy = np.full((sequences, LENGTH, MOST, 2), np.nan)
    for group in xy:
        count = rng.integers(2, MOST + 1)
        arms = COMPASS[rng.choice(len(COMPASS), count, replace=False)]
        grown = rng.uniform(0, GROWTH, (LENGTH, count))
        grown[0] = 0.0
        length = ARM + np.cumsum(grown, axis=0)
        step = STEP * np.array([rng.choice([-1.0, 1.0]), rng.uniform(-1, 1)])
        group[:, :count] = line_of(rng, step)[:, None] + arms * length[..., None]
    return xy


def line_of(rng: np.random.Generator, step: np.ndarray) -> np.ndarray:
    """Return points (T, 2) along a line, its middle within 1 px of that of the frame along both axes."""
    return (SIZE - 1) / 2 + rng.uniform(-1, 1, 2) + step * (np.arange(LENGTH) - (LENGTH - 1) / 2)[:, None]


def imaged(xy: np.ndarray, light: np.ndarray, psf_sigma: tuple[float, float]) -> np.ndarray:
    """Return the light (N, T, 11, 11) of targets."""
    image = np.zeros((*xy.shape[:2], SIZE, SIZE))
    for n, t, k in np.argwhere(np.isfinite(light)):
        x, y = xy[n, t, k]
        spot = np.outer(pixel_integrals(SIZE, y, psf_sigma[1]), pixel_integrals(SIZE, x, psf_sigma[0]))
        image[n, t] += light[n, t, k] * spot
    return image


def scene_of(imager: Imager, seed: tuple[int, ...], sequences: int, arms: bool = False) -> Scene:
    """Return sequences of 20 frames of an imager.

    Parameters
    ----------
    seed : of everything that is drawn
    arms : by the law of SeqCSIST; else groups of any shape
    """
    rng = np.random.default_rng(seed)
    xy = arm_groups(rng, sequences) if arms else rigid_groups(rng, sequences, imager.psf_sigma)
    light = np.where(np.isfinite(xy[..., 0]), rng.uniform(*FLUX, (sequences, 1, MOST)), np.nan)
    image = imaged(xy, light, imager.psf_sigma)
    brightest = np.median(image.max(axis=(2, 3))) + imager.level
    gain = float((imager.shot_ratio * imager.noise) ** 2 / brightest)
    image += imager.level + slope_of(imager)
    frames = gain * rng.poisson(np.maximum(image, 0) / gain) if gain else image
    frames = frames + imager.noise * rng.standard_normal(image.shape)
    if imager.bits:
        frames = np.clip(np.rint(frames), 0, 2**imager.bits - 1).astype(np.uint16)
    return Scene(frames, xy, light, gain, imager)
