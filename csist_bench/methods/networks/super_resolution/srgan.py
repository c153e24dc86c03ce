"""SRGAN: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR
2017, arXiv:1609.04802.

The generator: residual blocks x <- x + W_2 relu(W_1 x) on the pixel grid, a pixel shuffle, two convolutions, added to
the bilinearly enlarged frame. The critic: convolutions of falling size and a logit a grid. The generator's loss is a
weighted sum of pixel error, the critic's verdict, and (with a weights file) the distance of VGG19 features.

Differs from the paper:
- the generator has no batch normalisation, ReLU for PReLU, a bilinear skip for the long one, and pixel error in L1:
  the benchmark's network (MSRResNet);
- the critic averages over places before its dense layers.
"""

from __future__ import annotations

import msgspec
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.residual import LeakyReLU, ResidualBlock, conv, shrink_initialisation
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.super_resolution.critics import Adversarial, Generator, VGGCritic
from csist_bench.methods.networks.super_resolution.upsampling import pixel_shuffle_up
from csist_bench.recipes import Count


class SRGAN(Generator):
    """The generator; `critic` makes the network that it is trained against."""

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        """Settings of SRGAN."""

        features: Count = 64
        blocks: Count = 16
        critic_features: Count = 64

    adversarial: Adversarial = "vanilla"
    kind_of_critic = VGGCritic

    def __init__(self, sampling: Sampling, settings: Settings) -> None:
        super().__init__(sampling, settings.critic_features)
        features = settings.features
        self.head = nn.Sequential(conv(1, features), LeakyReLU())
        self.trunk = nn.Sequential(*(ResidualBlock(features) for _ in range(settings.blocks)))
        self.tail = nn.Sequential(
            pixel_shuffle_up(features, features, sampling.c),
            LeakyReLU(),
            conv(features, features),
            LeakyReLU(),
            conv(features, 1),
        )
        shrink_initialisation(self.trunk)

    def _unmix(self, images: Tensor) -> Tensor:
        enlarged = functional.interpolate(images, scale_factor=self.sampling.c, mode="bilinear", align_corners=False)
        return enlarged + self.tail(self.trunk(self.head(images)))
