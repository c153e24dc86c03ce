"""ISTA-Net+: ISTA-Net whose transform works on the features of a residual.

Zhang and Ghanem, CVPR 2018 (https://arxiv.org/abs/1706.07929), eqs. 13 to 17. One phase, without bias:

    r = x - rho Phi^T (Phi x - y),   x' = r + G(H~(soft(H(D(r)), theta))),

D: conv 1-32, H and H~: conv-ReLU-conv, G: conv 32-1; started at x = Q y. Loss: mean squared error + 0.01 times the mean
squared symmetry residual H~(H(D(r))) - D(r).

Differs from the paper:

- 9 phases have 336,978 parameters; the benchmark's table prints 0.38 M.
- Phi is applied as two small products, and grids are scaled by 1/100 inside.
- The step starts at 0.1, below 1/L of this Phi (L = 8.6), and G small, so that an untrained stack is gradient descent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.phases import (
    STEP,
    THRESHOLD,
    FeatureShrinkage,
    PhaseNetwork,
    PhaseSettings,
    gradient_step,
)


class ISTANetPlus(PhaseNetwork):
    """ISTA-Net+; `phases` iterations of `features` channels, 37,442 parameters each."""

    Settings = PhaseSettings

    def __init__(self, sampling: Sampling, settings: PhaseSettings) -> None:
        super().__init__(sampling)
        self.phases = nn.ModuleList(ResidualPhase(settings.features) for _ in range(settings.phases))
        self.symmetry_weight = settings.symmetry_weight


class ResidualPhase(FeatureShrinkage):
    """One phase; see the module's docstring."""

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.step = nn.Parameter(torch.tensor(STEP))
        self.threshold = nn.Parameter(torch.tensor(THRESHOLD))

    def forward(self, x: Tensor, y: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next estimate, D(r) and H(D(r)); see `PhaseNetwork`."""
        r = gradient_step(x, y, sampling, self.step)
        correction, features, code = self.shrink(r, self.threshold)
        return r + correction, features, code
