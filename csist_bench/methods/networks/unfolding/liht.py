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

from torch import Tensor

from csist_bench.methods.networks.unfolding.shrinkage import hard_threshold
from csist_bench.methods.networks.unfolding.stacked_layers import PairNetwork, PairSettings

RAMP = 0.5  # the ramp's share of the threshold


class LIHTSettings(PairSettings, frozen=True, kw_only=True):
    """Settings of LIHT."""

    theta: float = 40.0


class LIHT(PairNetwork):
    """LISTA's layers with the hard threshold."""

    Settings = LIHTSettings
    removed_settings: ClassVar[dict[str, Any]] = {"ramp": 0.5}

    def _shrink(self, x: Tensor, theta: Tensor) -> Tensor:
        return hard_threshold(x, theta, RAMP)
