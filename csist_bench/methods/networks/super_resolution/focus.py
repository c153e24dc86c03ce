"""FOCUS: two intensity-times-mask units, of the GrokCSO toolkit (Han et al., "DISTA-Net", ICCV 2025, arXiv:2505.19148).

One unit sees an image and answers how bright each node is and whether a target is there:

    h = relu(W_2 relu(W_1 x)),   u = PS(W_i h) sigmoid(PS(W_m h)).

The first unit goes from the frame to the label grid by pixel shuffle PS, the second corrects it on the grid:
x_1 = prelu(u_1(y)), x = x_1 + u_2(x_1).

Differs from the paper: the network has no paper of its own. Sizes are the toolkit's; its layers add up to 46,037
parameters, not the 0.06 M that is quoted for it.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from csist_bench.methods.networks.common.images import ImageNetwork
from csist_bench.methods.networks.common.residual import conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.upsampling import pixel_shuffle_up
from csist_bench.recipes import Count


class MaskedIntensity(nn.Module):
    """Intensity times the probability of a target, on a grid c times as fine as the input."""

    def __init__(self, features: int, mapped: int, c: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(conv(1, features, 5), nn.ReLU(), conv(features, mapped), nn.ReLU())
        self.intensity = pixel_shuffle_up(mapped, 1, c)
        self.mask = pixel_shuffle_up(mapped, 1, c)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 1, S, S) to (B, 1, cS, cS)."""
        shared = self.trunk(x)
        return self.intensity(shared) * torch.sigmoid(self.mask(shared))


class FOCUS(ImageNetwork):
    """One masked-intensity unit to the label grid and one that corrects it there."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of FOCUS."""

        features: Count = 64
        mapped: Count = 32

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        features, mapped = settings.features, settings.mapped
        self.unmix = nn.Sequential(MaskedIntensity(features, mapped, sampling.c), nn.PReLU())
        self.correct = MaskedIntensity(features, mapped, 1)

    def _unmix(self, images: Tensor) -> Tensor:
        x = self.unmix(images)  # (B * T, 1, cS, cS)
        return x + self.correct(x)
