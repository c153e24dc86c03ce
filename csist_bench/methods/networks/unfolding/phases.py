"""One iteration of proximal gradient descent with a learned transform: the phases that several networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.errors import must
from csist_bench.methods.networks.common.images import channels_last
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.shrinkage import soft_threshold

# Start values. The step is below 1 / L of the benchmark's Phi (L = 8.6); ISTA-Net's 0.5 would diverge.
STEP, THRESHOLD = 0.1, 0.01
SIDE_CHANNELS = 0.1  # start scale of what the channels beside the identity add to a grid


class ISTAPhase(nn.Module):
    """One ISTA-Net phase (Zhang and Ghanem, CVPR 2018, eqs. 7 to 11), no bias:

        r = x - rho Phi^T (Phi x - y),   x' = F~(soft(F(r), theta)),   F = conv-ReLU-conv, F~ = conv-ReLU-conv.

    With F~ F = identity wished for, the symmetry residual F~(F(r)) - r is part of the training loss. The first channels
    start as that identity, so that an untrained stack of phases is already gradient descent.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor(STEP))
        self.threshold = nn.Parameter(torch.tensor(THRESHOLD))
        self.forward_in = convolution(1, features)
        self.forward_out = convolution(features, features)
        self.backward_in = convolution(features, features)
        self.backward_out = convolution(features, 1)
        start_as_identity(self.forward_in, self.forward_out)
        start_as_identity(self.backward_in, self.backward_out)

    def forward(self, x: Tensor, y: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor, Tensor]:
        """Map the estimate x (B, 1, h, w) and the frames y (B, 1, H, W) to the next estimate, r and F(r)."""
        r = gradient_step(x, y, sampling, self.step)
        code = self.forward_out(functional.relu(self.forward_in(channels_last(r)), inplace=True))
        return self.invert(soft_threshold(code, self.threshold)), r, code

    def invert(self, code: Tensor) -> Tensor:
        """F~: map features (B, F, h, w) back to a grid (B, 1, h, w)."""
        grid: Tensor = self.backward_out(functional.relu(self.backward_in(code), inplace=True))
        return grid

    def symmetry(self, code: Tensor, r: Tensor) -> Tensor:
        """Return the mean squared symmetry residual F~(F(r)) - r."""
        return (self.invert(code) - r).square().mean()


def gradient_step(x: Tensor, y: Tensor, sampling: Sampling, step: Tensor) -> Tensor:
    """Return x - step Phi^T (Phi x - y)."""
    return x - step * sampling.adjoint(sampling(x) - y)


def convolution(inputs: int, outputs: int, bias: bool = False) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size, started as in ISTA-Net (Xavier normal)."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    nn.init.xavier_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def start_as_identity(split: nn.Conv2d, join: nn.Conv2d, channel: int = 0) -> None:
    """Let conv-ReLU-conv pass input `channel` on to output 0: u = relu(u) - relu(-u) in two hidden channels."""
    if split.out_channels < 2:
        raise must("features", "be at least 2", split.out_channels)
    middle = split.kernel_size[0] // 2
    with torch.no_grad():
        for layer in (split, join):
            if layer.bias is not None:
                layer.bias.zero_()
        split.weight[:2] = 0
        split.weight[:2, channel, middle, middle] = torch.tensor((1.0, -1.0))
        join.weight[0] *= SIDE_CHANNELS
        join.weight[0, :2] = 0
        join.weight[0, :2, middle, middle] = torch.tensor((1.0, -1.0))


def mean_symmetry(residuals: list[Tensor] | None, grids: Tensor) -> Tensor:
    """Return the mean of the phases' symmetry residuals; 0 where none were taken, as their weight is 0."""
    return torch.stack(residuals).mean() if residuals else grids.new_zeros(())


def unmixing_loss(grids: Tensor, labels: Tensor, **terms: tuple[float, Tensor]) -> dict[str, Tensor]:
    """Return the mean squared error and further (weight, value) terms, each by name, and their weighted total."""
    losses = {"mse": functional.mse_loss(grids, labels)}
    total = losses["mse"]
    for name, (weight, value) in terms.items():
        losses[name] = value
        total = total + weight * value
    return {"total": total, **losses}
