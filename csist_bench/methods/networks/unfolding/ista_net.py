"""ISTA-Net: nine unrolled ISTA iterations whose sparsifying transform is learned.

Zhang and Ghanem, "ISTA-Net: Interpretable Optimization-Inspired Deep Network for Image Compressive Sensing", CVPR 2018
(https://arxiv.org/abs/1706.07929). One phase (eqs. 7 to 11) is `phases.ISTAPhase`:

    r = x - rho Phi^T (Phi x - y),   x' = F~(soft(F(r), theta)),

started at x = Q y. Loss (eq. 12): mean squared error + 0.01 times the mean squared symmetry residual F~(F(r)) - r.

Differs from the paper:

- Phi is applied as two small products (it is separable), and grids are scaled by 1/100 inside.
- The step starts at 0.1, below 1/L of this Phi (L = 8.6), and F and F~ as the identity plus random channels, so that an
  untrained stack is gradient descent from Q y instead of noise.
"""

from __future__ import annotations

from torch import nn

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.phases import ISTAPhase, PhaseNetwork, PhaseSettings


class ISTANet(PhaseNetwork):
    """ISTA-Net; `phases` iterations of `features` channels, 19,010 parameters each."""

    Settings = PhaseSettings

    def __init__(self, sampling: Sampling, settings: PhaseSettings) -> None:
        super().__init__(sampling)
        self.phases = nn.ModuleList(ISTAPhase(settings.features) for _ in range(settings.phases))
        self.symmetry_weight = settings.symmetry_weight
