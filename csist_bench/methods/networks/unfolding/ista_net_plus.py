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
    mean_symmetry,
    unmixing_loss,
)
from csist_bench.methods.networks.unfolding.shrinkage import soft_threshold

SCALE = 100.0  # grey levels


class ISTANetPlusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of ISTANetPlus."""

    phases: int = 9
    features: int = 32
    symmetry_weight: float = 0.01


class ISTANetPlus(nn.Module):
    """ISTA-Net+; `phases` iterations of `features` channels, 37,442 parameters each."""

    Settings = ISTANetPlusSettings
    resizable = True

    def __init__(self, sampling: Sampling, settings: ISTANetPlusSettings) -> None:
        super().__init__()
        self.sampling = sampling
        self.phases = nn.ModuleList(ResidualPhase(settings.features) for _ in range(settings.phases))
        self.symmetry_weight = settings.symmetry_weight

    def forward(self, frames: Tensor) -> Tensor:
        """Unmix frames (B, T, S, S) into label grids (B, T, cS, cS), grey levels."""
        return self._unfold(frames, None)

    def loss(self, frames: Tensor, labels: Tensor, scored: slice | Tensor) -> dict[str, Tensor]:
        """Return the losses on the scored frames; labels (B, T, cS, cS), grey levels."""
        residuals: list[Tensor] | None = [] if self.symmetry_weight else None
        grids = self._unfold(frames[:, scored], residuals)
        symmetry = SCALE**2 * mean_symmetry(residuals, grids)
        return unmixing_loss(grids, labels[:, scored], symmetry=(self.symmetry_weight, symmetry))

    def _unfold(self, frames: Tensor, residuals: list[Tensor] | None) -> Tensor:
        y = frames.flatten(0, 1).unsqueeze(1) / SCALE  # (B T, 1, S, S)
        x = self.sampling.initial(y)  # (B T, 1, cS, cS)
        for phase in self.phases:
            x, features, code = phase(x, y, self.sampling)
            if residuals is not None:
                residuals.append(phase.symmetry(code, features))  # type: ignore[operator]
        return SCALE * x.squeeze(1).unflatten(0, frames.shape[:2])


class ResidualPhase(nn.Module):
    """One phase; see the module's docstring."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor(STEP))
        self.threshold = nn.Parameter(torch.tensor(THRESHOLD))
        self.extract = convolution(1, features)
        self.forward_in = convolution(features, features)
        self.forward_out = convolution(features, features)
        self.backward_in = convolution(features, features)
        self.backward_out = convolution(features, features)
        self.collect = convolution(features, 1)
        with torch.no_grad():
            self.collect.weight *= SIDE_CHANNELS

    def forward(self, x: Tensor, y: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor, Tensor]:
        """Map the estimate x (B, 1, h, w) and frames y (B, 1, H, W) to the next estimate, D(r) and H(D(r))."""
        r = gradient_step(x, y, sampling, self.step)
        features = self.extract(channels_last(r))
        code = self.forward_out(functional.relu(self.forward_in(features), inplace=True))
        return r + self.collect(self.invert(soft_threshold(code, self.threshold))), features, code

    def invert(self, code: Tensor) -> Tensor:
        """H~: map codes (B, F, h, w) back to features (B, F, h, w)."""
        features: Tensor = self.backward_out(functional.relu(self.backward_in(code), inplace=True))
        return features

    def symmetry(self, code: Tensor, features: Tensor) -> Tensor:
        """Return the mean squared symmetry residual H~(H(D(r))) - D(r)."""
        return (self.invert(code) - features).square().mean()
