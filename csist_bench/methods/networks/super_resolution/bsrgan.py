"""BSRGAN: Zhang et al., "Designing a Practical Degradation Model for Deep Blind Image Super-Resolution", ICCV 2021,
arXiv:2103.14006.

ESRGAN's generator, trained against a U-Net critic with spectral normalisation that gives a verdict on every node.

Differs from the paper:
- the degradation is the imager's own, not a random one: only generator and critic are taken over;
- 16 blocks and the relativistic loss, as in the benchmark (the paper: 23 blocks);
- one enlargement by c; 11.62 M parameters, where the benchmark's 11.7 M hold a second enlarging convolution that
  c = 3 never uses.
"""

from __future__ import annotations

import msgspec
from torch import nn

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.critics import Adversarial, UNetCritic
from csist_bench.methods.networks.super_resolution.rrdb import RRDBGenerator
from csist_bench.recipes import Count


class BSRGANSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of BSRGAN."""

    features: Count = 64
    growth: Count = 32
    blocks: Count = 16
    critic_features: Count = 64


class BSRGAN(RRDBGenerator):
    """The generator; `critic` makes the network that it is trained against."""

    Settings = BSRGANSettings
    resizable = True
    adversarial: Adversarial = "relativistic"

    def __init__(self, sampling: Sampling, settings: BSRGANSettings) -> None:
        super().__init__(sampling, settings.features, settings.growth, settings.blocks)
        self.critic_features = settings.critic_features

    def critic(self) -> nn.Module:
        """Return a new critic: grids (B, 1, cS, cS) scaled to about [0, 1] -> logits (B, 1, cS, cS)."""
        return UNetCritic(self.critic_features)
