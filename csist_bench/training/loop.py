"""The training loop: stages of steps, with a log, validation, saves, and a clean stop at any step.

Every step is a function of the seed, the stage and the step's number (order of the data, learning rate, random
numbers) and of the saved state, so a run that is paused and resumed ends as an uninterrupted one does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from csist_bench.methods.networks.common.rendering import SceneLabels
from csist_bench.training.distributed import World
from csist_bench.training.learner import Learner
from csist_bench.training.losses import Terms
from csist_bench.training.recipe import TrainingRecipe
from csist_bench.training.schedule import lr_factor
from csist_bench.training.stream import SceneStream
from csist_bench.training.training_set import TrainingSet
from csist_bench.training.unit_sets import transform_batch

FULL, WINDOW, CALIBRATION = "full", "window", "calibration"


class TrainingDiverged(ValueError):
    """The loss or a weight is no longer finite."""


@dataclass(eq=False)
class Stage:
    """One part of a run, such as windowed pre-training: its data, its length in steps and its batches."""

    index: int
    name: str
    data: TrainingSet | SceneStream
    steps: int
    batch: int
    lr: float
    recipe: TrainingRecipe
    world: World
    _order: tuple[int, Tensor] | None = field(default=None, init=False)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over the data."""
        return len(self.data) // self.batch

    def lr_factor(self, step: int) -> float:
        """Return what a step's learning rate is to the stage's."""
        recipe = self.recipe
        return lr_factor(step, self.steps, recipe.schedule, recipe.warmup, recipe.final_lr)

    @property
    def validate_every(self) -> float:
        """Epochs between validations; 0 for the end alone."""
        if self.name == FULL:
            return max(self.recipe.validate_every, 1 / self.steps_per_epoch)
        return self.recipe.window.validate_every if self.recipe.window and self.name == WINDOW else 0.0

    def batch_at(self, step: int) -> tuple[Tensor, Any]:
        """Return this process's frames and labels of a step, and seed torch's generators for it."""
        entropy = np.random.SeedSequence([self.recipe.seed, self.index, step]).generate_state(1, np.uint64)
        seed = int(entropy[0] >> np.uint64(1))
        torch.manual_seed(seed)
        if isinstance(self.data, SceneStream):
            frames, labels = self.data.draw(self.batch, seed)
            return self.world.share(frames), self._share(labels)
        return self._picked(self.data, step)

    def _share(self, labels: Tensor | SceneLabels) -> Tensor | SceneLabels:
        if isinstance(labels, SceneLabels):
            return SceneLabels(*map(self.world.share, labels))
        return self.world.share(labels)

    def _picked(self, data: TrainingSet, step: int) -> tuple[Tensor, Tensor]:
        """Return the next units of the epoch's order."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            order = data.epoch_order(self.recipe.seed, self.index, epoch)
            self._order = (epoch, torch.from_numpy(order).to(self.data.device))
        index = self._order[1][place * self.batch : (place + 1) * self.batch]
        frames, labels = data.batch(self.world.share(index))
        if self.recipe.noise:
            noise = torch.randn(self.batch, *frames.shape[1:]).to(self.data.device)
            frames = frames + self.recipe.noise * self.world.share(noise)
        if self.recipe.augment:
            flips = torch.rand(3, self.batch).lt(0.5).to(self.data.device)
            frames, labels = transform_batch(frames, labels, torch.stack([self.world.share(f) for f in flips]))
        return frames, labels


@dataclass(frozen=True)
class Hooks:
    """What the loop calls: log lines, validation with its save, plain saves, and the question whether to stop."""

    log: Callable[[int, dict[str, float]], None]
    validate: Callable[[int], None]
    save: Callable[[int], None]
    stop: Callable[[], bool]


def run_stage(stage: Stage, learner: Learner, start: int, hooks: Hooks) -> bool:
    """Take the steps of a stage from `start` on; returns whether it was finished (False: stopped and saved).

    Raises
    ------
    TrainingDiverged
        If the loss is NaN or infinite; nothing is saved then, so the last good state stays.
    """
    recipe, sums, since = stage.recipe, None, start
    validate_every = round(stage.validate_every * stage.steps_per_epoch)
    saved = time.monotonic()
    for step in range(start, stage.steps):
        learner.model.train()
        terms = learner.step(*stage.batch_at(step), stage.lr_factor(step), step + 1)
        sums = terms if sums is None else {name: sums[name] + term for name, term in terms.items()}
        done = step + 1
        last = done == stage.steps
        due = last or (validate_every > 0 and done % validate_every == 0)
        stopping = stage.world.any(hooks.stop(), stage.data.device)
        old = time.monotonic() - saved > 60 * recipe.save_minutes  # saving needs no other process
        if due or stopping or old or done % recipe.log_every == 0:
            hooks.log(done, _means(sums, done - since, step))
            sums, since = None, done
        if due:
            hooks.validate(done)
        if due or stopping or old:
            hooks.save(done)
            saved = time.monotonic()
        if stopping and not last:
            return False
    return True


def _means(sums: Terms, count: int, step: int) -> dict[str, float]:
    means = {name: float(total) / count for name, total in sums.items()}
    for name, mean in means.items():
        if not math.isfinite(mean):
            raise TrainingDiverged(
                f"the loss must stay finite, got {name} = {mean} at step {step + 1}; "
                "lower lr, or set clip_norm or a longer warmup; what was saved before is kept"
            )
    return means
