"""LISTA: a fixed number of ISTA iterations with every matrix and threshold learned.

Gregor and LeCun, "Learning Fast Approximations of Sparse Coding", ICML 2010, eq. 4, each layer with
its own weights:

    x' = soft(W x + B y, theta),   W: n x n, B: n x m, theta: n,   n = (c S)^2 nodes, m = S^2 pixels.

Differs from the paper:

- Layers start as the iteration preconditioned by the least-squares estimator, B = Q and W = I - Q Phi, from x = Q y;
  `start = "gradient"` starts them as plain ISTA, B = Phi^T / L and W = I - Phi^T Phi / L,
  "identity" with W = I (see LIHT).
- Grids are scaled by 1/100 inside, so that thresholds and matrices move at similar rates under Adam.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.stacked_layers import PairStart, operator_pair
from csist_bench.methods.networks.unfolding.shrinkage import soft_threshold

SCALE = 100.0  # grey levels


class LISTASettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of LISTA."""

    layers: int = 16
    theta: float = 5.0  # start value of the thresholds, grey levels
    start: PairStart = "least-squares"


class LISTA(nn.Module):
    """LISTA; at 33 x 33 nodes each of the `layers` has 1,318,779 parameters."""

    Settings = LISTASettings
    resizable = False
    stacked_layers = True

    def __init__(self, sampling: Sampling, settings: LISTASettings) -> None:
        super().__init__()
        layers = settings.layers
        self.sampling = sampling
        feedback, feedforward = operator_pair(sampling, settings.start)
        self.feedback = nn.Parameter(feedback.repeat(layers, 1, 1))  # W (layers, n, n)
        self.feedforward = nn.Parameter(feedforward.repeat(layers, 1, 1))  # B (layers, n, m)
        self.threshold = nn.Parameter(torch.full((layers, len(feedback)), settings.theta / SCALE))

    def forward(self, frames: Tensor) -> Tensor:
        """Unmix frames (B, T, S, S) into label grids (B, T, cS, cS), grey levels."""
        y = frames.flatten(0, 1) / SCALE  # (B T, S, S)
        x = self.sampling.initial(y).flatten(1)  # (B T, n)
        y = y.flatten(1)  # (B T, m)
        for w, b, theta in zip(self.feedback, self.feedforward, self.threshold):
            x = soft_threshold(functional.linear(x, w) + functional.linear(y, b), theta)
        side = self.sampling.grid_size
        return SCALE * x.reshape(*frames.shape[:2], side, side)
