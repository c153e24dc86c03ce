"""ISTA-Net++: twenty phases with residual blocks, whose steps a small network finds from the sampling ratio.

You, Xie and Zhang, "ISTA-Net++: Flexible Deep Unfolding Network for Compressive Sensing", ICME 2021
(https://arxiv.org/abs/2103.11554), eqs. 5 to 8. One phase:

    r = x - rho Phi^T (Phi x - y),   x' = r + tail(blocks(head([r, sigma]))),

head: conv 2-32, two residual blocks, tail: conv 32-1; sigma is a constant map; (rho, sigma) of all phases come from the
sampling ratio through 1-32-32-40 units with softplus; started at x = Phi^T y.

Differs from the paper:

- One sampling ratio, 1 / c^2, so the condition network answers the same for every frame. It starts with steps near
  1 / L of this Phi; with the layers' usual start the gradient descent diverges.
- Phi acts on the whole grid, so there is no block to cross. Grids are scaled by 1/100 inside.
"""

from __future__ import annotations

import math

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.images import ImageNetwork, channels_last
from csist_bench.methods.networks.common.residual import ResidualBlock
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.phases import SIDE_CHANNELS, STEP, convolution, gradient_step, scale_weights
from csist_bench.methods.networks.unfolding.shrinkage import SCALE


class ISTANetPlusPlus(ImageNetwork):
    """ISTA-Net++; `phases` iterations of `features` channels, 37,889 parameters each."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of ISTANetPlusPlus."""

        phases: int = 20
        features: int = 32
        blocks: int = 2

    scale = SCALE

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        phases, features = settings.phases, settings.features
        self.condition = Condition(phases, features)
        self.priors = nn.ModuleList(Prior(features, settings.blocks) for _ in range(phases))

    def _unmix(self, images: Tensor) -> Tensor:
        x = self.sampling.adjoint(images)  # (B, 1, cS, cS)
        for prior, (step, level) in zip(self.priors, self.condition(1 / self.sampling.c**2)):
            r = gradient_step(x, images, self.sampling, step)
            x = r + prior(r, level)
        return x


class Condition(nn.Module):
    """Maps the sampling ratio to the step rho and the noise level sigma of every phase."""

    def __init__(self, phases: int, features: int) -> None:
        super().__init__()
        self.enter = nn.Linear(1, features)
        self.middle = nn.Linear(features, features)
        self.leave = nn.Linear(features, 2 * phases)
        with torch.no_grad():
            self.leave.weight *= SIDE_CHANNELS
            self.leave.bias.fill_(math.log(math.expm1(STEP)))  # softplus of it is STEP

    def forward(self, ratio: float) -> Tensor:
        """Return rho and sigma, shape (phases, 2)."""
        hidden = functional.softplus(self.enter(self.enter.weight.new_full((1,), ratio)))
        hidden = functional.softplus(self.middle(hidden))
        return functional.softplus(self.leave(hidden)).unflatten(0, (-1, 2))


class Prior(nn.Module):
    """Head, residual blocks and tail of one phase; the tail starts small."""

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        self.head = convolution(2, features, bias=True)
        self.blocks = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)))
        self.tail = convolution(features, 1, bias=True)
        scale_weights(SIDE_CHANNELS, self.tail)

    def forward(self, r: Tensor, level: Tensor) -> Tensor:
        """Return the correction of r (B, 1, h, w) at noise level `level`."""
        r = channels_last(r)
        correction: Tensor = self.tail(self.blocks(self.head(torch.cat((r, level.expand_as(r)), dim=1))))
        return correction
