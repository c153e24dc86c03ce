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

from csist_bench.methods.networks.super_resolution.critics import VGGCritic
from csist_bench.methods.networks.super_resolution.rrdb import RRDBGenerator, RRDBSettings


class ESRGAN(RRDBGenerator):
    """The generator; `critic` makes the network that it is trained against."""

    Settings = RRDBSettings
    kind_of_critic = VGGCritic
