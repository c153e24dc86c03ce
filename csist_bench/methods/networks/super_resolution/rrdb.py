"""The generator of ESRGAN and BSRGAN: residual-in-residual dense blocks (Wang et al., ESRGAN, ECCVW 2018, section 3.1).

One block holds three dense blocks D of five layers, x <- x + s D_3(D_2(D_1(x))), each D itself a residual scaled by
s = 0.2.
"""

from __future__ import annotations

from torch import Tensor, nn

from csist_bench.methods.networks.common.images import grids_from_images, images_from_frames
from csist_bench.methods.networks.common.residual import DenseBlock, LeakyReLU, conv, shrink_initialisation
from csist_bench.methods.networks.common.sampling import Sampling

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


class RRDBGenerator(nn.Module):
    """Trunk of residual-in-residual blocks on the pixel grid, nearest-neighbour enlargement, two convolutions."""

    def __init__(self, sampling: Sampling, features: int, growth: int, blocks: int) -> None:
        super().__init__()
        self.sampling = sampling
        self.head = conv(1, features)
        self.trunk = nn.Sequential(
            *(ResidualInResidual(features, growth) for _ in range(blocks)), conv(features, features)
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

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (B, T, S, S) to label grids (B, T, cS, cS), grey levels both."""
        x = self.head(images_from_frames(frames))  # (B * T, features, S, S)
        return grids_from_images(self.tail(x + self.trunk(x)), frames)
