"""A first look at frames whose background is not known: its robust estimate, and bad pixels filled in.

Starts, windows and counts are taken from what this leaves; the fit itself sees the frames as they are.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.noise_model import BACKGROUND_UNKNOWNS
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDS = 8
ABOVE, BELOW = 2.5, 3.5  # standard deviations about the estimate within which a pixel counts as background
FLUX_INFLATION = 2.5  # of a window's summed noise, where its background is estimated too


def targets_alone(frames: Floats, camera: Camera) -> Floats:
    """Return frames (F, H, W), known background subtracted, without the unknown one and with bad pixels filled in.

    The frames themselves where the camera has neither.
    """
    bad = None if camera.maps is None else camera.maps.bad
    unknowns = BACKGROUND_UNKNOWNS[camera.background_law]
    if not unknowns and (bad is None or not bad.any()):
        return frames
    alone = frames.copy()
    if unknowns:
        alone -= estimated_background(frames, unknowns, bad)
    return alone if bad is None else filled_in(alone, bad)


def shot_variance(frames: Floats, alone: Floats, camera: Camera) -> Floats:
    """Return the variance (F,), grey levels^2, of the shot noise that a frame's background makes.

    Parameters
    ----------
    frames, alone : ndarray, shape (F, H, W)
        Before and after `targets_alone`.
    """
    level = np.full(len(frames), float(camera.background))
    if camera.shot_gain > 0.0 and alone is not frames:
        level += np.median((frames - alone).reshape(len(frames), -1), axis=1)
    return np.asarray(camera.shot_gain * np.maximum(level, 0.0), dtype=np.float64)


def dark_camera(camera: Camera, shot: Floats) -> Camera:
    """Return the camera whose read noise is that of a dark pixel: with the shot noise (F,) that `shot_variance` gives.

    For sums of light: their noise is that of the background too, though it was taken off. What FLUX_INFLATION allows
    for an estimated background covers that noise as well, up to its own size.
    """
    dark = math.sqrt(camera.noise_sigma**2 + float(shot.mean())) if shot.any() else camera.noise_sigma
    if camera.background_law != "level":
        dark = max(camera.noise_sigma, dark / FLUX_INFLATION)
    return camera if dark == camera.noise_sigma else replace(camera, noise_sigma=dark)


def estimated_background(frames: Floats, unknowns: int, bad: Bools | None = None) -> Floats:
    """Return the background of each frame (F, H, W): a constant (1 unknown) or a plane (3), by clipped least squares.

    Light is one-sided: pixels well above the estimate are left out, from the median on.
    """
    f, height, width = frames.shape
    basis = _basis(height, width, unknowns)
    values = frames.reshape(f, -1)
    good = np.ones(height * width, dtype=bool) if bad is None else ~bad.ravel()
    kept = np.broadcast_to(good, values.shape)
    estimate = np.median(values[:, good], axis=1)[:, None] * np.ones_like(values)
    for _ in range(ROUNDS):
        away = values - estimate
        # The lower half alone tells the noise: targets are brighter than their surroundings.
        below = np.where(kept & (away <= 0), away, np.nan)
        sd = np.sqrt(np.nanmean(np.concatenate([below**2, np.zeros((f, 1))], axis=1), axis=1)) + 1e-9
        kept = good & (away < ABOVE * sd[:, None]) & (away > -BELOW * sd[:, None])
        weight = kept.astype(float)
        normal = np.einsum("fp,pa,pb->fab", weight, basis, basis) + 1e-9 * np.eye(unknowns)
        right = np.einsum("fp,pa->fa", weight * values, basis)
        estimate = np.linalg.solve(normal, right[..., None])[..., 0] @ basis.T
    return estimate.reshape(frames.shape)


def _basis(height: int, width: int, unknowns: int) -> Floats:
    y, x = np.mgrid[:height, :width] / max(height, width) - 0.5
    return np.stack([np.ones(height * width), x.ravel(), y.ravel()][:unknowns], axis=1)


def filled_in(frames: Floats, bad: Bools) -> Floats:
    """Return frames (F, H, W) whose bad pixels hold the mean of the good ones about them, 0 where there are none."""
    padded = np.pad(np.where(bad, 0.0, frames), ((0, 0), (1, 1), (1, 1)))
    counted = np.pad((~bad).astype(float), 1)
    height, width = bad.shape
    light, count = np.zeros_like(frames), np.zeros(bad.shape)
    for i in range(3):
        for j in range(3):
            light += padded[:, i : i + height, j : j + width]
            count += counted[i : i + height, j : j + width]
    return np.where(bad, light / np.maximum(count, 1), frames)
