"""The imaging operator as a layer: y = Phi x, its adjoint, and the least-squares first guess x0 = Q y.

Phi is separable (see `simulation.optics`), so Phi x is G X G^T and Phi^T y is G^T Y G: two small products instead of
one with a (size^2, (c size)^2) matrix. Q = X Y^T (Y Y^T)^-1 is the linear estimator of label grids X from their frames
Y = Phi X (ISTA-Net, CVPR 2018, eq. 16); it is a property of the training split and travels with the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from csist_bench.errors import must, require_shape
from csist_bench.simulation.optics import Optics

Floats = NDArray[np.float64]

# Relative to the mean eigenvalue of Y Y^T. Pixels that no target visits leave Y Y^T singular.
RIDGE = 1e-4
MAX_INITIALISER = 400_000_000  # entries of Q: frames of up to 81 px at c = 3


class Sampling(nn.Module):
    """Phi for one frame size.

    Parameters
    ----------
    axis_matrix : ndarray, shape (size, c * size)
        1-D pixel integrals G of `Optics.axis_matrix`.
    initialiser : ndarray, shape ((c * size)^2, size^2), optional
        Q; by default the ridge pseudo-inverse of Phi, so that a network can be used before Q is fitted.
    psf_sigma : float, px
        Of the point spread function that G was integrated from.

    Attributes
    ----------
    size, c : int
        Pixels per side, nodes per pixel.
    lipschitz : float
        Largest eigenvalue of Phi^T Phi: the fourth power of the largest singular value of G.
    """

    axis_matrix: Tensor
    initialiser: Tensor
    gram_values: Tensor
    gram_vectors: Tensor

    def __init__(
        self, axis_matrix: NDArray[Any], initialiser: NDArray[Any] | None = None, psf_sigma: float = Optics().psf_sigma
    ) -> None:
        super().__init__()
        self.psf_sigma = psf_sigma
        g = np.asarray(axis_matrix, dtype=np.float64)
        if g.ndim != 2 or g.shape[0] < 1 or g.shape[1] % g.shape[0]:
            raise must("axis_matrix", "have shape (size, c * size)", g.shape)
        self.size, self.c = g.shape[0], g.shape[1] // g.shape[0]
        if self.c**2 * self.size**4 > MAX_INITIALISER:
            raise must("size", "be small enough for a dense initialiser", self.size, "networks unmix cut-outs")
        self.lipschitz = float(np.linalg.norm(g, 2) ** 4)
        q = pseudo_inverse(g) if initialiser is None else np.asarray(initialiser)
        require_shape("initialiser", q, (g.shape[1] ** 2, g.shape[0] ** 2), "((c * size)^2, size^2)")
        values, vectors = np.linalg.eigh(g @ g.T)
        # G follows from the optics, and the eigenvectors of G G^T from it; Q was fitted and is saved with the weights.
        self.register_buffer("axis_matrix", torch.tensor(g, dtype=torch.float32), persistent=False)
        self.register_buffer("gram_values", torch.tensor(values, dtype=torch.float32), persistent=False)
        self.register_buffer("gram_vectors", torch.tensor(vectors, dtype=torch.float32), persistent=False)
        self.register_buffer("initialiser", torch.tensor(q, dtype=torch.float32))

    @classmethod
    def from_optics(cls, optics: Optics, initialiser: NDArray[Any] | None = None) -> Sampling:
        """Return the layer of an imager."""
        return cls(optics.axis_matrix, initialiser, optics.psf_sigma)

    @property
    def grid_size(self) -> int:
        """Nodes per side of the label grid."""
        return self.c * self.size

    def forward(self, grid: Tensor) -> Tensor:
        """Phi x: label grids (..., c * size, c * size) -> frames (..., size, size)."""
        return self.axis_matrix @ grid @ self.axis_matrix.mT

    def adjoint(self, frames: Tensor) -> Tensor:
        """Phi^T y: frames (..., size, size) -> label grids (..., c * size, c * size)."""
        return self.axis_matrix.mT @ frames @ self.axis_matrix

    def initial(self, frames: Tensor) -> Tensor:
        """Q y: frames (..., size, size) -> first guess of the label grids (..., c * size, c * size)."""
        grid = nn.functional.linear(frames.flatten(-2), self.initialiser)
        return grid.unflatten(-1, (self.grid_size, self.grid_size))

    def proximal(self, frames: Tensor, grid: Tensor, weight: Tensor) -> Tensor:
        """Return the grid z that minimises ||frames - Phi z||^2 + weight ||z - grid||^2, in closed form.

        z = x + Phi^T (Phi Phi^T + weight)^-1 (y - Phi x), and Phi Phi^T = G G^T (x) G G^T is diagonal in the products
        of the eigenvectors of G G^T.
        """
        v, values = self.gram_vectors, self.gram_values
        residual = v.mT @ (frames - self(grid)) @ v
        return grid + self.adjoint(v @ (residual / (values[:, None] * values + weight)) @ v.mT)

    def matrix(self) -> Tensor:
        """Phi itself, shape (size^2, (c * size)^2), for weights that are initialised from it."""
        return torch.kron(self.axis_matrix, self.axis_matrix)


def pseudo_inverse(axis_matrix: Floats, ridge: float = RIDGE) -> Floats:
    """Return Phi^T (Phi Phi^T + r I)^-1, shape ((c * size)^2, size^2), r = `ridge` times the mean eigenvalue."""
    # Phi Phi^T = G G^T (x) G G^T, so its eigenvectors are products of those of G G^T.
    value, vector = np.linalg.eigh(axis_matrix @ axis_matrix.T)
    basis, values = np.kron(vector, vector), np.kron(value, value)
    half = np.kron(axis_matrix.T @ vector, axis_matrix.T @ vector)
    return np.asarray((half / (values + ridge * values.mean())) @ basis.T)


def fit_initialiser(
    label_grids: NDArray[Any] | Iterable[NDArray[Any]], optics: Optics, ridge: float = RIDGE
) -> NDArray[np.float32]:
    """Fit Q = X Y^T (Y Y^T + r I)^-1 to label grids X and their frames Y = Phi X.

    Only M = X X^T is summed over the grids, from their few non-zero nodes: X Y^T = M Phi^T and Y Y^T = Phi M Phi^T.

    Parameters
    ----------
    label_grids : ndarray, shape (n, c * size, c * size), or an iterable of such chunks; grey levels
    ridge : float
        r relative to the mean eigenvalue of Y Y^T.

    Returns
    -------
    float32 ndarray, shape ((c * size)^2, size^2)
    """
    if not ridge > 0:
        raise must("ridge", "be positive", ridge)
    chunks = [label_grids] if isinstance(label_grids, np.ndarray) else label_grids
    nodes = optics.grid_size**2
    moment = np.zeros((nodes, nodes))
    for chunk in chunks:
        require_shape("label_grids", chunk, (None, optics.grid_size, optics.grid_size), "(n, c * size, c * size)")
        x = sparse.csr_array(chunk.reshape(len(chunk), nodes).astype(np.float64))
        moment += (x.T @ x).toarray()
    if not moment.any():
        raise must("label_grids", "hold at least one target", "only zeros")
    side = optics.grid_size
    cross = optics.sample(moment.reshape(nodes, side, side)).reshape(nodes, -1)  # M Phi^T
    gram = optics.sample(cross.T.reshape(-1, side, side)).reshape(cross.shape[1], -1)  # Phi M Phi^T
    gram.flat[:: len(gram) + 1] += ridge * np.trace(gram) / len(gram)
    return np.asarray(np.linalg.solve(gram, cross.T).T, dtype=np.float32)
