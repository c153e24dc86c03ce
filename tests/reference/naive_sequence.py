"""The sequence model the slow way: positions by formula, frames by the NumPy renderer, derivatives by differences."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import legval

from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets_numpy

STEP = 1e-5


def naive_targets(a: np.ndarray, u: float, centre: np.ndarray, k: int, degree: int, rigid: bool) -> np.ndarray:
    """Return the targets (K, 3) at scaled time u."""
    own = a[: 3 * k].reshape(k, 3)
    rest = a[3 * k :]
    out = np.empty((k, 3))
    for target in range(k):
        for axis in range(2):
            if rigid:
                path = legval(u, [0.0, *rest[axis * degree : (axis + 1) * degree]])
                out[target, axis] = centre[axis] + path + (1 + rest[-1] * u) * own[target, axis]
            else:
                coefficients = rest.reshape(degree, k, 2)[:, target, axis]
                out[target, axis] = centre[axis] + own[target, axis] + legval(u, [0.0, *coefficients])
        out[target, 2] = own[target, 2]
    return out


def naive_residuals(
    a: np.ndarray, frames: np.ndarray, times: np.ndarray, centre: np.ndarray, shape: tuple[int, int, bool], sigma: float
) -> np.ndarray:
    """Return (pixels - model) / sigma of frames (T, size, size) as one vector."""
    targets = np.stack([naive_targets(a, u, centre, *shape) for u in times])
    model = frames_from_targets_numpy(targets[..., :2], targets[..., 2], Optics(size=frames.shape[-1]))
    return ((frames - model) / sigma).ravel()


def naive_equations(
    a: np.ndarray,
    frames: np.ndarray,
    times: np.ndarray,
    centre: np.ndarray,
    shape: tuple[int, int, bool],
    sigma: float,
    mean: np.ndarray,
    inverse_variance: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the cost, A = J'J + prior and the gradient J'r + prior's, J by central differences."""
    residual = naive_residuals(a, frames, times, centre, shape, sigma)
    jacobian = np.empty((len(residual), len(a)))
    for p in range(len(a)):
        up, down = a.copy(), a.copy()
        up[p] += STEP
        down[p] -= STEP
        change = naive_residuals(down, frames, times, centre, shape, sigma)
        change -= naive_residuals(up, frames, times, centre, shape, sigma)
        jacobian[:, p] = change / (2 * STEP)
    away = mean - a
    cost = float(residual @ residual + inverse_variance @ away**2)
    return cost, jacobian.T @ jacobian + np.diag(inverse_variance), jacobian.T @ residual + inverse_variance * away
