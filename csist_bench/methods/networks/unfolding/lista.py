"""LISTA: a fixed number of ISTA iterations with every matrix and threshold learned.

Gregor and LeCun, "Learning Fast Approximations of Sparse Coding", ICML 2010, eq. 4, each layer with
its own weights:

    x' = soft(W x + B y, theta),   W: n x n, B: n x m, theta: n,   n = (c S)^2 nodes, m = S^2 pixels.

Differs from the paper:

- Layers start as the iteration preconditioned by the least-squares estimator, B = Q and W = I - Q Phi, from x = Q y;
  `start = "gradient"` starts them as plain ISTA, B = Phi^T / L and W = I - Phi^T Phi / L,
  "identity" with W = I (see LIHT).
- |theta| is the threshold, so that one that training pushes through zero stays alive; the benchmark's code clamps it.
- Grids are scaled by 1/100 inside, so that thresholds and matrices move at similar rates under Adam.
"""

from __future__ import annotations

from torch import Tensor

from csist_bench.methods.networks.unfolding.shrinkage import soft_threshold
from csist_bench.methods.networks.unfolding.stacked_layers import PairNetwork, PairSettings


class LISTA(PairNetwork):
    """LISTA; at 33 x 33 nodes each of the `layers` has 1,318,779 parameters."""

    Settings = PairSettings

    def _shrink(self, x: Tensor, theta: Tensor) -> Tensor:
        return soft_threshold(x, theta)
