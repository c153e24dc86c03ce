"""The group fit written plainly: one residual vector, a general least-squares solver and numerical derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from csist_bench.simulation.optics import pixel_response

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NaiveGroup:
    """One hypothesis for one group: windows (m, n, n), their origins (m, 2), and the law of its unknowns."""

    windows: Floats
    origins: NDArray[np.int64]
    pivot: Floats
    basis: Floats
    drift: Floats
    arms: Floats
    prior: Floats
    noise_sigma: float
    psf_sigma: float
    rotates: bool

    def positions(self, state: Floats) -> Floats:
        """Positions of the targets, shape (m, K, 2)."""
        degrees = self.basis.shape[1]
        path = np.stack([self.basis @ state[:degrees], self.basis @ state[degrees : 2 * degrees]], axis=1)
        arms = (state[2 * degrees] + self.drift)[:, None, None] * self.arms
        angle = state[-1] if self.rotates else 0.0
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.asarray(self.pivot + (path[:, None, :] + arms) @ rotation.T)

    def residuals(self, state: Floats) -> Floats:
        """Everything whose sum of squares is -2 log (likelihood x prior), up to constants."""
        m, n = self.windows.shape[:2]
        first = 2 * self.basis.shape[1] + 1
        intensity = state[first : first + len(self.arms)]
        xy = self.positions(state)
        model = np.zeros_like(self.windows)
        for t in range(m):
            for k, s in enumerate(intensity):
                row = pixel_response(self.origins[t, 0] + np.arange(n), xy[t, k, 1], self.psf_sigma)
                column = pixel_response(self.origins[t, 1] + np.arange(n), xy[t, k, 0], self.psf_sigma)
                model[t] += s * np.outer(row, column)
        pixels = (self.windows - model).ravel() / self.noise_sigma
        return np.concatenate([pixels, (state - self.prior[0]) * np.sqrt(self.prior[1])])

    def fit(self, start: Floats) -> tuple[Floats, float, float]:
        """Return the best state, its cost and minus half the log determinant of the Gauss-Newton matrix."""
        found = least_squares(self.residuals, start, x_scale="jac", xtol=1e-12, ftol=1e-12, gtol=1e-12)
        jacobian = np.asarray(found.jac)
        normal = jacobian.T @ jacobian
        return found.x, 2 * found.cost, -0.5 * float(np.linalg.slogdet(normal)[1])
