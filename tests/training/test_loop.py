from collections.abc import Callable

import pytest
import torch

from csist_bench.training.distributed import World
from csist_bench.training.loop import FULL, Hooks, Stage, TrainingDiverged, run_stage
from csist_bench.training.recipe import TrainingRecipe
from tests.helpers.unit_sets import random_units


class Recorded:
    """A learner that notes what it is given; its loss is the step's number, or as told."""

    def __init__(self, loss: Callable[[int], float] = float) -> None:
        self.model, self.loss, self.units, self.factors = torch.nn.Linear(1, 1), loss, [], []

    def step(self, frames, labels, lr_factor, step):
        self.units.append(frames[:, 0, 0, 0].tolist())
        self.factors.append(lr_factor)
        return {"total": torch.tensor(self.loss(step))}


def stage(steps: int = 6, units: int = 10, **recipe) -> Stage:
    recipe = TrainingRecipe(**{"log_every": 2, "validate_every": 1.0, "schedule": "constant", **recipe})
    return Stage(1, FULL, random_units(units), steps, 5, 1e-3, recipe, World())


def events(of: Stage, learner: Recorded, start: int = 0, stop: Callable[[], bool] = lambda: False):
    seen = []
    hooks = Hooks(
        lambda step, means: seen.append(("log", step, means["total"])),
        lambda step: seen.append(("validate", step)),
        lambda step: seen.append(("save", step)),
        stop,
    )
    return run_stage(of, learner, start, hooks), seen


def test_logs_are_means_since_the_last_and_every_epoch_is_validated_and_saved() -> None:
    finished, seen = events(stage(steps=5), Recorded())
    assert finished
    assert seen == [
        ("log", 2, 1.5), ("validate", 2), ("save", 2), ("log", 4, 3.5), ("validate", 4), ("save", 4),
        ("log", 5, 5.0), ("validate", 5), ("save", 5),
    ]  # fmt: skip


def test_a_stop_is_logged_and_saved_but_not_validated() -> None:
    finished, seen = events(stage(validate_every=3.0), Recorded(), stop=lambda: True)
    assert not finished
    assert seen == [("log", 1, 1.0), ("save", 1)]


def test_a_stop_at_the_last_step_comes_too_late() -> None:
    finished, seen = events(stage(), Recorded(), start=5, stop=lambda: True)
    assert finished
    assert seen == [("log", 6, 6.0), ("validate", 6), ("save", 6)]


def test_a_loss_that_is_not_finite_saves_nothing() -> None:
    learner = Recorded(lambda step: float("nan") if step == 2 else 1.0)
    with pytest.raises(TrainingDiverged, match="got total = nan at step 2; lower lr"):
        events(stage(), learner)


def test_an_epoch_takes_every_unit_once_and_a_later_start_takes_the_same() -> None:
    whole, late = Recorded(), Recorded()
    events(stage(), whole)
    events(stage(), late, start=3)
    assert late.units == whole.units[3:]
    epochs = [sorted(whole.units[i] + whole.units[i + 1]) for i in (0, 2, 4)]
    assert epochs == [list(range(10))] * 3
    assert whole.units[:2] != whole.units[2:4]


def test_noise_and_symmetries_follow_the_step_alone() -> None:
    plain, changed = stage(), stage(noise=1.0, augment=True)
    frames, labels = changed.batch_at(3)
    again = changed.batch_at(3)
    assert torch.equal(frames, again[0])
    assert torch.equal(labels, again[1])
    assert not torch.allclose(frames.sum(), plain.batch_at(3)[0].sum())
    assert not torch.equal(labels, plain.batch_at(3)[1])
    assert torch.equal(labels.sum((-1, -2)), plain.batch_at(3)[1].sum((-1, -2)))


def test_the_rate_follows_the_schedule() -> None:
    learner = Recorded()
    events(stage(steps=4, warmup=0.5), learner)
    assert learner.factors == [0.5, 1.0, 1.0, 1.0]
