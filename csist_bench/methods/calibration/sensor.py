"""The sensor from frames: noise and gain by photon transfer, background, saturation, bad pixels.

Photon transfer (Janesick, 2007): a pixel's variance is the read noise squared plus the gain times its light. The light
is that of fitted targets and background, the variance that of what the fit leaves, corrected for what it took away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.background import estimated_background
from csist_bench.methods.fitting.misfit import Explained
from csist_bench.simulation.camera import BackgroundLaw

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PILE_UP = 4.0  # times as many pixels at the highest value as at each of the next ones
LEAST_PILE = 8  # pixels
TOP_VALUES = 8  # values below the highest that it is compared with
OUTLIER = 8.0  # robust standard deviations of a pixel's median or spread over time from its neighbours'
STEADY = 0.5  # of what a hot pixel adds: the most that it changes; of a noisy one's spread: the least, frame to frame
TWICE = 2.0  # as far from the median of all pixels as any neighbour
LEAST_FRAMES = 30  # for statistics over time
SURE = 4.0  # standard errors by which a slope, a drift or a gain must differ from none
UNSURE = 0.5  # error of the background's noise, for the share of pixels that targets take
TRANSFER_STEPS = 12
BINS = 24  # of light, of the plot of variance over light
MAD_TO_SD = 1.4826


def saturation_of(frames: NDArray[Any]) -> float | None:
    """Return the level at which pixels pile up at the top; None where they do not."""
    values, counts = np.unique(frames, return_counts=True)
    if len(values) <= TOP_VALUES or counts[-1] < LEAST_PILE:
        return None
    below = counts[-1 - TOP_VALUES : -1]
    return float(values[-1]) if counts[-1] > PILE_UP * below.max() else None


def bad_pixels_of(frames: NDArray[Any]) -> Bools | None:
    """Return the pixels (H, W) whose level or noise over time stands out from their neighbours'; None: too few frames.

    Targets move or differ from sequence to sequence, so that a pixel's median over all frames (N, T, H, W) shows the
    pixel.
    """
    values = np.asarray(frames, dtype=np.float64)
    flat = values.reshape(-1, *frames.shape[2:])
    if len(flat) < LEAST_FRAMES:
        return None
    median = np.median(flat, axis=0)
    spread = MAD_TO_SD * np.median(np.abs(flat - median), axis=0)
    quiet = np.median(spread)
    hot, added = _standing_out(median, quiet, len(flat))
    noisy, _ = _standing_out(spread, max(0.2 * quiet, 1e-9), len(flat))
    # The light of targets that stand there comes and goes with them; what a bad pixel adds is always there, or changes
    # from frame to frame.
    hot &= spread < STEADY * np.abs(added)
    if frames.shape[1] > 1:
        jumps = MAD_TO_SD * np.median(np.abs(np.diff(values, axis=1)), axis=(0, 1)) / np.sqrt(2)
        noisy &= jumps > STEADY * spread
    dead = spread < 0.1 * quiet  # it does not move
    return np.asarray(dead | hot | noisy)


def _standing_out(image: Floats, scale: float, frames: int) -> tuple[Bools, Floats]:
    """Return which pixels (H, W) of a statistic over time stand out from their neighbours, and by how much all do."""
    around = _neighbours(image)
    away = image - np.median(around, axis=0)
    robust = max(MAD_TO_SD * float(np.median(np.abs(away))), 0.05 * scale, scale / np.sqrt(frames))
    # Where targets often stand neighbours stand out too; a bad pixel does by far more.
    return np.abs(away) > OUTLIER * robust + TWICE * np.abs(around - np.median(image)).max(axis=0), away


def _neighbours(image: Floats) -> Floats:
    """Return the eight neighbours of each pixel, (8, H, W)."""
    padded = np.pad(image, 1, mode="reflect")
    height, width = image.shape
    shifted = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    return np.array(shifted)


@dataclass(frozen=True)
class Background:
    """What the background is: its law, mean level and the noise of pixels that show it alone, both with errors."""

    law: BackgroundLaw | Literal["none"]
    level: float
    error: float
    noise_sigma: float
    noise_error: float = 0.0


def background_of(frames: NDArray[Any], bad: Bools | None) -> Background:
    """Return the background of frames (N, T, H, W) by clipped least squares in each.

    A plane where slopes differ from none by more than noise makes them, a constant where the level changes from frame
    to frame, a told level otherwise.
    """
    flat = np.asarray(frames, dtype=np.float64).reshape(-1, *frames.shape[2:])
    height, width = flat.shape[1:]
    plane = estimated_background(flat, 3, bad)
    away = flat - plane
    inside = np.abs(away) if bad is None else np.abs(away[:, ~bad])
    noise = MAD_TO_SD * float(np.median(inside))
    kept = np.abs(away) < 3 * noise
    noise = float(np.sqrt((away[kept] ** 2).mean())) / 0.9866  # a normal distribution cut at three standard deviations
    noise *= float(np.sqrt(height * width / (height * width - 3)))
    # Faint light of targets is among these pixels; without any the error is that of counting alone.
    noise_error = noise * max(1 / float(np.sqrt(2 * kept.sum())), UNSURE * float(1 - kept.mean() / 0.9973))
    middle = plane[:, (height - 1) // 2, (width - 1) // 2]
    slopes = np.stack([plane[:, 0, -1] - plane[:, 0, 0], plane[:, -1, 0] - plane[:, 0, 0]], axis=1)
    pixels = 0.7 * height * width
    slope_sd = noise * np.sqrt(12.0 / pixels)
    mean, error = float(middle.mean()), noise / float(np.sqrt(pixels * len(flat)))
    drifts = (middle.std() ** 2 - 1.6 * noise**2 / pixels) > SURE * noise**2 / pixels * np.sqrt(2 / len(flat))
    sloped = (slopes**2).mean() > slope_sd**2 * (1.6 + SURE * np.sqrt(1 / len(flat)))
    if sloped:
        return Background("plane", mean, error, noise, noise_error)
    if drifts:
        return Background("constant", mean, error, noise, noise_error)
    told = abs(mean) > SURE * error + 0.1 * noise
    return Background("level" if told else "none", mean, error, noise, noise_error)


@dataclass(frozen=True, eq=False)
class PhotonTransfer:
    """Read noise, grey levels, and gain, grey levels per photo-electron, with errors; what the plot shows.

    `light`, `variance`, `error` (B,) are means over bins of light, grey levels and grey levels squared.
    """

    noise_sigma: tuple[float, float]
    gain: tuple[float, float]
    light: Floats
    variance: Floats
    error: Floats


def photon_transfer(
    frames: NDArray[Any], explained: Explained, known: float, taken: Floats, usable: Bools
) -> PhotonTransfer:
    """Fit variance = read noise^2 + gain * light to what fits leave of frames (F, n, n).

    Parameters
    ----------
    known : the level that `explained` leaves out, grey levels
    taken : ndarray, shape (F, n, n)
        The share of each pixel's variance that the fit took away.
    usable : bool ndarray, shape (F, n, n)
        Pixels that are neither bad nor clipped.
    """
    light = explained.light + known
    left = np.asarray(frames, dtype=np.float64) - light
    usable = usable & (taken < 0.5)
    m, squares = np.maximum(light[usable], 0.0), left[usable] ** 2 / (1 - taken[usable])
    noise_variance, gain, covariance = _fit_transfer(m, squares)
    if gain < SURE * np.sqrt(covariance[1, 1]):
        noise_variance, gain = float(squares.mean()), 0.0
    sigma = float(np.sqrt(noise_variance))
    errors = (float(np.sqrt(covariance[0, 0])) / (2 * sigma), float(np.sqrt(covariance[1, 1])))
    return PhotonTransfer((sigma, errors[0]), (float(gain), errors[1]), *_binned(m, squares))


def rough_gain(sequences: NDArray[Any], saturation: float, bad: Bools | None) -> float:
    """Return the gain that frames (B, T, n, n) show before any fit; 0 where they show none, or T < 3.

    Second differences over time leave what moves steadily out, and noise in. Fast targets make it too large.
    """
    if sequences.shape[1] < 3:
        return 0.0
    before, now, after = (np.asarray(sequences[:, s : s - 2 or None], dtype=np.float64) for s in (0, 1, 2))
    usable = np.maximum(np.maximum(before, now), after) < saturation
    if bad is not None:
        usable &= ~bad
    light, squares = ((before + now + after) / 3)[usable], ((before - 2 * now + after) ** 2 / 6)[usable]
    if not len(squares) or not squares.any():
        return 0.0
    _, gain, covariance = _fit_transfer(np.maximum(light, 0.0), squares)
    return gain if gain > SURE * float(np.sqrt(covariance[1, 1])) else 0.0


def _fit_transfer(light: Floats, squares: Floats) -> tuple[float, float, Floats]:
    """Return read noise^2, gain and their covariance; squares of normal numbers of variance v have variance 2 v^2."""
    design = np.stack([np.ones_like(light), light], axis=1)
    v: Floats = np.full_like(light, squares.mean())
    solution: Floats = np.zeros(2)
    covariance: Floats = np.eye(2)
    for _ in range(TRANSFER_STEPS):
        weighted = design / (2 * v**2)[:, None]
        covariance = np.asarray(np.linalg.inv(weighted.T @ design), dtype=np.float64)
        solution = covariance @ (weighted.T @ squares)
        v = np.maximum(design @ solution, 0.02 * squares.mean())
    return float(max(solution[0], 1e-12)), float(max(solution[1], 0.0)), covariance


def _binned(light: Floats, squares: Floats) -> tuple[Floats, Floats, Floats]:
    edges = np.unique(np.quantile(light, np.linspace(0, 1, BINS + 1)))
    edges = np.unique(np.concatenate([edges, np.linspace(light.min(), light.max(), BINS // 2)]))
    place = np.clip(np.searchsorted(edges, light, side="right") - 1, 0, max(len(edges) - 2, 0))
    count = np.bincount(place, minlength=len(edges) - 1)
    good = count > LEAST_FRAMES
    mean = np.bincount(place, light, len(edges) - 1)[good] / count[good]
    variance = np.bincount(place, squares, len(edges) - 1)[good] / count[good]
    return mean, variance, variance * np.sqrt(2 / count[good])
