"""USRNet: exact data steps alternate with one learned denoiser (half-quadratic splitting).

Zhang, Van Gool and Timofte, "Deep Unfolding Network for Image Super-Resolution", CVPR 2020
(https://arxiv.org/abs/2003.10428), eqs. 6 to 11. One of eight iterations:

    z = argmin ||y - Phi z||^2 + alpha ||z - x||^2,   x = ResUNet([z, beta]),

with (alpha, beta) of all iterations from (noise level, scale factor) by a small network; started at the frame repeated
c x c times. The ResUNet (16-32-64-128 channels, two residual blocks a scale, no bias) is shared by the iterations.

Differs from the paper:

- The data step is solved for this Phi, not for a periodic 3 x 3 kernel by FFT: Phi Phi^T is separable, and its
  eigenvectors diagonalise the step exactly, borders included (`Sampling.proximal`).
- Head and tail start as the identity in one channel. Grids are scaled by 1/100 inside.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.images import ImageNetwork
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.shrinkage import SCALE

NOISE = 0.0  # input of the hyper-parameter network: the benchmark's frames have no noise
SMALLEST = 1e-6  # keeps alpha away from 0


class USRNet(ImageNetwork):
    """Exact data steps and one denoiser in turn."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of USRNet."""

        iterations: int = 8
        features: int = 16
        blocks: int = 2
        hidden: int = 64

    removed_settings: ClassVar[dict[str, Any]] = {"noise_sigma": 0.0}
    scale = SCALE

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        hidden = settings.hidden
        self.hyper = nn.Sequential(
            nn.Linear(2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * settings.iterations),
            nn.Softplus(),
        )
        self.prior = ResUNet(settings.features, settings.blocks)

    def _unmix(self, images: Tensor) -> Tensor:
        told = images.new_tensor((NOISE, float(self.sampling.c)))
        x = functional.interpolate(images, scale_factor=self.sampling.c, mode="nearest")  # (B, 1, cS, cS)
        for alpha, beta in self.hyper(told).unflatten(0, (-1, 2)) + SMALLEST:
            z = self.sampling.proximal(images, x, alpha)
            x = self.prior(torch.cat((z, beta.expand_as(z)), dim=1))
        return x


class ResUNet(nn.Module):
    """U-Net of residual blocks over four scales, with sums in place of concatenations."""

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        widths = [features * 2**level for level in range(4)]
        self.head = conv(2, widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(*residual_blocks(fine, blocks), nn.Conv2d(fine, coarse, 2, stride=2, bias=False))
            for fine, coarse in pairwise(widths)
        )
        self.body = nn.Sequential(*residual_blocks(widths[-1], blocks))
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False), *residual_blocks(fine, blocks))
            for fine, coarse in pairwise(widths)
        )
        self.tail = conv(widths[0], 1)
        self._start_as_identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map the grid and its noise level, (B, 2, h, w), to a grid (B, 1, h, w)."""
        height, width = x.shape[2:]
        # Three halvings need multiples of 8.
        x = functional.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate")
        x = self.head(x.contiguous(memory_format=torch.channels_last))
        skipped = []
        for level in self.down:
            skipped.append(x)
            x = level(x)
        x = self.body(x) + x
        for level, skip in zip(reversed(self.up), reversed(skipped)):
            x = level(x) + skip
        grid: Tensor = self.tail(x)
        return grid[..., :height, :width]

    def _start_as_identity(self) -> None:
        """Let channel 0 carry the grid from head to tail, so that untrained iterations settle on the data."""
        with torch.no_grad():
            self.head.weight[0] = 0
            self.head.weight[0, 0, 1, 1] = 1
            for level in self.up:
                level[0].weight *= 0.1  # type: ignore[index]
            self.tail.weight *= 0.1
            self.tail.weight[0, 0] = 0
            self.tail.weight[0, 0, 1, 1] = 1


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size, without bias."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))), no bias; the second convolution starts at a tenth of its usual scale."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first, self.second = conv(features, features), conv(features, features)
        with torch.no_grad():
            self.second.weight *= 0.1

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, h, w) to features of the same shape."""
        changed: Tensor = self.second(functional.relu(self.first(x), inplace=True))
        return x + changed


def residual_blocks(features: int, blocks: int) -> list[nn.Module]:
    """Return `blocks` residual blocks."""
    return [ResidualBlock(features) for _ in range(blocks)]
