"""From the pixel grid to the label grid, c nodes per pixel along each axis, and back."""

from __future__ import annotations

import math

from torch import nn

from csist_bench.methods.networks.common.residual import conv

PRELU_SLOPE = 0.25


def pixel_shuffle_up(in_channels: int, out_channels: int, c: int) -> nn.Sequential:
    """Return a 3x3 convolution to c^2 images, interleaved into one c times as large (ESPCN, CVPR 2016, equation 4)."""
    return nn.Sequential(conv(in_channels, out_channels * c**2), nn.PixelShuffle(c))


def projection_up(features: int, c: int, gain: float = 1.0) -> nn.Sequential:
    """Return a learned upsampling by c: transposed convolution, kernel c + 4, stride c, PReLU (DBPN, CVPR 2018)."""
    layer = nn.ConvTranspose2d(features, features, c + 4, stride=c, padding=2)
    # Each output pixel sees the kernel's area divided by the stride's.
    return nn.Sequential(_he(layer, features * (c + 4) ** 2 / c**2, gain), nn.PReLU())


def projection_down(features: int, c: int, gain: float = 1.0) -> nn.Sequential:
    """Return a learned downsampling by c: convolution, kernel c + 4, stride c, PReLU (DBPN, CVPR 2018)."""
    layer = nn.Conv2d(features, features, c + 4, stride=c, padding=2)
    return nn.Sequential(_he(layer, features * (c + 4) ** 2, gain), nn.PReLU())


def _he(layer: nn.Conv2d | nn.ConvTranspose2d, fan_in: float, gain: float) -> nn.Module:
    """Draw weights that scale the signal's standard deviation by `gain` through the layer and its PReLU."""
    nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / ((1 + PRELU_SLOPE**2) * fan_in)))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
