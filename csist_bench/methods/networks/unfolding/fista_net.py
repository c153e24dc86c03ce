"""FISTA-Net: unrolled FISTA whose phases share one learned proximal map and whose scalars follow two-parameter laws.

Xiang, Dong and Yang, "FISTA-Net: Learning a Fast Iterative Shrinkage Thresholding Network for Inverse Problems in
Imaging", IEEE TMI 2021 (https://doi.org/10.1109/TMI.2021.3054167), eqs. 9 to 14. Phase k = 0, 1, ...:

    r = z - mu_k Phi^T (Phi z - y),   x_k = relu(r + G(B(soft(F(D(r)), theta_k)))),   z = x_k + rho_k (x_k - x_(k-1)),

mu_k = sp(a_mu k + c_mu), theta_k = sp(a_theta k + c_theta), rho_k = 1 - sp(c_rho) / sp(a_rho k + c_rho), sp = softplus.
Loss: mean squared error + 0.1 mean |x - label| + 0.01 symmetry (mean squared B(F(D r)) - D r) + 0.001 sparsity
(mean |F(D r)|).

Differs from the paper:

- 37,607 parameters. The published implementation holds 74,599, half of them in convolutions that nothing reads.
- Scalars start for this Phi: mu = 0.1 and decaying (L = 8.6), the momentum as published. G starts small.
- Grids are scaled by 1/100 inside.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.images import channels_last
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.phases import (
    SIDE_CHANNELS,
    STEP,
    THRESHOLD,
    convolution,
    gradient_step,
    unmixing_loss,
)
from csist_bench.methods.networks.unfolding.shrinkage import soft_threshold

SCALE = 100.0  # grey levels
STEP_DECAY, THRESHOLD_DECAY = -0.2, -0.5  # per phase, inside the softplus
ABSOLUTE_WEIGHT, SPARSITY_WEIGHT = 0.1, 0.001
MOMENTUM_RISE, MOMENTUM_START = 0.5, 0.0


class FISTANetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of FISTANet."""

    phases: int = 7
    features: int = 32
    symmetry_weight: float = 0.01


class FISTANet(nn.Module):
    """FISTA-Net; `phases` iterations of one shared block of `features` channels."""

    Settings = FISTANetSettings
    removed_settings: ClassVar[dict[str, Any]] = {"absolute_weight": 0.1, "sparsity_weight": 0.001}
    resizable = True

    def __init__(self, sampling: Sampling, settings: FISTANetSettings) -> None:
        super().__init__()
        self.sampling, self.phases = sampling, settings.phases
        self.symmetry_weight = settings.symmetry_weight
        self.proximal = Proximal(settings.features)
        # Slope and intercept of each scalar's law.
        self.step = nn.Parameter(torch.tensor((STEP_DECAY, math.log(math.expm1(STEP)))))
        self.threshold = nn.Parameter(torch.tensor((THRESHOLD_DECAY, math.log(math.expm1(THRESHOLD)))))
        self.momentum = nn.Parameter(torch.tensor((MOMENTUM_RISE, MOMENTUM_START)))

    def forward(self, frames: Tensor) -> Tensor:
        """Unmix frames (B, T, S, S) into label grids (B, T, cS, cS), grey levels."""
        return self._unfold(frames, None)

    def loss(self, frames: Tensor, labels: Tensor, scored: slice | Tensor) -> dict[str, Tensor]:
        """Return the losses on the scored frames; labels (B, T, cS, cS), grey levels."""
        terms: list[tuple[Tensor, Tensor]] = []
        grids, labels = self._unfold(frames[:, scored], terms), labels[:, scored]
        symmetry, sparsity = (torch.stack(values).mean() for values in zip(*terms))
        return unmixing_loss(
            grids,
            labels,
            absolute=(ABSOLUTE_WEIGHT, functional.l1_loss(grids, labels)),
            symmetry=(self.symmetry_weight, SCALE**2 * symmetry),
            sparsity=(SPARSITY_WEIGHT, SCALE * sparsity),
        )

    def _unfold(self, frames: Tensor, terms: list[tuple[Tensor, Tensor]] | None) -> Tensor:
        y = frames.flatten(0, 1).unsqueeze(1) / SCALE  # (B T, 1, S, S)
        x = z = self.sampling.initial(y)  # (B T, 1, cS, cS)
        for k in range(self.phases):
            r = gradient_step(z, y, self.sampling, functional.softplus(self.step[0] * k + self.step[1]))
            threshold = functional.softplus(self.threshold[0] * k + self.threshold[1])
            correction, features, code = self.proximal(r, threshold)
            before, x = x, functional.relu(r + correction)
            start = functional.softplus(self.momentum[1])
            z = x + (1 - start / functional.softplus(self.momentum[0] * k + self.momentum[1])) * (x - before)
            if terms is not None:
                terms.append((self._symmetry(code, features), code.abs().mean()))
        return SCALE * x.squeeze(1).unflatten(0, frames.shape[:2])

    def _symmetry(self, code: Tensor, features: Tensor) -> Tensor:
        if not self.symmetry_weight:
            return code.new_zeros(())
        return (self.proximal.invert(code) - features).square().mean()


class Proximal(nn.Module):
    """The shared map: D: conv, F and B: conv-ReLU-conv, G: conv, all with bias."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.extract = convolution(1, features, bias=True)
        self.forward_in = convolution(features, features, bias=True)
        self.forward_out = convolution(features, features, bias=True)
        self.backward_in = convolution(features, features, bias=True)
        self.backward_out = convolution(features, features, bias=True)
        self.collect = convolution(features, 1, bias=True)
        with torch.no_grad():
            self.collect.weight *= SIDE_CHANNELS

    def forward(self, r: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the correction G(B(soft(F(D r)))), the features D r and the code F(D r) of r (B, 1, h, w)."""
        features = self.extract(channels_last(r))
        code = self.forward_out(functional.relu(self.forward_in(features), inplace=True))
        return self.collect(self.invert(soft_threshold(code, threshold))), features, code

    def invert(self, code: Tensor) -> Tensor:
        """B: map codes (B, F, h, w) back to features (B, F, h, w)."""
        features: Tensor = self.backward_out(functional.relu(self.backward_in(code), inplace=True))
        return features
