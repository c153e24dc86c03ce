"""LAMP: learned approximate message passing, soft-threshold version.

Borgerding, Schniter and Rangan, "AMP-Inspired Deep Networks for Sparse Linear Inverse Problems", IEEE TSP 2017
(https://arxiv.org/abs/1612.01183), eqs. 15 to 18. One layer, with m pixels:

    v = y - Phi x + (||x||_0 / m) v_previous,   x' = soft(x + B v, lambda ||v|| / sqrt(m)),

the second term of v being the Onsager correction; B (n x m) and lambda (one per node) are learned per layer.

Differs from the paper:

- lambda is one per node, not one per layer, as the benchmark has it (2,125,728 parameters).
- B starts as the least-squares estimator Q instead of Phi^T / L: the columns of this Phi are nearly parallel.
- ||x||_0 / m is bounded by 1. In the paper's setting it stays below 1; here up to c^2 nodes a pixel can be
  active, and an unbounded correction diverges on some frames.
- Grids are scaled by 1/100 inside.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.shrinkage import soft_threshold
from csist_bench.methods.networks.unfolding.stacked_layers import StackedLayers, Start, feedforward_matrix

MOST_ONSAGER = 1.0  # bound of the Onsager factor


class LAMP(StackedLayers):
    """Layers of approximate message passing, each with a matrix and thresholds of its own."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of LAMP."""

        layers: int = 16
        shrinkage: float = 1.0  # start value of lambda: thresholds in units of the residual's root mean square
        start: Start = "least-squares"

    removed_settings: ClassVar[dict[str, Any]] = {"onsager": 1.0}

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        layers = settings.layers
        feedforward = feedforward_matrix(sampling, settings.start)
        self.feedforward = nn.Parameter(feedforward.repeat(layers, 1, 1))  # B (layers, n, m)
        self.shrinkage = nn.Parameter(torch.full((layers, len(feedforward)), float(settings.shrinkage)))  # lambda

    def _unmix(self, y: Tensor) -> Tensor:
        x = y.new_zeros(len(y), self.sampling.grid_size**2)  # (B, n)
        v = torch.zeros_like(y)
        for b, shrinkage in zip(self.feedforward, self.shrinkage):
            active = ((x != 0).sum(dim=1) / v[0].numel()).clamp(max=MOST_ONSAGER)
            v = self._left(y, x) + active[:, None, None] * v
            spread = v.square().mean(dim=(1, 2)).sqrt()[:, None]  # (B, 1)
            x = soft_threshold(x + functional.linear(v.flatten(1), b), shrinkage * spread)
        return x
