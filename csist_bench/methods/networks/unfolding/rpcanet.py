"""RPCANet: unrolled robust principal component analysis, background and targets estimated in turn.

Wu, Zhang, Li, Huang, Peng and Wang, "RPCANet: Deep Unfolding RPCA Based Infrared Small Target Detection", WACV 2024
(https://arxiv.org/abs/2311.00917), eqs. 8 to 12. One stage, with D the image, B the background, T the targets:

    B = (D - T) + prox(D - T),   T = u - epsilon f(u) with u = T + D - B,   D = merge(B + T),

prox, f and merge: convolutions of 32 channels with 3, 6 and 3 inner layers. Started at D = Q y, T = 0.
Loss: 0.9 times the mean squared error of T + 0.09 times that of the reconstruction D against Q y.

Differs from the paper:

- The input is Q y on the label grid, and T is a grid of intensities, not a mask; the losses are the benchmark's.
- The last convolution of each chain starts small: u holds T twice, so random chains would double at every stage.
- epsilon starts at 1, not 0.01, with which f moves the targets too little to be learned: after 150 steps of 64 windows
  the squared error was 346 grey levels^2 (in bfloat16); at 0.01 it was 645 (in float32), and 655 after 350 steps (in
  bfloat16), where no target at all costs 736.
- Grids are scaled by 1/100 inside.

Differs from the benchmark's code, which has no ReLU in the background step and never feeds D back to the next stage.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.images import (
    ImageNetwork,
    channels_last,
    grids_from_images,
    images_from_frames,
)
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.phases import SIDE_CHANNELS, scale_weights
from csist_bench.methods.networks.unfolding.shrinkage import SCALE

SPARSE_STEP = 1.0
TARGET_WEIGHT, RECONSTRUCTION_WEIGHT = 0.9, 0.09


class RPCANet(ImageNetwork):
    """RPCANet; `stages` stages of 113,316 parameters at 32 features."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of RPCANet."""

        stages: int = 6
        features: int = 32

    removed_settings: ClassVar[dict[str, Any]] = {"target_weight": 0.9, "reconstruction_weight": 0.09}
    scale = SCALE

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        self.stages = nn.ModuleList(Stage(settings.features) for _ in range(settings.stages))

    def loss(self, frames: Tensor, labels: Tensor, scored: slice | Tensor) -> dict[str, Tensor]:
        """Return the losses on the scored frames; labels (B, T, cS, cS), grey levels."""
        labels = labels[:, scored]
        images = self._unfold(images_from_frames(frames[:, scored], SCALE))
        targets, image, start = (grids_from_images(each, labels, SCALE) for each in images)
        mse = functional.mse_loss(targets, labels)
        reconstruction = functional.mse_loss(image, start)
        total = TARGET_WEIGHT * mse + RECONSTRUCTION_WEIGHT * reconstruction
        return {"total": total, "mse": mse, "reconstruction": reconstruction}

    def _unmix(self, images: Tensor) -> Tensor:
        return self._unfold(images)[0]

    def _unfold(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return targets, reconstructed image and first guess, each (B, 1, cS, cS), of images y (B, 1, S, S)."""
        start = channels_last(self.sampling.initial(y))
        image, targets = start, torch.zeros_like(start)
        for stage in self.stages:
            image, targets = stage(image, targets)
        return targets, image, start


class Stage(nn.Module):
    """One round of background, target and image updates."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.background = chain(features, 3, normalise=True)
        self.sparse = chain(features, 6, normalise=False)
        self.merge = chain(features, 3, normalise=True)
        self.step = nn.Parameter(torch.tensor(SPARSE_STEP))  # epsilon

    def forward(self, image: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Map image and targets (B, 1, h, w) to the next ones."""
        rest = image - targets
        background = rest + functional.relu(self.background(rest))
        moved = targets + image - background
        targets = moved - self.step * self.sparse(moved)
        return self.merge(background + targets), targets


def chain(features: int, layers: int, normalise: bool) -> nn.Sequential:
    """Return conv 1-F, `layers` times conv F-F, conv F-1, ReLU (and batch normalisation) after all but the last."""
    modules: list[nn.Module] = []
    for inputs in (1, *(features,) * layers):
        modules.append(nn.Conv2d(inputs, features, 3, padding=1))
        if normalise:
            modules.append(nn.BatchNorm2d(features))
        modules.append(nn.ReLU())
    last = nn.Conv2d(features, 1, 3, padding=1)
    scale_weights(SIDE_CHANNELS, last)
    return nn.Sequential(*modules, last)
