"""ESRGAN: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCVW 2018,
arXiv:1809.00219.

The generator is a trunk of residual-in-residual dense blocks; the critic is relativistic: it judges how much more real
a label grid is than the generated ones on average, D(x_r) = sigmoid(C(x_r) - mean C(x_f)) (equations 1 and 2).

Differs from the paper:
- one enlargement by c (the paper: two by 2); 16.66 M parameters, where the benchmark's 16.7 M hold a second enlarging
  convolution that c = 3 never uses;
- the critic averages over places before its dense layers; no network interpolation.
"""

from __future__ import annotations

import msgspec
from torch import nn

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.critics import Adversarial, VGGCritic
from csist_bench.methods.networks.super_resolution.rrdb import RRDBGenerator
from csist_bench.recipes import Count


class ESRGANSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of ESRGAN."""

    features: Count = 64
    growth: Count = 32
    blocks: Count = 23
    critic_features: Count = 64


class ESRGAN(RRDBGenerator):
    """The generator; `critic` makes the network that it is trained against."""

    Settings = ESRGANSettings
    resizable = True
    adversarial: Adversarial = "relativistic"

    def __init__(self, sampling: Sampling, settings: ESRGANSettings) -> None:
        super().__init__(sampling, settings.features, settings.growth, settings.blocks)
        self.critic_features = settings.critic_features

    def critic(self) -> nn.Module:
        """Return a new critic: grids (B, 1, cS, cS) scaled to about [0, 1] -> logits (B, 1)."""
        return VGGCritic(self.critic_features)
