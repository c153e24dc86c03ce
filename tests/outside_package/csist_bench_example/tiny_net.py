"""A network of two convolutions and a pixel shuffle."""

import msgspec
from torch import Tensor, nn

from csist_bench.methods.interface import About

SCALE = 100.0  # grey levels


class TinyNet(nn.Module):
    """Maps frames (B, T, size, size) to label grids (B, T, c * size, c * size), grey levels."""

    about = About(title="TinyNet", family="super-resolution")

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of TinyNet."""

        features: int = 16

    def __init__(self, sampling: nn.Module, settings: Settings) -> None:
        super().__init__()
        self.c = int(sampling.c)  # type: ignore[arg-type]
        self.body = nn.Sequential(
            nn.Conv2d(1, settings.features, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(settings.features, self.c**2, 3, padding=1),
            nn.PixelShuffle(self.c),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Return the label grids; without a `loss` of its own it learns by the squared error to them."""
        b, t, size, _ = frames.shape
        grids: Tensor = SCALE * self.body(frames.reshape(b * t, 1, size, size) / SCALE)
        return grids.reshape(b, t, self.c * size, self.c * size)
