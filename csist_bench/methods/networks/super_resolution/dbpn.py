"""DBPN: Haris et al., "Deep Back-Projection Networks for Super-Resolution", CVPR 2018, arXiv:1803.02735.

Alternating projection units. One up-projection of pixel features L to node features H (section 3.2), with learned
resampling U, D and PReLU throughout:

    H_0 = U_0 L,   e = D_1 H_0 - L,   H = H_0 + U_1 e,

and the down-projection the other way round: L_0 = D_0 H, e = U_1 L_0 - H, L = L_0 + D_1 e.

Differs from the paper:
- a chain: each unit sees the one before it alone and the last one is reconstructed, by a 1x1 convolution, as in the
  benchmark's network (the paper concatenates all H, by a 3x3 convolution, and its dense variant all inputs);
- kernel c + 4 (7 for c = 3) at stride c; the paper gives 6, 8 and 12 for 2, 4 and 8.
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn

from csist_bench.methods.networks.common.images import grids_from_images, images_from_frames
from csist_bench.methods.networks.common.residual import conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.upsampling import projection_down, projection_up
from csist_bench.recipes import Count

# A correction as strong as what it corrects would treble the variance in every unit of the chain.
CORRECTION_GAIN = 0.1


class UpProjection(nn.Module):
    """Pixel features (B, C, S, S) to node features (B, C, cS, cS), corrected by their back-projection."""

    def __init__(self, features: int, c: int) -> None:
        super().__init__()
        self.first = projection_up(features, c)
        self.back = projection_down(features, c)
        self.correct = projection_up(features, c, CORRECTION_GAIN)

    def forward(self, low: Tensor) -> Tensor:
        """Map (B, C, S, S) to (B, C, cS, cS)."""
        high = self.first(low)
        return high + self.correct(self.back(high) - low)


class DownProjection(nn.Module):
    """Node features (B, C, cS, cS) to pixel features (B, C, S, S), corrected by their back-projection."""

    def __init__(self, features: int, c: int) -> None:
        super().__init__()
        self.first = projection_down(features, c)
        self.back = projection_up(features, c)
        self.correct = projection_down(features, c, CORRECTION_GAIN)

    def forward(self, high: Tensor) -> Tensor:
        """Map (B, C, cS, cS) to (B, C, S, S)."""
        low = self.first(high)
        return low + self.correct(self.back(low) - high)


class DBPNSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of DBPN."""

    wide: Count = 128
    features: Count = 32
    stages: Count = 7


class DBPN(nn.Module):
    """Chain of `stages` up-projections with a down-projection between each two."""

    Settings = DBPNSettings
    resizable = True

    def __init__(self, sampling: Sampling, settings: DBPNSettings) -> None:
        super().__init__()
        wide, features = settings.wide, settings.features
        self.sampling = sampling
        self.head = nn.Sequential(conv(1, wide), nn.PReLU(), conv(wide, features, 1), nn.PReLU())
        units: list[nn.Module] = [UpProjection(features, sampling.c)]
        for _ in range(settings.stages - 1):
            units += [DownProjection(features, sampling.c), UpProjection(features, sampling.c)]
        self.units = nn.Sequential(*units)
        self.reconstruct = conv(features, 1, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (B, T, S, S) to label grids (B, T, cS, cS), grey levels both."""
        x = self.units(self.head(images_from_frames(frames)))  # (B * T, features, cS, cS)
        return grids_from_images(self.reconstruct(x), frames)
