"""LIHT: LISTA with the hard threshold of iterative hard thresholding (the deep l0 encoder).

Wang, Ling and Huang, "Learning Deep l0 Encoders", AAAI 2016 (https://arxiv.org/abs/1509.00153), eqs. 5 to 8:

    x' = h(W x + B y, theta),   h(u, theta) = u where |u| >= theta, else 0,

with h a steep ramp below theta while training and after (HELU), so that theta receives gradient.

Differs from the paper:

- Own W, B and theta per layer, as the benchmark has it: 16 layers, 21,100,464 parameters.
- Layers start as the preconditioned iteration B = Q, W = I - Q Phi (see LISTA) instead of the benchmark's W = I, with
  which every layer adds B y once more (`start = "identity"`).
- Grids are scaled by 1/100 inside.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.stacked_layers import PairStart, operator_pair
from csist_bench.methods.networks.unfolding.shrinkage import hard_threshold

SCALE = 100.0  # grey levels
RAMP = 0.5  # the ramp's share of the threshold


class LIHTSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of LIHT."""

    layers: int = 16
    theta: float = 40.0  # start value of the thresholds, grey levels
    start: PairStart = "least-squares"


class LIHT(nn.Module):
    """LISTA's layers with the hard threshold."""

    Settings = LIHTSettings
    removed_settings: ClassVar[dict[str, Any]] = {"ramp": 0.5}
    resizable = False
    stacked_layers = True

    def __init__(self, sampling: Sampling, settings: LIHTSettings) -> None:
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
            x = hard_threshold(functional.linear(x, w) + functional.linear(y, b), theta, RAMP)
        side = self.sampling.grid_size
        return SCALE * x.reshape(*frames.shape[:2], side, side)
