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

from collections.abc import Callable

import msgspec
from torch import Tensor, nn

from csist_bench.methods.networks.common.images import ImageNetwork
from csist_bench.methods.networks.common.residual import conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.upsampling import projection_down, projection_up
from csist_bench.recipes import Count

# A correction as strong as what it corrects would treble the variance in every unit of the chain.
CORRECTION_GAIN = 0.1

Resampling = Callable[..., nn.Module]  # of (features, c, gain)


class Projection(nn.Module):
    """Pixel features (B, C, S, S) to node features (B, C, cS, cS) or the other way, corrected by back-projection."""

    def __init__(self, there: Resampling, back: Resampling, features: int, c: int) -> None:
        super().__init__()
        self.first = there(features, c)
        self.back = back(features, c)
        self.correct = there(features, c, CORRECTION_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        """Map features of one grid to features of the other."""
        answer = self.first(x)
        return answer + self.correct(self.back(answer) - x)


class DBPN(ImageNetwork):
    """Chain of `stages` up-projections with a down-projection between each two."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of DBPN."""

        wide: Count = 128
        features: Count = 32
        stages: Count = 7

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        wide, features = settings.wide, settings.features
        self.head = nn.Sequential(conv(1, wide), nn.PReLU(), conv(wide, features, 1), nn.PReLU())
        ways = [(projection_up, projection_down), (projection_down, projection_up)]
        self.units = nn.Sequential(
            *(Projection(*ways[unit % 2], features, sampling.c) for unit in range(2 * settings.stages - 1))
        )
        self.reconstruct = conv(features, 1, 1)

    def _unmix(self, images: Tensor) -> Tensor:
        return self.reconstruct(self.units(self.head(images)))
