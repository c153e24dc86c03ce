"""Layers of OffGrid-Net: residual blocks, and a reading of the pixels by convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from csist_bench.methods.networks.common.one_pass import linear_gelu
from csist_bench.methods.networks.common.residual import ResidualBlock


class PixelConvolutions(nn.Module):
    """Window (N, W, W) -> (N, width): two residual blocks of 3x3 convolutions, and a linear map of all their values."""

    def __init__(self, window: int, width: int, channels: int = 32) -> None:
        super().__init__()
        self.enter = nn.Conv2d(1, channels, 3, padding=1)
        self.blocks = nn.Sequential(ResidualBlock(channels), ResidualBlock(channels))
        self.leave = nn.Linear(channels * window**2, width)

    def forward(self, windows: Tensor) -> Tensor:
        """Map windows to features."""
        features: Tensor = self.leave(self.blocks(self.enter(windows.unsqueeze(1))).flatten(1))
        return features


class ResidualMlp(nn.Module):
    """h + W_2 gelu(W_1 LN(h))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        """Map (..., width) to the same shape."""
        added: Tensor = self.out(linear_gelu(self.into, self.norm(h)))
        return h + added


def started_at(layer: nn.Linear, value: float) -> nn.Linear:
    """Return a linear layer that answers `value` whatever its input, until it is trained."""
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, value)
    return layer
