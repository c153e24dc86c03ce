"""One optimisation step of plain training: loss, gradient, clipping, optimiser, moving average."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from csist_bench.training.distributed import World
from csist_bench.training.ema import EMA
from csist_bench.training.losses import Objective, Terms
from csist_bench.training.muon import Muon
from csist_bench.training.recipe import TrainingRecipe


class Learner:
    """Minimises the network's own loss, or the mean squared error, over the parameters that require a gradient."""

    def __init__(
        self, model: nn.Module, recipe: TrainingRecipe, lr: float, scored: slice, world: World, device: torch.device
    ) -> None:
        self.model = model
        self.recipe = recipe
        self.lr = lr
        self.scored = scored
        self.world = world
        self.mixed_precision = MixedPrecision(recipe.precision, device)
        learned = (parameter for parameter in model.parameters() if parameter.requires_grad)
        self.optimiser = make_optimiser(learned, recipe, lr, recipe.weight_decay)
        self.ema = EMA(model, recipe.ema)
        evaluated = self._evaluated()
        self.evaluate = torch.compile(evaluated) if recipe.compile else evaluated

    def _evaluated(self) -> nn.Module:
        """Return the module that a step calls, and that is compiled where the recipe asks for it."""
        return Objective(self.model, self.scored, self.recipe.loss_weights)

    def step(self, frames: Tensor, labels: Any, lr_factor: float, step: int) -> Terms:
        """Take one step at `lr_factor` times the recipe's learning rate; returns the detached loss terms.

        Frames are (B, T, size, size), labels (B, T, c * size, c * size) or what the network's own loss takes.
        """
        set_rate(self.optimiser, self.lr * lr_factor)
        with self.mixed_precision.autocast():
            terms: Terms = self.evaluate(frames, labels)
        self._descend(terms["total"], self.optimiser, self.mixed_precision)
        self.ema.update(step)
        return {name: term.detach() for name, term in terms.items()}

    def _descend(self, loss: Tensor, optimiser: torch.optim.Optimizer, mixed_precision: MixedPrecision) -> None:
        """Take one step of an optimiser along the gradient of `loss`, averaged over the processes."""
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(mixed_precision.scaler.scale(loss))
        parameters = [p for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        self.world.average(p.grad for p in parameters)
        if self.recipe.clip_norm:
            mixed_precision.scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(parameters, self.recipe.clip_norm)
        mixed_precision.scaler.step(optimiser)
        mixed_precision.scaler.update()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that the next step depends on: weights, their average, the optimiser's moments, the loss scale."""
        tensors = {
            **prefixed("model", self.model.state_dict()),
            **prefixed("average", self.ema.tensors),
            **prefixed("optimiser", optimiser_tensors(self.optimiser)),
        }
        return tensors, {"scaler": self.mixed_precision.scaler.state_dict()}

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.model.load_state_dict(part("model", tensors))
        self.ema.restore(part("average", tensors))
        restore_optimiser(self.optimiser, part("optimiser", tensors))
        self.mixed_precision.scaler.load_state_dict(dict(values["scaler"]))


def make_optimiser(
    parameters: Iterable[nn.Parameter], recipe: TrainingRecipe, lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return Adam, AdamW (weight decay outside the gradient) or Muon, as the recipe says."""
    betas = (recipe.beta1, recipe.beta2)
    if recipe.optimiser == "muon":
        return Muon(parameters, lr, betas, weight_decay)
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    # The fused update is a quarter of the default's time on a CPU (21 M parameters, one thread).
    return kind(parameters, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of an optimiser."""
    for group in optimiser.param_groups:
        group["lr"] = lr


class MixedPrecision:
    """Autocast and, for float16, the loss scale that keeps small gradients from vanishing."""

    def __init__(self, dtype: str, device: torch.device) -> None:
        self.device = device
        self.dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(dtype)
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == "float16")
        torch.backends.cuda.matmul.allow_tf32 = dtype != "float32"
        torch.backends.cudnn.allow_tf32 = dtype != "float32"
        torch.backends.cudnn.benchmark = True  # every batch has the same shape

    def autocast(self) -> torch.autocast:
        """Return the context in which networks are evaluated."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)


# --- optimiser state as named tensors ---------------------------------------------------------------------------------


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's moments and counts as `parameter.name` tensors."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": value for index, values in state.items() for name, value in values.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put saved moments and counts back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        # Counts stay on the CPU: reading one on a GPU would wait for the GPU at every step.
        state.setdefault(int(index), {})[name] = value.cpu() if name == "step" else value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def prefixed(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with `name.` before their names."""
    return {f"{name}.{key}": tensor for key, tensor in tensors.items()}


def part(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names start with `name.`, without it."""
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
