"""Sequences of a rigid group as another program would make them: plain NumPy and SciPy, nothing of the package."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import j1

from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_frames import pixel_integrals

SIZE = 11


@dataclass(frozen=True)
class Sequences:
    """Frames (B, T, S, S), grey levels, targets (B, T, K, 2) px and their light (B, K), NaN where there is none."""

    frames: NDArray
    xy: NDArray
    flux: NDArray
    light: NDArray = field(repr=False)

    @property
    def count(self):
        return np.isfinite(self.flux).sum(axis=1)


def gaussian_spot(widths):
    """Return the function (x, y, size) -> light of a unit target in the pixels of a frame."""

    def spot(x, y, size):
        return np.outer(pixel_integrals(size, y, widths[1]), pixel_integrals(size, x, widths[0]))

    return spot


def airy_spot(fwhm, oversampling=9):
    """Return the same of an Airy pattern, whose values are averaged over `oversampling` squared points a pixel."""
    scale = 1.0289939 / fwhm  # aperture over wavelength and focal length, 1 / px
    inner = (np.arange(oversampling) - (oversampling - 1) / 2) / oversampling

    def spot(x, y, size):
        points = (np.arange(size)[:, None] + inner).ravel()
        angle = np.pi * scale * np.maximum(np.hypot(points - x, points[:, None] - y), 1e-9)
        pattern = np.pi / 4 * scale**2 * (2 * j1(angle) / angle) ** 2  # of unit light over the whole plane
        return pattern.reshape(size, oversampling, size, oversampling).mean(axis=(1, 3))

    return spot


def sequences(
    seed,
    count=20,
    frames=20,
    widths=(0.5, 0.5),
    spot=None,
    targets=(2, 3),
    radius=0.6,
    flux=(220.0, 250.0),
    noise=2.0,
    level=0.0,
    slope=(0.0, 0.0),
    gain=0.0,
    noise_map=None,
    saturation=np.inf,
    crosses=False,
):
    """Return `count` sequences of rigid groups that move by up to 0.05 px a frame.

    Targets stand on a circle of about `radius` px, at least 1.2 radii apart, or on arms along the pixel axes where
    `crosses`. `slope` is in grey levels per px along x
    and y about the frame's middle; `noise_map` (S, S) stands for `noise`; shot noise is drawn as photo-electrons.
    """
    rng = np.random.default_rng(seed)
    spot = spot or gaussian_spot(widths)
    most, middle = targets[1], (SIZE - 1) / 2
    xy, light_of = np.full((count, frames, most, 2), np.nan), np.full((count, most), np.nan)
    light = np.zeros((count, frames, SIZE, SIZE))
    for b in range(count):
        k = rng.integers(targets[0], most + 1)
        offsets = _on_a_cross(rng, k, radius) if crosses else _on_a_circle(rng, k, radius)
        speed = rng.uniform(-0.05, 0.05, 2)
        centre = middle + rng.uniform(-0.5, 0.5, 2) + speed * (np.arange(frames) - (frames - 1) / 2)[:, None]
        xy[b, :, :k] = centre[:, None] + offsets
        light_of[b, :k] = rng.uniform(*flux, k)
        for t in range(frames):
            for m in range(k):
                light[b, t] += light_of[b, m] * spot(*xy[b, t, m], SIZE)
    row, column = np.mgrid[:SIZE, :SIZE] - middle
    light += level + slope[0] * column + slope[1] * row
    seen = rng.poisson(np.maximum(light, 0) / gain) * gain if gain else light
    sd = noise if noise_map is None else noise_map
    seen = np.minimum(seen + sd * rng.standard_normal(light.shape), saturation)
    return Sequences(seen, xy, light_of, light)


def _on_a_circle(rng, k, radius):
    while True:
        angle = rng.uniform(0, 2 * np.pi, k)
        offsets = radius * rng.uniform(0.8, 1.2, (k, 1)) * np.column_stack([np.cos(angle), np.sin(angle)])
        apart = np.hypot(*(offsets[:, None] - offsets).transpose(2, 0, 1))[~np.eye(k, dtype=bool)]
        if k == 1 or apart.min() > 1.2 * radius:
            return offsets


def _on_a_cross(rng, k, radius):
    return radius * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[rng.permutation(4)[:k]]


def camera(widths=(0.5, 0.5), **fields):
    """Return the camera of such sequences."""
    round_one = widths[0] == widths[1]
    fields = {"noise_sigma": 2.0} | fields
    return Camera(
        Optics(float(np.sqrt(widths[0] * widths[1]))), psf_sigma_xy=None if round_one else tuple(widths), **fields
    )


@dataclass(frozen=True)
class Judged:
    """The share of frames whose count is right, and of their targets distances, px, and errors over predicted."""

    right: float
    distance: NDArray
    pulls: NDArray

    @property
    def spread(self):
        """Half the central 68.3 % of the pulls, by which no outlier counts."""
        return float(np.percentile(np.abs(self.pulls), 68.27))


def judge(found, made, every=1):
    """Compare detections with the truth, of every `every`-th frame."""
    right, distance, pulls, frames = 0, [], [], 0
    for b in range(made.frames.shape[0]):
        for t in range(0, made.frames.shape[1], every):
            frames += 1
            true = made.xy[b, t][np.isfinite(made.flux[b])]
            mine = (found.trajectory == b) & (found.frame == t)
            if mine.sum() != len(true):
                continue
            right += 1
            answer = np.column_stack([found.x[mine], found.y[mine]])
            error = np.column_stack([found.sigma_x[mine], found.sigma_y[mine]])
            apart = np.hypot(*(answer[:, None] - true).transpose(2, 0, 1))
            rows, columns = linear_sum_assignment(apart)
            distance.append(apart[rows, columns])
            pulls.append((answer[rows] - true[columns]) / error[rows])
    return Judged(right / frames, np.concatenate(distance), np.concatenate(pulls))
