"""GMFN: Li et al., "Gated Multiple Feedback Network for Image Super-Resolution", BMVC 2019, arXiv:1907.04253.

One network of residual dense blocks is unrolled over a few steps. From the second step on, the input of every block b
is refined by the outputs F of all blocks at the step before (section 3.2):

    g = prelu(W_g [F_1, ..., F_B]),   L_b <- prelu(W_r [g, L_b]).

Each step adds its reconstruction to the bilinearly enlarged frame; the loss averages over the steps and the last one
is the answer.

Differs from the paper:
- all blocks are rerouted and refined by one shared gate, as in the benchmark's network (the paper reroutes the highest
  few to the lowest); g does not depend on b, so it is computed once a step;
- 32 features, 8 blocks of 8 layers; MSE loss (the paper: L1).
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.errors import must
from csist_bench.methods.networks.common.images import ImageNetwork, grids_from_images, images_from_frames
from csist_bench.methods.networks.common.residual import DenseBlock, conv
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.upsampling import projection_up
from csist_bench.recipes import Count


class GMFN(ImageNetwork):
    """Residual dense blocks unrolled over `steps`, fed back through a gate."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of GMFN."""

        features: Count = 32
        steps: Count = 4
        blocks: Count = 8
        layers: Count = 8

        def __post_init__(self) -> None:
            if self.steps < 2:
                raise must("steps", "be at least 2: feedback needs a step before", self.steps)

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        features, blocks = settings.features, settings.blocks
        self.steps = settings.steps
        self.head = nn.Sequential(conv(1, 4 * features), nn.PReLU(), conv(4 * features, features, 1), nn.PReLU())
        self.blocks = nn.ModuleList(DenseBlock(features, features, settings.layers, nn.PReLU) for _ in range(blocks))
        self.gate = nn.Sequential(conv(blocks * features, features, 1), nn.PReLU())
        self.refine = nn.Sequential(conv(2 * features, features, 1), nn.PReLU())
        self.tail = nn.Sequential(projection_up(features, sampling.c), conv(features, 1))

    def _unmix(self, images: Tensor) -> Tensor:
        return self._enlarged(images) + self.tail(self._features(images)[-1])

    def loss(self, frames: Tensor, labels: Tensor, scored: slice | Tensor) -> dict[str, Tensor]:
        """Return the mean squared error over the scored frames, averaged over the steps."""
        images = images_from_frames(frames)
        enlarged, target = self._enlarged(images), labels[:, scored]
        errors = [
            (grids_from_images(enlarged + self.tail(x), frames)[:, scored] - target).square().mean()
            for x in self._features(images)
        ]
        return {"total": torch.stack(errors).mean()}

    def _features(self, images: Tensor) -> list[Tensor]:
        """Return the last block's features after each step, each of shape (B * T, features, S, S)."""
        first = self.head(images)
        outputs = self._run_blocks(first, None)
        last = [outputs[-1]]
        for _ in range(self.steps - 1):
            outputs = self._run_blocks(first, self.gate(torch.cat(outputs, dim=1)))
            last.append(outputs[-1])
        return last

    def _run_blocks(self, x: Tensor, feedback: Tensor | None) -> list[Tensor]:
        outputs = []
        for block in self.blocks:
            if feedback is not None:
                x = self.refine(torch.cat((feedback, x), dim=1))
            x = block(x)
            outputs.append(x)
        return outputs

    def _enlarged(self, images: Tensor) -> Tensor:
        return functional.interpolate(images, scale_factor=self.sampling.c, mode="bilinear", align_corners=False)
