"""DeRefNet as its published structure has it: one call per centre and neighbour, everything recomputed in each.

It runs on the modules of a `DeRefNet`, so both share one set of weights: the oracle of its tests, and the way that the
batched network's speed is held against.
"""

from __future__ import annotations

import torch
from torch import Tensor

from csist_bench.methods.networks.common.residual import ResidualBlock
from csist_bench.methods.networks.unfolding.alignment import Alignment
from csist_bench.methods.networks.unfolding.derefnet import ALIGNMENT_WEIGHT, PERIOD, REACH, DeRefNet, Tail
from csist_bench.methods.networks.unfolding.phases import ISTAPhase
from csist_bench.methods.networks.unfolding.shrinkage import SCALE


def loop_forward(model: DeRefNet, frames: Tensor, centres: range | None = None) -> Tensor:
    """Unmix frames (B, T, S, S), grey levels; returns the chosen centres (B, J, cS, cS)."""
    return torch.stack([_trajectory(model, sequence, centres)[0] for sequence in frames])


def loop_loss(model: DeRefNet, frames: Tensor, labels: Tensor, centres: range) -> Tensor:
    """Return the loss that `DeRefNet.loss` has on the chosen centres; labels (B, T, cS, cS), grey levels."""
    total = frames.new_zeros(())
    for sequence, label in zip(frames, labels):
        grids, symmetry, misfit = _trajectory(model, sequence, centres)
        regression = (grids - label[list(centres)]).square().mean()
        total = total + regression + model.symmetry_weight * symmetry + ALIGNMENT_WEIGHT * misfit
    return total / len(frames)


def _trajectory(model: DeRefNet, sequence: Tensor, centres: range | None) -> tuple[Tensor, Tensor, Tensor]:
    unfolded, symmetry = _unfold(model, sequence)
    frames = len(sequence)
    outputs, misfits = [], []
    for j in centres if centres is not None else range(frames):
        centre = unfolded[j : j + 1]
        aligned = []
        for step in REACH:
            i = min(max(j + step, 0), frames - 1)
            aligned.append(_align(model.alignment, unfolded[i : i + 1], centre))
            misfits.append((aligned[-1] - centre).abs().mean())
        outputs.append(SCALE * _tail(model.tail, torch.cat([*aligned, centre], dim=1))[0, 0])
    return torch.stack(outputs), SCALE**2 * symmetry, SCALE * torch.stack(misfits).mean()


def _unfold(model: DeRefNet, sequence: Tensor) -> tuple[Tensor, Tensor]:
    y = sequence[:, None] / SCALE
    x = model.sampling.initial(y)
    residuals = []
    for phase in model.phases:
        assert isinstance(phase, ISTAPhase)
        r = x - phase.step * model.sampling.adjoint(model.sampling(x) - y)
        code = phase.forward_out(torch.relu(phase.forward_in(r)))
        shrunk = torch.sign(code) * torch.relu(code.abs() - phase.threshold.abs())
        x = phase.backward_out(torch.relu(phase.backward_in(shrunk)))
        back = phase.backward_out(torch.relu(phase.backward_in(code)))
        residuals.append((back - r).square().mean())
    encoded = []
    for t, grid in enumerate(x):
        gate = torch.sigmoid(model.position(torch.full((grid.numel(),), t / PERIOD)))
        encoded.append(grid * gate.reshape(grid.shape))
    return torch.stack(encoded), torch.stack(residuals).mean()


def _align(part: Alignment, neighbour: Tensor, centre: Tensor) -> Tensor:
    mine = torch.relu(part.extract(neighbour))
    other = torch.relu(part.extract(centre))
    halves = torch.cat((part.neighbour_half(mine), part.centre_half(other)), dim=1)
    pooled = torch.cat((halves.mean(dim=1, keepdim=True), halves.amax(dim=1, keepdim=True)), dim=1)
    weight = torch.sigmoid(part.attention(pooled))
    half = halves.shape[1] // 2
    eta = part.offset(torch.cat((weight[:, :1] * halves[:, :half], weight[:, 1:] * halves[:, half:]), dim=1))
    aligned: Tensor = part.collect(part.deform_2(part.deform_1(mine, eta)))
    return aligned


def _tail(tail: Tail, stack: Tensor) -> Tensor:
    x = torch.relu(tail.head(stack))
    for block in tail.blocks:
        assert isinstance(block, ResidualBlock)
        x = x + block.conv2(torch.relu(block.conv1(x)))
    grid: Tensor = tail.collect(x)
    return grid
