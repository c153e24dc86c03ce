"""TiLISTA: LISTA with weights tied to the imaging operator, learned steps and support selection.

Liu, Chen, Wang and Yin, "ALISTA: Analytic Weights Are As Good As Learned Weights in LISTA", ICLR 2019
(https://openreview.net/forum?id=B1lnzn0ctQ), eq. 13; support selection from Chen et al., NeurIPS 2018. One layer:

    x' = soft_ss(x + alpha W (y - Phi x), theta),

where the p % largest entries pass unshrunk, p growing by 1.2 per layer up to 13.

Differs from the paper:

- W (n x m) and theta (one per node) are learned for each layer, as the benchmark has it (2,125,744 parameters, printed
  as 2.22 M); the paper ties W over the layers.
- W starts as the least-squares estimator Q, and x as Q y. Grids are scaled by 1/100 inside.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.shrinkage import SCALE, shrink_with_support
from csist_bench.methods.networks.unfolding.stacked_layers import StackedLayers, Start, feedforward_matrix


class TiLISTA(StackedLayers):
    """Layers that share the imaging operator, each with a matrix, a step and thresholds of its own."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of TiLISTA."""

        layers: int = 16
        theta: float = 5.0  # start value of the thresholds, grey levels
        support: float = 1.2  # percent of the nodes trusted in the first layer; each layer adds as many
        support_max: float = 13.0  # percent
        start: Start = "least-squares"

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        layers = settings.layers
        feedforward = feedforward_matrix(sampling, settings.start)
        self.feedforward = nn.Parameter(feedforward.repeat(layers, 1, 1))  # W (layers, n, m)
        self.threshold = nn.Parameter(torch.full((layers, len(feedforward)), settings.theta / SCALE))
        self.step = nn.Parameter(torch.ones(layers))  # alpha
        self.trusted = [min(settings.support * (layer + 1), settings.support_max) / 100 for layer in range(layers)]

    def _unmix(self, y: Tensor) -> Tensor:
        x = self.sampling.initial(y).flatten(1)  # (B, n)
        for w, theta, step, trusted in zip(self.feedforward, self.threshold, self.step, self.trusted):
            moved = x + step * functional.linear(self._left(y, x).flatten(1), w)
            x = shrink_with_support(moved, theta, trusted)
        return x
