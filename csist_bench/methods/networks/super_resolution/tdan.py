"""TDAN: Tian et al., "TDAN: Temporally-Deformable Alignment Network for Video Super-Resolution", CVPR 2020,
arXiv:1812.02898.

Each of the four frames around a centre is aligned to it on the level of features, then the five images are unmixed
together (sections 3.2 and 3.3). With F features of frames, i a neighbour of the centre j and DC a deformable
convolution:

    g = DC(DC(W [F_j, F_i])),   A_i = DC(DC(F_i; offsets from g)),   y_i' = W_y A_i,
    x_j = R [y'_(j-2), y'_(j-1), y_j, y'_(j+1), y'_(j+2)].

Loss: MSE of x_j plus 0.01 times the MSE of the aligned y_i' against y_j.

Differs from the paper:
- 32 features, 5 residual blocks before the alignment and 10 after it, pixel shuffle by c;
- the centre itself is passed on as it is, so its share of the alignment loss is zero;
- at the ends of a trajectory the first and the last frame are repeated, so every frame is answered;
- `centre = "frame10"` repeats a slip of the published runs: the middle frame of the trajectory stands in for the image
  y_j of every window.

W [F_j, F_i] is W_1 F_j + W_2 F_i, so both terms are computed once a frame instead of once a pair.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.deform_conv import DeformConv2dPack, Geometry
from csist_bench.methods.networks.common.images import GREY_SCALE, grids_from_images, images_from_frames
from csist_bench.methods.networks.common.residual import ResidualBlock, conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.upsampling import pixel_shuffle_up
from csist_bench.recipes import Count

NEIGHBOURS = (-2, -1, 1, 2)
ALIGNMENT_WEIGHT = 0.01


class TDAN(nn.Module):
    """Deformable alignment of five-frame windows, all windows of a trajectory in one batch."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of TDAN."""

        features: Count = 32
        blocks_before: Count = 5
        blocks_after: Count = 10
        deform_groups: Count = 8
        centre: Literal["own", "frame10"] = "own"

    resizable = True

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__()
        features, deform_groups = settings.features, settings.deform_groups
        self.sampling = sampling
        self.centre = settings.centre
        self.extract = nn.Sequential(
            conv(1, features), nn.ReLU(), *(ResidualBlock(features) for _ in range(settings.blocks_before))
        )
        self.pair = conv(2 * features, features)
        self.guide = nn.Sequential(*(_deformable(features, deform_groups) for _ in range(2)))
        self.align_by_guide = _deformable(features, deform_groups)
        self.align = _deformable(features, deform_groups)
        self.to_frame = conv(features, 1)
        self.reconstruct = nn.Sequential(
            conv(len(NEIGHBOURS) + 1, features),
            nn.ReLU(),
            *(ResidualBlock(features) for _ in range(settings.blocks_after)),
            pixel_shuffle_up(features, features, sampling.c),
            conv(features, 1, bias=False),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (B, T, S, S) to label grids (B, T, cS, cS), grey levels both."""
        return self._unmix(frames, torch.arange(frames.shape[1], device=frames.device))[0]

    def loss(self, frames: Tensor, labels: Tensor, scored: slice | Tensor) -> dict[str, Tensor]:
        """Return the error of the scored frames, and of their neighbours aligned to them."""
        centres = torch.arange(frames.shape[1], device=frames.device)[scored]
        grids, aligned = self._unmix(frames, centres)
        unmixing = (grids - labels[:, centres]).square().mean()
        alignment = (aligned * GREY_SCALE - frames[:, centres, None]).square().mean()
        return {"unmixing": unmixing, "alignment": alignment, "total": unmixing + ALIGNMENT_WEIGHT * alignment}

    def _unmix(self, frames: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
        """Return the grids (B, n, cS, cS) of n centres and their aligned neighbours (B, n, 4, S, S), scaled."""
        b, t = frames.shape[:2]
        images = images_from_frames(frames)  # (B * T, 1, S, S)
        aligned = self._aligned(self.extract(images).unflatten(0, (b, t)), centres)
        pasted = centres if self.centre == "own" else torch.full_like(centres, t // 2)
        middle = images.unflatten(0, (b, t))[:, pasted]  # (B, n, 1, S, S)
        half = len(NEIGHBOURS) // 2
        windows = torch.cat((aligned[:, :, :half], middle, aligned[:, :, half:]), dim=2)
        return grids_from_images(self.reconstruct(windows.flatten(0, 1)), windows), aligned

    def _aligned(self, features: Tensor, centres: Tensor) -> Tensor:
        """Return the neighbours of each centre aligned to it, (B, n, 4, S, S), from features (B, T, F, S, S)."""
        b, t, width = features.shape[:3]
        steps = torch.tensor(NEIGHBOURS, device=centres.device)
        neighbours = (centres[:, None] + steps).clamp(0, t - 1)  # (n, 4)
        weight, bias = self.pair.weight, self.pair.bias
        flat = features.flatten(0, 1)
        as_centre = functional.conv2d(flat, weight[:, :width], bias, padding=1).unflatten(0, (b, t))
        as_neighbour = functional.conv2d(flat, weight[:, width:], padding=1).unflatten(0, (b, t))
        pairs = as_centre[:, centres, None] + as_neighbour[:, neighbours]  # (B, n, 4, F, S, S)
        guide = self.guide(pairs.flatten(0, 2))
        moved = self.align(self.align_by_guide(features[:, neighbours].flatten(0, 2), guide))
        return self.to_frame(moved).reshape(b, *neighbours.shape, *features.shape[-2:])


def _deformable(features: int, deform_groups: int) -> DeformConv2dPack:
    return DeformConv2dPack(features, features, 3, Geometry(padding=(1, 1), deform_groups=deform_groups))
