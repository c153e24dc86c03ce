"""ISTA: iterative shrinkage-thresholding on the label grid (Daubechies, Defrise and De Mol, CPAM 2004).

Minimises ||y - Phi x||^2 / 2 + lambda ||x||_1 by x <- soft(x + Phi^T (y - Phi x) / L, lambda / L), L the largest
eigenvalue of Phi^T Phi. Phi is separable, so one iteration is four small matrix products, fused in one kernel.

Differs from the published runner: single precision (the iterates agree to about 1e-3 grey levels with double).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench.methods.grid import _kernels
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics


class ISTA(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"penalty": "lambda"}):
    """Settings: `lambda` (weight of the l1 norm), `iterations` at most, `tolerance` on ||dx|| in grey levels."""

    penalty: Annotated[float, Meta(ge=0)] = 1.0
    iterations: Annotated[int, Meta(ge=1, le=1_000_000)] = 3000
    tolerance: Annotated[float, Meta(ge=0)] = 1e-4

    def heat_maps(self, frames: NDArray[Any], camera: Camera) -> NDArray[np.float32]:
        """Return label grids (B, T, c * size, c * size) of frames (B, T, size, size), grey levels."""
        optics = camera.optics
        flat = (frames.reshape(-1, optics.size, optics.size) - camera.background).astype(np.float32, order="C")
        x = least_squares(flat, optics).astype(np.float32)
        matrix = np.ascontiguousarray(optics.axis_matrix, dtype=np.float32)
        _kernels.ista(flat, matrix, 1.0 / lipschitz(optics), self.penalty, self.iterations, self.tolerance, x)
        return x.reshape(*frames.shape[:2], optics.grid_size, optics.grid_size)


def lipschitz(optics: Optics) -> float:
    """Return the largest eigenvalue of Phi^T Phi: the fourth power of the largest singular value of G."""
    return float(np.linalg.norm(optics.axis_matrix, 2) ** 4)


def least_squares(frames: NDArray[Any], optics: Optics) -> NDArray[np.float64]:
    """Return pinv(Phi) y for frames (F, size, size); pinv of a Kronecker product is the product of the pinvs."""
    inverse = np.linalg.pinv(optics.axis_matrix)
    return np.asarray(inverse @ frames @ inverse.T)
