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

from csist_bench.methods.networks.super_resolution.critics import UNetCritic
from csist_bench.methods.networks.super_resolution.rrdb import RRDBGenerator, RRDBSettings
from csist_bench.recipes import Count


class BSRGANSettings(RRDBSettings, frozen=True, kw_only=True):
    """Settings of BSRGAN."""

    blocks: Count = 16


class BSRGAN(RRDBGenerator):
    """The generator; `critic` makes the network that it is trained against."""

    Settings = BSRGANSettings
    kind_of_critic = UNetCritic
