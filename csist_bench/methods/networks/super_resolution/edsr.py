"""EDSR: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017, arXiv:1707.02921.

Residual blocks without batch normalisation, x <- x + W_2 relu(W_1 x), inside one long skip; then a pixel shuffle.

Differs from the paper:
- 32 features and 16 blocks, the benchmark's size (the paper's baseline has 64 and 16), so no residual scaling;
- one channel, no mean shift; MSE loss (the paper: L1).
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn

from csist_bench.methods.networks.common.images import ImageNetwork, channels_last
from csist_bench.methods.networks.common.residual import ResidualBlock, conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.upsampling import pixel_shuffle_up
from csist_bench.recipes import Count


class EDSR(ImageNetwork):
    """Residual trunk on the pixel grid, pixel shuffle to the label grid."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of EDSR."""

        features: Count = 32
        blocks: Count = 16

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        features = settings.features
        self.head = conv(1, features)
        self.trunk = nn.Sequential(*(ResidualBlock(features) for _ in range(settings.blocks)), conv(features, features))
        self.tail = nn.Sequential(pixel_shuffle_up(features, features, sampling.c), conv(features, 1))

    def _unmix(self, images: Tensor) -> Tensor:
        x = self.head(channels_last(images))  # (B * T, features, S, S)
        return self.tail(x + self.trunk(x))
