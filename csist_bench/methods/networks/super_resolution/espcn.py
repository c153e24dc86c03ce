"""ESPCN: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
Neural Network", CVPR 2016, arXiv:1609.05158.

Everything is computed on the pixel grid; the last layer holds one channel per node of a pixel:
x = PS(W_3 * relu(W_2 * relu(W_1 * y))) (equations 1 to 4).

Differs from the paper:
- ReLU instead of tanh;
- the input is the frame alone (the paper: the luminance of an image).
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn

from csist_bench.methods.networks.common.images import ImageNetwork
from csist_bench.methods.networks.common.residual import conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.upsampling import pixel_shuffle_up
from csist_bench.recipes import Count


class ESPCN(ImageNetwork):
    """Three convolutions on the pixel grid and a pixel shuffle."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of ESPCN."""

        features: Count = 64
        mapped: Count = 32

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        features, mapped = settings.features, settings.mapped
        self.layers = nn.Sequential(
            conv(1, features, 5), nn.ReLU(), conv(features, mapped), nn.ReLU(), pixel_shuffle_up(mapped, 1, sampling.c)
        )

    def _unmix(self, images: Tensor) -> Tensor:
        return self.layers(images)
