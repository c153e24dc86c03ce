"""SRCNN: Dong et al., "Image Super-Resolution Using Deep Convolutional Networks", TPAMI 2016, arXiv:1501.00092.

Three convolutions on the label grid: F_1 = relu(W_1 * x0), F_2 = relu(W_2 * F_1), x = W_3 * F_2 (equations 1 to 3).

Differs from the paper:
- starts from the least-squares guess x0 = Q y instead of a bicubic interpolation;
- kernels 9, 5, 5 with 32 and 16 features, the benchmark's size (the paper's default is 9, 1, 5 with 64 and 32).
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from csist_bench.methods.networks.common.images import channels_last, grids_from_images, images_from_frames
from csist_bench.methods.networks.common.residual import conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.recipes import Count


class SRCNN(nn.Module):
    """Three-layer convolutional refinement of the linear estimate."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of SRCNN."""

        features: Count = 32
        mapped: Count = 16

    resizable = True

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__()
        features, mapped = settings.features, settings.mapped
        self.sampling = sampling
        self.extract = conv(1, features, 9)
        self.map = conv(features, mapped, 5)
        self.reconstruct = conv(mapped, 1, 5)

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (B, T, S, S) to label grids (B, T, cS, cS), grey levels both."""
        x = channels_last(images_from_frames(self.sampling.initial(frames)))  # (B * T, 1, cS, cS)
        x = torch.relu(self.map(torch.relu(self.extract(x))))
        return grids_from_images(self.reconstruct(x), frames)
