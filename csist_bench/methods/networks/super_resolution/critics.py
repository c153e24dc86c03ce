"""Critics of the adversarial rows: networks that tell label grids from generated ones.

The interface that the adversarial loop relies on is `Generator`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from csist_bench.methods.networks.common.images import ImageNetwork
from csist_bench.methods.networks.common.residual import LeakyReLU, conv
from csist_bench.methods.networks.common.sampling import Sampling

Adversarial = Literal["vanilla", "relativistic"]

VGG_STAGES = (1, 2, 4, 8)
UNET_STAGES = 3


class Generator(ImageNetwork):
    """A network that is trained against a critic.

    `adversarial` is "vanilla" (the critic's logit is a grid's own; SRGAN, CVPR 2017, equations 2 and 6) or
    "relativistic" (a grid's logit minus the mean logit of the other kind; ESRGAN, ECCVW 2018, equations 1 and 2).
    The critic's width is a setting of the generator; it is not part of the generator and is not shipped.
    """

    adversarial: Adversarial = "relativistic"
    kind_of_critic: type[nn.Module]

    def __init__(self, sampling: Sampling, critic_features: int) -> None:
        super().__init__(sampling)
        self.critic_features = critic_features

    def critic(self) -> nn.Module:
        """Return a new critic: grids (B, 1, cS, cS) scaled to about [0, 1] -> logits of any shape (B, ...)."""
        return self.kind_of_critic(self.critic_features)


class VGGCritic(nn.Module):
    """One logit a grid: convolutions that halve the size and widen, then a mean over what is left (SRGAN, figure 4).

    A mean over places takes the place of the paper's dense layer over them, so any grid size will do.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        widths = [features * stage for stage in VGG_STAGES]
        layers: list[nn.Module] = [conv(1, features), LeakyReLU()]
        for narrow, wide in zip((features, *widths), widths):
            layers += [conv(narrow, wide, bias=False), nn.BatchNorm2d(wide), LeakyReLU()]
            layers += [
                nn.Conv2d(wide, wide, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                LeakyReLU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.verdict = nn.Sequential(nn.Linear(widths[-1], 100), LeakyReLU(), nn.Linear(100, 1))

    def forward(self, grids: Tensor) -> Tensor:
        """Map grids (B, 1, h, w) to logits (B, 1)."""
        return self.verdict(self.layers(grids).mean(dim=(-2, -1)))


class UNetCritic(nn.Module):
    """One logit a node: a U-Net with spectral normalisation (Zhang et al., BSRGAN, ICCV 2021; Schoenfeld et al., CVPR
    2020).
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        widths = [features * 2**stage for stage in range(UNET_STAGES + 1)]
        self.head = conv(1, features)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False))
            for narrow, wide in pairwise(widths)
        )
        self.up = nn.ModuleList(
            spectral_norm(conv(wide, narrow, bias=False)) for narrow, wide in zip(widths[-2::-1], widths[:0:-1])
        )
        self.verdict = nn.Sequential(
            *(part for _ in range(2) for part in (spectral_norm(conv(features, features, bias=False)), LeakyReLU())),
            conv(features, 1),
        )
        self.activation = LeakyReLU()

    def forward(self, grids: Tensor) -> Tensor:
        """Map grids (B, 1, h, w) to logits (B, 1, h, w)."""
        levels = [self.activation(self.head(grids))]
        for layer in self.down:
            levels.append(self.activation(layer(levels[-1])))
        x = levels.pop()
        for layer in self.up:
            skip = levels.pop()
            x = functional.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = skip + self.activation(layer(x))
        return self.verdict(x)


def critic_loss(real: Tensor, fake: Tensor, adversarial: Adversarial) -> Tensor:
    """Return what the critic minimises, from its logits of label grids and of generated ones."""
    if adversarial == "relativistic":
        real, fake = real - fake.mean(), fake - real.mean()
    return (_cross_entropy(real, 1.0) + _cross_entropy(fake, 0.0)) / 2


def generator_loss(real: Tensor, fake: Tensor, adversarial: Adversarial) -> Tensor:
    """Return what the generator minimises, from the critic's logits of label grids and of its own."""
    if adversarial == "vanilla":
        return _cross_entropy(fake, 1.0)
    real = real.detach()
    return (_cross_entropy(fake - real.mean(), 1.0) + _cross_entropy(real - fake.mean(), 0.0)) / 2


def _cross_entropy(logits: Tensor, kind: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, kind))
