"""DeRefNet: deep unfolding of every frame, then refinement of each frame by its deformably aligned neighbours.

"SeqCSIST: Sequential Closely-Spaced Infrared Small Target Unmixing", TGRS 2025 (https://arxiv.org/abs/2507.09556),
section IV.

1. x_t: nine ISTA-Net phases of frame t from Q y_t (`phases.ISTAPhase`).
2. Position encoding: x_t <- x_t * sigmoid(W (t / 20) 1 + b), W (n x n) over the n nodes.
3. a_ij: neighbour i of centre j, i in {j - 2, j - 1, j + 1, j + 2}, aligned to the centre (`alignment`).
4. Tail: the four aligned neighbours and the centre -> conv-ReLU, five residual blocks, conv -> the unmixed centre.

Loss: mean squared error + 0.01 times the mean squared symmetry residual of the phases + 0.01 times mean |a_ij - x_j|.

Differs from the paper:

- 1,482,879 parameters, of which W and b are 1,187,010; the paper's table prints 0.89 M.
- All (centre, neighbour) pairs are one batch. W acts on a constant vector, so its row sums are all that is computed.
- At the ends of a trajectory the missing neighbours repeat the outermost frame, so every frame is answered.
- Grids are scaled by 1/100 inside. Phases and tail start as the identity and the gate nearly open: an untrained network
  is gradient descent from Q y.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.images import images_from_frames
from csist_bench.methods.networks.common.residual import ResidualBlock
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.alignment import Alignment
from csist_bench.methods.networks.unfolding.phases import (
    SIDE_CHANNELS,
    ISTAPhase,
    PhaseNetwork,
    mean_symmetry,
    scale_weights,
    start_as_identity,
    unmixing_loss,
)
from csist_bench.methods.networks.unfolding.shrinkage import SCALE

REACH = (-2, -1, 1, 2)  # neighbours of a centre, frames
PERIOD = 20  # frames over which the position encoding runs from 0 to 1
ALIGNMENT_WEIGHT = 0.01
OPEN = 4.0  # start of the gate's bias: sigmoid(4) = 0.98
TRAJECTORIES_AT_ONCE = 4  # bounds the memory of the aligned pairs


class DeRefNet(PhaseNetwork):
    """Unfolding of each frame, then refinement by its neighbours."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of DeRefNet."""

        phases: int = 9
        features: int = 32
        blocks: int = 5
        symmetry_weight: float = 0.01

    removed_settings: ClassVar[dict[str, Any]] = {"period": 20, "alignment_weight": 0.01}
    resizable = False

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        features, self.symmetry_weight = settings.features, settings.symmetry_weight
        self.phases = nn.ModuleList(ISTAPhase(features) for _ in range(settings.phases))
        nodes = sampling.grid_size**2
        self.position = nn.Linear(nodes, nodes)
        nn.init.zeros_(self.position.weight)
        nn.init.constant_(self.position.bias, OPEN)
        self.alignment = Alignment(features)
        self.tail = Tail(len(REACH) + 1, features, settings.blocks)

    def forward(self, frames: Tensor) -> Tensor:
        """Unmix frames (B, T, S, S) into label grids (B, T, cS, cS), grey levels."""
        everyone = torch.arange(frames.shape[1], device=frames.device)
        parts = [self._refine(self._unfolded(part, None), everyone)[0] for part in frames.split(TRAJECTORIES_AT_ONCE)]
        return SCALE * torch.cat(parts)

    def loss(self, frames: Tensor, labels: Tensor, scored: slice | Tensor) -> dict[str, Tensor]:
        """Return the losses on the scored frames; labels (B, T, cS, cS), grey levels."""
        residuals: list[Tensor] | None = [] if self.symmetry_weight else None
        grids = self._unfolded(frames, residuals)
        centres = torch.arange(frames.shape[1], device=frames.device)[scored]
        refined, misfit = self._refine(grids, centres)
        symmetry = SCALE**2 * mean_symmetry(residuals, refined)
        return unmixing_loss(
            SCALE * refined,
            labels[:, scored],
            symmetry=(self.symmetry_weight, symmetry),
            alignment=(ALIGNMENT_WEIGHT, SCALE * misfit),
        )

    def _unfolded(self, frames: Tensor, residuals: list[Tensor] | None) -> Tensor:
        """Phases and position encoding; (B, T, S, S) grey levels -> (B, T, h, w) scaled."""
        x = self._unfold(images_from_frames(frames, SCALE), residuals)  # (B T, 1, h, w)
        time = torch.arange(frames.shape[1], dtype=x.dtype, device=x.device)[:, None] / PERIOD
        gate = torch.sigmoid(time * self.position.weight.sum(dim=1) + self.position.bias)  # (T, h w)
        return x.squeeze(1).unflatten(0, frames.shape[:2]) * gate.unflatten(1, x.shape[2:])

    def _refine(self, grids: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
        """Refine the chosen centres (J,) of grids (B, T, h, w); return (B, J, h, w) and mean |aligned - centre|."""
        b, t, height, width = grids.shape
        reach = torch.tensor(REACH, device=grids.device)
        near = (centres[:, None] + reach).clamp(0, t - 1)  # (J, 4)
        first = t * torch.arange(b, device=grids.device)[:, None, None]
        neighbour = (first + near).flatten()  # (B J 4)
        centre = (first + centres[:, None].expand_as(near)).flatten()
        flat = grids.reshape(b * t, 1, height, width)
        aligned = self.alignment(flat, neighbour, centre).reshape(b, len(centres), len(REACH), height, width)
        middle = grids[:, centres].unsqueeze(2)  # (B, J, 1, h, w)
        refined = self.tail(torch.cat((aligned, middle), dim=2).flatten(0, 1))  # (B J, 1, h, w)
        return refined.reshape(b, len(centres), height, width), (aligned - middle).abs().mean()


class Tail(nn.Module):
    """Fuses `inputs` grids, the centre last, into one grid; starts by passing the centre on."""

    def __init__(self, inputs: int, features: int, blocks: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(inputs, features, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(features) for _ in range(blocks))
        self.collect = nn.Conv2d(features, 1, 3, padding=1, bias=False)
        start_as_identity(self.head, self.collect, channel=inputs - 1)
        scale_weights(SIDE_CHANNELS, *(block.conv2 for block in self.blocks))  # type: ignore[arg-type]

    def forward(self, stack: Tensor) -> Tensor:
        """Map stacks (B, inputs, h, w) to grids (B, 1, h, w)."""
        x = functional.relu(self.head(stack.contiguous(memory_format=torch.channels_last)), inplace=True)
        for block in self.blocks:
            x = block(x)
        grid: Tensor = self.collect(x)
        return grid
