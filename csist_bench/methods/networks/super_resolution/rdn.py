"""RDN: Zhang et al., "Residual Dense Network for Image Super-Resolution", CVPR 2018, arXiv:1802.08797.

D residual dense blocks in a row, each F_d = F_(d-1) + W [F_(d-1), F_(d,1), ..., F_(d,C)] with
F_(d,i) = relu(W_i [F_(d-1), ..., F_(d,i-1)]) (equations 4 to 7); all D outputs are fused and added to the first
features (equation 8), then a pixel shuffle.

Differs from the paper:
- one channel in and out; MSE loss (the paper: L1);
- one pixel shuffle by c, also for c above 3 (the paper: two by 2 for c = 4).
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from csist_bench.methods.networks.common.images import ImageNetwork
from csist_bench.methods.networks.common.residual import DenseBlock, conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.upsampling import pixel_shuffle_up
from csist_bench.recipes import Count


class RDN(ImageNetwork):
    """Residual dense blocks on the pixel grid with global feature fusion."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of RDN."""

        features: Count = 64
        growth: Count = 64
        blocks: Count = 16
        layers: Count = 8

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        features, blocks = settings.features, settings.blocks
        self.head = conv(1, features)
        self.entry = conv(features, features)
        self.blocks = nn.ModuleList(DenseBlock(features, settings.growth, settings.layers) for _ in range(blocks))
        self.fusion = nn.Sequential(conv(blocks * features, features, 1), conv(features, features))
        self.tail = nn.Sequential(pixel_shuffle_up(features, features, sampling.c), conv(features, 1))

    def _unmix(self, images: Tensor) -> Tensor:
        shallow = self.head(images)  # (B * T, features, S, S)
        x = self.entry(shallow)
        hierarchy = []
        for block in self.blocks:
            x = block(x)
            hierarchy.append(x)
        fused = self.fusion(torch.cat(hierarchy, dim=1))  # (B * T, features, S, S)
        return self.tail(shallow + fused)
