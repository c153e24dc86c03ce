"""Cramer-Rao covariances the slow way: numerical derivatives, numerical integration, loops, dense matrices."""

from __future__ import annotations

import numpy as np
from scipy import stats

from csist_bench.evaluation.cramer_rao import CramerRaoLine
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.rendering import frames_from_targets_numpy

STEP = 1e-5
LEVEL_MARGIN = 0.5  # an integer pixel clips half a grey level below its highest value


def naive_pixel_information(mean: float, camera: Camera) -> float:
    """Return E[(d log p / d mean)^2] of one pixel, min(y, level) with y ~ N(mean, v), by quadrature."""
    sd = np.sqrt(camera.noise_sigma**2 + camera.shot_gain * max(mean, 0.0))
    level = camera.saturation - LEVEL_MARGIN - camera.background

    y = np.linspace(mean - 12 * sd, min(level, mean + 12 * sd), 20001)
    density = stats.norm.pdf(y, mean, sd) * ((y - mean) / sd**2) ** 2
    total = float(np.trapezoid(density, y)) if y[-1] > y[0] else 0.0
    if np.isfinite(level):
        above = stats.norm.sf(level, mean, sd)
        if above > 1e-300:
            total += stats.norm.pdf(level, mean, sd) ** 2 / above
    return total


def naive_frame_information(xy: np.ndarray, intensity: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the information of one frame, (3K, 3K); xy (K, 2), intensity (K,)."""
    k = len(intensity)
    theta = np.column_stack([xy, intensity]).ravel()

    def frame(values: np.ndarray) -> np.ndarray:
        table = values.reshape(k, 3)
        return frames_from_targets_numpy(table[:, :2], table[:, 2], camera.optics).ravel()

    mean = frame(theta)
    jacobian = np.zeros((len(mean), 3 * k))
    for p in range(3 * k):
        if np.isfinite(theta).reshape(k, 3)[p // 3].all():
            up, down = theta.copy(), theta.copy()
            up[p] += STEP
            down[p] -= STEP
            jacobian[:, p] = (frame(up) - frame(down)) / (2 * STEP)
    weight = [naive_pixel_information(m, camera) for m in mean]
    return jacobian.T @ np.diag(weight) @ jacobian


def naive_rigid_covariance(
    line: CramerRaoLine,
    information: np.ndarray,
    window: range,
    frame: int,
    brightness_variance: float,
    offset_sd: float,
) -> np.ndarray:
    """Return C_t of one frame for a rigid group on a polynomial path; information (T, 3K, 3K) of one trajectory."""
    k = information.shape[-1] // 3
    path, own = 2 * (line.degree + 1), 2 * k
    middle, half = (window[0] + window[-1]) / 2, max((window[-1] - window[0]) / 2, 1)

    def design(t: int) -> np.ndarray:
        m = np.zeros((3 * k, path + own + k))
        for j in range(k):
            for axis in range(2):
                for power in range(line.degree + 1):
                    m[3 * j + axis, 2 * power + axis] = ((t - middle) / half) ** power
                m[3 * j + axis, path + 2 * j + axis] = 1.0
            m[3 * j + 2, path + own + j] = 1.0
        return m

    prior = [0.0] * path + [1 / offset_sd**2] * own + [1 / brightness_variance] * k
    total = np.diag(prior) + sum(design(t).T @ information[t] @ design(t) for t in window)
    return design(frame) @ np.linalg.inv(total) @ design(frame).T
