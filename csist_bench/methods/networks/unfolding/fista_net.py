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

from csist_bench.methods.networks.common.images import ImageNetwork, grids_from_images, images_from_frames
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.phases import (
    STEP,
    THRESHOLD,
    FeatureShrinkage,
    gradient_step,
    unmixing_loss,
)
from csist_bench.methods.networks.unfolding.shrinkage import SCALE

STEP_DECAY, THRESHOLD_DECAY = -0.2, -0.5  # per phase, inside the softplus
ABSOLUTE_WEIGHT, SPARSITY_WEIGHT = 0.1, 0.001
MOMENTUM_RISE, MOMENTUM_START = 0.5, 0.0


class FISTANet(ImageNetwork):
    """FISTA-Net; `phases` iterations of one shared block of `features` channels."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of FISTANet."""

        phases: int = 7
        features: int = 32
        symmetry_weight: float = 0.01

    removed_settings: ClassVar[dict[str, Any]] = {"absolute_weight": 0.1, "sparsity_weight": 0.001}
    scale = SCALE

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        self.phases, self.symmetry_weight = settings.phases, settings.symmetry_weight
        self.proximal = FeatureShrinkage(settings.features, bias=True)  # D, F, B and G with bias
        # Slope and intercept of each scalar's law.
        self.step = nn.Parameter(torch.tensor((STEP_DECAY, math.log(math.expm1(STEP)))))
        self.threshold = nn.Parameter(torch.tensor((THRESHOLD_DECAY, math.log(math.expm1(THRESHOLD)))))
        self.momentum = nn.Parameter(torch.tensor((MOMENTUM_RISE, MOMENTUM_START)))

    def loss(self, frames: Tensor, labels: Tensor, scored: slice | Tensor) -> dict[str, Tensor]:
        """Return the losses on the scored frames; labels (B, T, cS, cS), grey levels."""
        terms: list[tuple[Tensor, Tensor]] = []
        labels = labels[:, scored]
        images = self._unfold(images_from_frames(frames[:, scored], SCALE), terms)
        grids = grids_from_images(images, labels, SCALE)
        symmetry, sparsity = (torch.stack(values).mean() for values in zip(*terms))
        return unmixing_loss(
            grids,
            labels,
            absolute=(ABSOLUTE_WEIGHT, functional.l1_loss(grids, labels)),
            symmetry=(self.symmetry_weight, SCALE**2 * symmetry),
            sparsity=(SPARSITY_WEIGHT, SCALE * sparsity),
        )

    def _unmix(self, images: Tensor) -> Tensor:
        return self._unfold(images, None)

    def _unfold(self, y: Tensor, terms: list[tuple[Tensor, Tensor]] | None) -> Tensor:
        x = z = self.sampling.initial(y)  # (B, 1, cS, cS)
        for k in range(self.phases):
            r = gradient_step(z, y, self.sampling, functional.softplus(self.step[0] * k + self.step[1]))
            threshold = functional.softplus(self.threshold[0] * k + self.threshold[1])
            correction, features, code = self.proximal.shrink(r, threshold)
            before, x = x, functional.relu(r + correction)
            start = functional.softplus(self.momentum[1])
            z = x + (1 - start / functional.softplus(self.momentum[0] * k + self.momentum[1])) * (x - before)
            if terms is not None:
                terms.append((self._symmetry(code, features), code.abs().mean()))
        return x

    def _symmetry(self, code: Tensor, features: Tensor) -> Tensor:
        if not self.symmetry_weight:
            return code.new_zeros(())
        return (self.proximal.invert(code) - features).square().mean()
