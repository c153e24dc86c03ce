"""One optimisation step of adversarial training: the generator against a critic of its grids, then the critic.

The generator minimises a weighted sum of pixel error, the critic's verdict and, with a weights file of the user's own,
the distance of VGG19 features (SRGAN, CVPR 2017, equation 3; ESRGAN, ECCVW 2018, equation 3), on grids divided by 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.images import GREY_SCALE
from csist_bench.methods.networks.super_resolution.critics import Generator, critic_loss, generator_loss
from csist_bench.methods.networks.super_resolution.perceptual import PerceptualLoss
from csist_bench.training.distributed import World
from csist_bench.training.learner import (
    Learner,
    MixedPrecision,
    make_optimiser,
    optimiser_tensors,
    part,
    prefixed,
    restore_optimiser,
    set_rate,
)
from csist_bench.training.losses import Terms
from csist_bench.training.recipe import AdversarialRecipe, TrainingRecipe


class AdversarialLearner(Learner):
    """Trains a generator (`super_resolution.critics.Generator`) and its critic."""

    def __init__(
        self, model: nn.Module, recipe: TrainingRecipe, lr: float, scored: slice, world: World, device: torch.device
    ) -> None:
        super().__init__(model, recipe, lr, scored, world, device)
        self.losses = recipe.adversarial or AdversarialRecipe()
        generator = cast(Generator, model)
        self.kind = generator.adversarial
        self.critic_mixed_precision = MixedPrecision(recipe.precision, device)
        self.critic = generator.critic().to(device).train()
        self.critic_optimiser = make_optimiser(
            self.critic.parameters(), recipe, self.losses.critic_lr, self.losses.critic_weight_decay
        )
        path = self.losses.perceptual_weights
        self.perceptual = PerceptualLoss(path).to(device) if path and self.losses.perceptual else None

    def _evaluated(self) -> nn.Module:
        return self.model

    def step(self, frames: Tensor, labels: Tensor, lr_factor: float, step: int) -> Terms:
        """Take one step of both networks on frames (B, T, size, size) and labels (B, T, c * size, c * size)."""
        set_rate(self.optimiser, self.lr * lr_factor)
        set_rate(self.critic_optimiser, self.losses.critic_lr * lr_factor)
        real = _images(labels, self.scored)
        with_critic = bool(self.losses.adversarial) and step > self.losses.warmup_steps
        self.critic.requires_grad_(False)
        with self.mixed_precision.autocast():
            fake = _images(self.evaluate(frames), self.scored)
            terms = self._generator_terms(real, fake, with_critic)
        self._descend(terms["total"], self.optimiser, self.mixed_precision)
        if with_critic:
            self.critic.requires_grad_(True)
            with self.critic_mixed_precision.autocast():
                terms["critic"] = critic_loss(self.critic(real).float(), self.critic(fake.detach()).float(), self.kind)
            self._descend(terms["critic"], self.critic_optimiser, self.critic_mixed_precision)
        else:
            terms["critic"] = torch.zeros_like(terms["total"])
        self.ema.update(step)
        return {name: term.detach() for name, term in terms.items()}

    def _generator_terms(self, real: Tensor, fake: Tensor, with_critic: bool) -> Terms:
        """Return the unweighted terms and their weighted total."""
        losses = self.losses
        pixel_loss = functional.l1_loss if losses.pixel_loss == "l1" else functional.mse_loss
        terms = {"pixel": pixel_loss(fake.float(), real)}
        weights = {"pixel": losses.pixel, "adversarial": losses.adversarial, "perceptual": losses.perceptual}
        verdict = torch.zeros_like(terms["pixel"])
        if with_critic:
            verdict = generator_loss(self.critic(real).float(), self.critic(fake).float(), self.kind)
        terms["adversarial"] = verdict
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual(fake, real).float()
        terms["total"] = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return terms

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what `Learner.state` does, and the same of the critic."""
        tensors, values = super().state()
        tensors |= prefixed("critic", self.critic.state_dict())
        tensors |= prefixed("critic_optimiser", optimiser_tensors(self.critic_optimiser))
        return tensors, values | {"critic_scaler": self.critic_mixed_precision.scaler.state_dict()}

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        super().restore(tensors, values)
        self.critic.load_state_dict(part("critic", tensors))
        restore_optimiser(self.critic_optimiser, part("critic_optimiser", tensors))
        self.critic_mixed_precision.scaler.load_state_dict(dict(values["critic_scaler"]))


def _images(grids: Tensor, scored: slice) -> Tensor:
    """Return the scored grids (B, T, h, w) in grey levels as images (B * T, 1, h, w) near [0, 1]."""
    return grids[:, scored].flatten(0, 1).unsqueeze(1) / GREY_SCALE
