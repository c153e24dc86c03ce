"""DISTA-Net: ISTA-Net+ whose transform and threshold adapt to the frame.

Han et al., "DISTA-Net: Dynamic Closely-Spaced Infrared Small Target Unmixing", ICCV 2025
(https://arxiv.org/abs/2505.19148), section 3. One of six stages:

    r = x - rho Phi^T (Phi x - y),   f = D(r),   x' = r + G(H~(soft(H(f), theta(H(f)))))
    H(f) = conv-ReLU-conv (f) + lambda K(f) f

where K(f) mixes channels with weights that a small network finds from f, and theta(.) is a base threshold times a
channel gate and a spatial gate. Loss: mean squared error + 0.01 times the mean squared symmetry residual
H~(H(f)) - f.

Differs from the paper:

- The sizes of the weight- and threshold-finding networks are not printed; they were chosen to meet the published
  2.179 M parameters within 0.2 %.
- They read channel maxima: a mean over a mostly empty grid would depend on the grid's size.
- Grids are scaled by 1/100 inside; G starts small and the step below 1/L of this Phi.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from csist_bench.methods.networks.common.images import channels_last
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.phases import (
    SIDE_CHANNELS,
    STEP,
    THRESHOLD,
    PhaseNetwork,
    convolution,
    gradient_step,
    scale_weights,
    two_layers,
)
from csist_bench.methods.networks.unfolding.shrinkage import soft_threshold

MIX = 0.1  # start of lambda


class DISTANet(PhaseNetwork):
    """Stages of a proximal gradient descent whose maps adapt to the frame."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of DISTANet."""

        stages: int = 6
        features: int = 64
        mixer: int = 24  # hidden units of the weight-finding networks
        gate: int = 48  # hidden units of the threshold-finding networks
        symmetry_weight: float = 0.01

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling)
        self.stages = nn.ModuleList(
            DynamicStage(settings.features, settings.mixer, settings.gate) for _ in range(settings.stages)
        )
        self.symmetry_weight = settings.symmetry_weight

    @property
    def phases(self) -> nn.ModuleList:  # type: ignore[override]
        """The stages, by the name that they have in all of these networks."""
        return self.stages


class DynamicStage(nn.Module):
    """One stage; see the module's docstring."""

    def __init__(self, features: int, mixer: int, gate: int) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor(STEP))
        self.extract = convolution(1, features)
        self.forward_transform = DynamicTransform(features, mixer)
        self.threshold = DynamicThreshold(features, gate)
        self.backward_transform = DynamicTransform(features, mixer)
        self.collect = convolution(features, 1)
        scale_weights(SIDE_CHANNELS, self.collect)

    def forward(self, x: Tensor, y: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next estimate, f and H(f); see `PhaseNetwork`."""
        r = gradient_step(x, y, sampling, self.step)
        features = self.extract(channels_last(r))
        code = self.forward_transform(features)
        shrunk = soft_threshold(code, self.threshold(code))
        return r + self.collect(self.invert(shrunk)), features, code

    def invert(self, code: Tensor) -> Tensor:
        """H~: map codes (B, F, h, w) back to features (B, F, h, w)."""
        features: Tensor = self.backward_transform(code)
        return features


class DynamicTransform(nn.Module):
    """conv-ReLU-conv plus a channel mixing whose weights come from the input's channel maxima."""

    def __init__(self, features: int, mixer: int) -> None:
        super().__init__()
        self.enter, self.leave = convolution(features, features), convolution(features, features)
        self.mixer = nn.Sequential(nn.Linear(features, mixer), nn.ReLU(), nn.Linear(mixer, features**2))
        self.mix = nn.Parameter(torch.tensor(MIX))  # lambda

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, F, h, w) to features of the same shape."""
        static = two_layers(self.enter, self.leave, x)
        count = x.shape[1]
        weights = self.mixer(x.amax(dim=(2, 3))).unflatten(1, (count, count))  # (B, F, F)
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)  # (B, h w, F)
        mixed = (pixels @ weights.mT).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
        return static + self.mix * mixed


class DynamicThreshold(nn.Module):
    """A base threshold times a gate for each channel and a gate for each place, both in (0, 1)."""

    def __init__(self, features: int, gate: int) -> None:
        super().__init__()
        self.base = nn.Parameter(torch.tensor(4 * THRESHOLD))  # both gates start near 1/2
        self.channel = nn.Sequential(nn.Linear(features, gate), nn.ReLU(), nn.Linear(gate, features))
        self.place = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, code: Tensor) -> Tensor:
        """Return thresholds for codes (B, F, h, w), of the same shape."""
        channel = torch.sigmoid(self.channel(code.amax(dim=(2, 3))))[:, :, None, None]
        pooled = torch.cat((code.mean(dim=1, keepdim=True), code.amax(dim=1, keepdim=True)), dim=1)
        return self.base * channel * torch.sigmoid(self.place(pooled))
