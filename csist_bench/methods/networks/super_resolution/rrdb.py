"""The generator of ESRGAN and BSRGAN: residual-in-residual dense blocks (Wang et al., ESRGAN, ECCVW 2018, section 3.1).

One block holds three dense blocks D of five layers, x <- x + s D_3(D_2(D_1(x))), each D itself a residual scaled by
s = 0.2.
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn

from csist_bench.methods.networks.common.residual import DenseBlock, LeakyReLU, conv, shrink_initialisation
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.critics import Generator
from csist_bench.recipes import Count

RESIDUAL_SCALE = 0.2
DENSE_LAYERS = 4  # and the fusing convolution as the fifth


class ResidualInResidual(nn.Module):
    """x + s D_3(D_2(D_1(x))), each D a dense block."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(
            *(DenseBlock(features, growth, DENSE_LAYERS, LeakyReLU, fusion=3, scale=RESIDUAL_SCALE) for _ in range(3))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, H, W) to the same shape."""
        return x + RESIDUAL_SCALE * self.dense(x)


class RRDBSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of both networks."""

    features: Count = 64
    growth: Count = 32
    blocks: Count = 23
    critic_features: Count = 64


class RRDBGenerator(Generator):
    """Trunk of residual-in-residual blocks on the pixel grid, nearest-neighbour enlargement, two convolutions."""

    def __init__(self, sampling: Sampling, settings: RRDBSettings) -> None:
        super().__init__(sampling, settings.critic_features)
        features = settings.features
        self.head = conv(1, features)
        self.trunk = nn.Sequential(
            *(ResidualInResidual(features, settings.growth) for _ in range(settings.blocks)), conv(features, features)
        )
        self.tail = nn.Sequential(
            nn.Upsample(scale_factor=sampling.c, mode="nearest"),
            conv(features, features),
            LeakyReLU(),
            conv(features, features),
            LeakyReLU(),
            conv(features, 1),
        )
        shrink_initialisation(self.trunk)

    def _unmix(self, images: Tensor) -> Tensor:
        x = self.head(images)  # (B * T, features, S, S)
        return self.tail(x + self.trunk(x))
