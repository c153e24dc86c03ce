"""Proximal gradient descent with a learned transform: its phases, and the networks that are a stack of them."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.errors import must
from csist_bench.methods.networks.common.images import (
    ImageNetwork,
    channels_last,
    grids_from_images,
    images_from_frames,
)
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.shrinkage import SCALE, soft_threshold

# Start values. The step is below 1 / L of the benchmark's Phi (L = 8.6); ISTA-Net's 0.5 would diverge.
STEP, THRESHOLD = 0.1, 0.01
SIDE_CHANNELS = 0.1  # start scale of what the channels beside the identity add to a grid


class PhaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of ISTA-Net and ISTA-Net+."""

    phases: int = 9
    features: int = 32
    symmetry_weight: float = 0.01


class PhaseNetwork(ImageNetwork):
    """Phases from x = Q y; loss: mean squared error + `symmetry_weight` times the mean squared symmetry residual.

    A phase maps the estimate x (B, 1, h, w), the frames y (B, 1, H, W) and Phi to the next estimate, what is
    transformed and its code; its `invert` maps the code back, and the difference is the symmetry residual.
    """

    scale = SCALE
    phases: nn.ModuleList
    symmetry_weight: float

    def loss(self, frames: Tensor, labels: Tensor, scored: slice | Tensor) -> dict[str, Tensor]:
        """Return the losses on the scored frames; labels (B, T, cS, cS), grey levels."""
        residuals: list[Tensor] | None = [] if self.symmetry_weight else None
        images = self._unfold(images_from_frames(frames[:, scored], SCALE), residuals)
        grids = grids_from_images(images, labels[:, scored], SCALE)
        symmetry = SCALE**2 * mean_symmetry(residuals, grids)
        return unmixing_loss(grids, labels[:, scored], symmetry=(self.symmetry_weight, symmetry))

    def _unmix(self, images: Tensor) -> Tensor:
        return self._unfold(images, None)

    def _unfold(self, y: Tensor, residuals: list[Tensor] | None) -> Tensor:
        """Take the phases in turn, gathering their symmetry residuals where a list is given for them."""
        x = self.sampling.initial(y)  # (B, 1, cS, cS)
        for phase in self.phases:
            x, before, code = phase(x, y, self.sampling)
            if residuals is not None:
                residuals.append((phase.invert(code) - before).square().mean())  # type: ignore[operator]
        return x


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
        """Return the next estimate, r and F(r); see `PhaseNetwork`."""
        r = gradient_step(x, y, sampling, self.step)
        code = two_layers(self.forward_in, self.forward_out, channels_last(r))
        return self.invert(soft_threshold(code, self.threshold)), r, code

    def invert(self, code: Tensor) -> Tensor:
        """F~: map features (B, F, h, w) back to a grid (B, 1, h, w)."""
        return two_layers(self.backward_in, self.backward_out, code)


class FeatureShrinkage(nn.Module):
    """G(H~(soft(H(D r), theta))), D: conv 1-F, H and H~: conv-ReLU-conv, G: conv F-1, which starts small."""

    def __init__(self, features: int, bias: bool = False) -> None:
        super().__init__()
        self.extract = convolution(1, features, bias)
        self.forward_in = convolution(features, features, bias)
        self.forward_out = convolution(features, features, bias)
        self.backward_in = convolution(features, features, bias)
        self.backward_out = convolution(features, features, bias)
        self.collect = convolution(features, 1, bias)
        scale_weights(SIDE_CHANNELS, self.collect)

    def shrink(self, r: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the correction G(H~(soft(H(D r)))), the features D r and the code H(D r) of r (B, 1, h, w)."""
        features = self.extract(channels_last(r))
        code = two_layers(self.forward_in, self.forward_out, features)
        return self.collect(self.invert(soft_threshold(code, threshold))), features, code

    def invert(self, code: Tensor) -> Tensor:
        """H~: map codes (B, F, h, w) back to features (B, F, h, w)."""
        return two_layers(self.backward_in, self.backward_out, code)


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


def two_layers(first: nn.Module, last: nn.Module, x: Tensor) -> Tensor:
    """Return conv-ReLU-conv of x."""
    mapped: Tensor = last(functional.relu(first(x), inplace=True))
    return mapped


@torch.no_grad()
def scale_weights(factor: float, *layers: nn.Conv2d) -> None:
    """Multiply the first weights of layers by a factor."""
    for layer in layers:
        layer.weight *= factor


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
    """Return the mean of the phases' symmetry residuals; 0 where none were taken, as their weight is 0.

    The benchmark's code takes their sum: at equal weight its term is as many times larger as there are phases.
    """
    return torch.stack(residuals).mean() if residuals else grids.new_zeros(())


def unmixing_loss(grids: Tensor, labels: Tensor, **terms: tuple[float, Tensor]) -> dict[str, Tensor]:
    """Return the mean squared error and further (weight, value) terms, each by name, and their weighted total."""
    losses = {"mse": functional.mse_loss(grids, labels)}
    total = losses["mse"]
    for name, (weight, value) in terms.items():
        losses[name] = value
        total = total + weight * value
    return {"total": total, **losses}
