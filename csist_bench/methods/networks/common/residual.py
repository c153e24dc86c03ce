"""Convolution blocks shared by the super-resolution and temporal networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

LeakyReLU = partial(nn.LeakyReLU, negative_slope=0.2)


def conv(in_channels: int, out_channels: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    """Return a convolution that keeps the image's size."""
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=bias)


class ResidualBlock(nn.Module):
    """x + W2 relu(W1 x), without batch normalisation (EDSR, CVPRW 2017, figure 2)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = conv(features, features)
        self.conv2 = conv(features, features)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, H, W) to the same shape."""
        return x + self.conv2(torch.relu(self.conv1(x)))


class DenseBlock(nn.Module):
    """x + s W_f [x, F_1, ..., F_n], F_i = act(W_i [x, F_1, ..., F_(i-1)]) (RDN, CVPR 2018, equations 5 to 7).

    Parameters
    ----------
    features, growth, layers : int
        Channels in and out, channels that each layer adds, and how many layers.
    activation : callable
        Makes the activation after each layer.
    fusion : int
        Kernel of the fusing convolution W_f.
    scale : float
        The residual's factor s.
    """

    def __init__(
        self,
        features: int,
        growth: int,
        layers: int,
        activation: Callable[[], nn.Module] = nn.ReLU,
        fusion: int = 1,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(conv(features + i * growth, growth), activation()) for i in range(layers)
        )
        self.fusion = conv(features + layers * growth, features, fusion)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, H, W) to the same shape."""
        known = x
        for layer in self.layers:
            known = torch.cat((known, layer(known)), dim=1)
        return x + self.scale * self.fusion(known)


def shrink_initialisation(module: nn.Module, scale: float = 0.1) -> None:
    """Redraw every convolution's weights as `scale` times He's (fan in), with zero biases.

    Small residuals at the start keep deep residual trunks without normalisation stable (ESRGAN, ECCVW 2018, 3.1).
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
            with torch.no_grad():
                part.weight *= scale
            if part.bias is not None:
                nn.init.zeros_(part.bias)
