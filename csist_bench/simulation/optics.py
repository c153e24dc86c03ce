"""Optics of the imager: the pixel-integrated point-spread function, the sampling matrix and the label grid.

Glossary, used in every docstring of the package:

- N trajectories, T frames, K targets (NaN-padded), H = W = `size` pixels [row = y, column = x], B batch.
- c nodes per pixel along each axis; the label grid has (c * size)^2 nodes.
- Pixel centres sit at integers; pixel (0, 0) spans [-0.5, 0.5] px. Positions are (..., 2), ordered (x, y), in px.
- Node i of the label grid sits at (i - (c - 1) / 2) / c px. Intensities are in grey levels (sum over all pixels).

The point-spread function is a 2-D Gaussian of standard deviation `psf_sigma`, integrated over each pixel's square.
Being separable, the response of pixel (i, j) to a unit target at (x, y) is q(j - x) q(i - y) with
q(u) = Phi((u + 1/2) / sigma) - Phi((u - 1/2) / sigma), Phi the normal distribution function. So the sampling matrix
is the Kronecker product G (x) G of two small matrices of 1-D pixel integrals (SeqCSIST, TGRS 2025, section III).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import must
from csist_bench.recipes import DataRecipe

Floats = NDArray[np.float64]

# The Airy disc's radius in units of the Gaussian's sigma: one "Rayleigh unit" of the CSIST papers.
RAYLEIGH_PER_SIGMA = 1.91


@dataclass(frozen=True)
class Optics:
    """Geometry of the imager: PSF width in px, pixels per side, and label nodes per pixel (odd)."""

    psf_sigma: float = 0.5
    size: int = 11
    c: int = 3

    def __post_init__(self) -> None:
        if not self.psf_sigma > 0:
            raise must("psf_sigma", "be positive", self.psf_sigma)
        if self.size < 1:
            raise must("size", "be at least 1 pixel", self.size)
        if self.c < 1 or self.c % 2 == 0:
            raise must("c", "be a positive odd number of nodes per pixel", self.c)

    @classmethod
    def from_recipe(cls, recipe: DataRecipe, c: int | None = None) -> Optics:
        """Return the optics of a data recipe, optionally with another number of nodes per pixel."""
        return cls(recipe.psf_sigma, recipe.size, recipe.c if c is None else c)

    @property
    def grid_size(self) -> int:
        """Nodes per side of the label grid."""
        return self.c * self.size

    @cached_property
    def nodes(self) -> Floats:
        """Positions of the label nodes along one axis, shape (c * size,), px."""
        return np.arange(1 - self.c, 2 * self.grid_size - self.c, 2, dtype=np.float64) / (2 * self.c)

    @cached_property
    def axis_matrix(self) -> Floats:
        """1-D pixel integrals G, shape (size, c * size): G[i, a] = response of pixel i to a unit target at node a."""
        return pixel_response(np.arange(self.size)[:, None], self.nodes[None, :], self.psf_sigma)

    @cached_property
    def sampling_matrix(self) -> Floats:
        """Phi, shape (size^2, (c * size)^2): column j is the frame of a unit target on node j, both in row order."""
        return np.asarray(np.kron(self.axis_matrix, self.axis_matrix), dtype=np.float64)

    def sample(self, grid: Floats) -> Floats:
        """Apply Phi to label grids, (..., c * size, c * size) -> (..., size, size), by two small products."""
        return self.axis_matrix @ grid @ self.axis_matrix.T

    def adjoint(self, frames: Floats) -> Floats:
        """Apply Phi^T to frames, (..., size, size) -> (..., c * size, c * size)."""
        return self.axis_matrix.T @ frames @ self.axis_matrix


def pixel_response(pixel: Floats | NDArray[np.int_], position: Floats, psf_sigma: float) -> Floats:
    """Return q(pixel - position): a unit 1-D Gaussian at `position` px integrated over pixel [i - 1/2, i + 1/2]."""
    offset = np.asarray(pixel, dtype=np.float64) - position
    # The difference of two upper or two lower tails keeps full relative precision on either side.
    offset = -np.abs(offset)
    from scipy.special import ndtr  # half a second that frames of a Gaussian spot do without

    return np.asarray(ndtr((offset + 0.5) / psf_sigma) - ndtr((offset - 0.5) / psf_sigma))


def nearest_node(xp: Any, position: Any, c: int) -> Any:
    """Return the index of the label node nearest to each coordinate (round half to even); may lie off the grid.

    The one rule of label grids, for NumPy arrays and torch tensors alike (`xp` is the module). The index is a whole
    number in the floating type of `position`.
    """
    return xp.round(position * c + (c - 1) / 2)


def label_nodes(xp: Any, xy: Any, c: int, n: int) -> tuple[Any, Any]:
    """Return the label node of each position: its flat index row * n + column, and whether it lies on the grid.

    Parameters
    ----------
    xp, xy : module; array of it, shape (..., 2), px
        NaN marks an absent target.
    c, n : int
        Nodes per pixel, and nodes per side of the grid.

    Returns
    -------
    index, inside : arrays, shape (...)
        The index is a whole number, 0 where there is none, in the floating type of `xy`.
    """
    node = nearest_node(xp, xy, c)
    inside = xp.all((node >= 0) & (node < n), -1)  # NaN compares false
    return xp.where(inside, node[..., 1] * n + node[..., 0], 0.0), inside


def grid_from_targets(xy: Floats, intensity: Floats, optics: Optics, collision: str = "sum") -> Floats:
    """Return the label grids of targets: each intensity at its nearest node, 0 elsewhere.

    Parameters
    ----------
    xy : ndarray, shape (..., K, 2), px
        NaN marks an absent target. Targets whose nearest node lies off the grid are left out.
    intensity : ndarray, shape (..., K), grey levels
    collision : {"sum", "last"}
        What two targets on one node give: the sum, or (as in the published code) the last target's intensity.

    Returns
    -------
    ndarray, shape (..., c * size, c * size)
    """
    if collision not in ("sum", "last"):
        raise must("label_collision", "be 'sum' or 'last'", collision)
    lead, k, n = xy.shape[:-2], xy.shape[-2], optics.grid_size
    index, inside = label_nodes(np, np.asarray(xy, dtype=np.float64).reshape(-1, k, 2), optics.c, n)
    node, light = index.astype(np.int64), np.broadcast_to(intensity, xy.shape[:-1]).reshape(-1, k)
    grid = np.zeros((len(node), n * n))
    for j in range(k):
        row = np.flatnonzero(inside[:, j])
        if collision == "sum":
            grid[row, node[row, j]] += light[row, j]
        else:
            grid[row, node[row, j]] = light[row, j]
    return grid.reshape(*lead, n, n)
