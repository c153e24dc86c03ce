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

import msgspec
from torch import Tensor, nn

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.phases import ISTAPhase, mean_symmetry, unmixing_loss

SCALE = 100.0  # grey levels


class ISTANetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of ISTANet."""

    phases: int = 9
    features: int = 32
    symmetry_weight: float = 0.01


class ISTANet(nn.Module):
    """ISTA-Net; `phases` iterations of `features` channels, 19,010 parameters each."""

    Settings = ISTANetSettings
    resizable = True

    def __init__(self, sampling: Sampling, settings: ISTANetSettings) -> None:
        super().__init__()
        self.sampling = sampling
        self.phases = nn.ModuleList(ISTAPhase(settings.features) for _ in range(settings.phases))
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
            x, r, code = phase(x, y, self.sampling)
            if residuals is not None:
                residuals.append(phase.symmetry(code, r))  # type: ignore[operator]
        return SCALE * x.squeeze(1).unflatten(0, frames.shape[:2])
