"""The stages of a run, as its recipe has them: windowed pre-training, training on full frames, calibration.

Also what a recipe asks of a network.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
from torch import nn

from csist_bench.errors import InputError
from csist_bench.training.distributed import World
from csist_bench.training.loop import CALIBRATION, FULL, WINDOW, Stage
from csist_bench.training.recipe import CalibrationRecipe, TrainingRecipe, WindowRecipe
from csist_bench.training.stream import SceneStream
from csist_bench.training.training_set import TrainingData


def stages_of(recipe: TrainingRecipe, data: TrainingData, world: World) -> list[Stage]:
    """Return the stages of a run in the order in which they are taken.

    Raises
    ------
    InputError
        If there is a window and the data are a stream, or a batch cannot be shared evenly by the processes.
    """
    stages = [_full_stage(recipe, data, world)]
    if recipe.window:
        stages.insert(0, _window_stage(recipe, recipe.window, data, world))
    if recipe.calibration:
        stages.append(_calibration_stage(recipe, recipe.calibration, data, world))
    return stages


def _full_stage(recipe: TrainingRecipe, data: TrainingData, world: World) -> Stage:
    batch = _batch(recipe, data, world)
    return Stage(1, FULL, data, _steps(data, batch, recipe), batch, recipe.lr, recipe, world)


def _window_stage(recipe: TrainingRecipe, window: WindowRecipe, data: TrainingData, world: World) -> Stage:
    if isinstance(data, SceneStream):
        raise InputError("window must be left out with a stream: its frames are drawn whole")
    crops = data.windowed(window.size)
    batch = _batch(recipe, crops, world, window)
    return Stage(0, WINDOW, crops, _steps(crops, batch, window), batch, window.lr or recipe.lr, recipe, world)


def _calibration_stage(recipe: TrainingRecipe, last: CalibrationRecipe, data: TrainingData, world: World) -> Stage:
    assert isinstance(data, SceneStream)  # networks that answer errors learn from one
    stream = replace(data, told=msgspec.structs.replace(data.told, noise_free=last.noise_free))
    return Stage(2, CALIBRATION, stream, last.steps, _batch(recipe, stream, world), last.lr, recipe, world)


def _batch(recipe: TrainingRecipe, data: TrainingData, world: World, window: WindowRecipe | None = None) -> int:
    """Return the units of a batch: frames, or trajectories where units have several."""
    if data.sequence_length == 1:
        asked = (window.batch_frames if window else 0) or recipe.batch_frames
    else:
        asked = (window.batch_trajectories if window else 0) or recipe.batch_trajectories
    batch = min(asked, len(data))
    world.require_divisible(batch)
    return batch


def _steps(data: TrainingData, batch: int, length: TrainingRecipe | WindowRecipe) -> int:
    """Return the steps of a stage: those asked for, or where that is 0 as many as `epochs` passes over the data."""
    return length.steps or max(1, round(length.epochs * (len(data) // batch)))


def require_fit(name: str, model: nn.Module, recipe: TrainingRecipe) -> None:
    """Check that a network can be trained as a recipe says.

    Raises
    ------
    InputError
        If the recipe has a stage, an optimiser or a critic that the network cannot be trained with.
    """
    if recipe.window and not getattr(model, "resizable", False):
        raise InputError(f"window must be left out for {name}: its weights are tied to the grid's size")
    if recipe.optimiser == "muon" and getattr(model, "stacked_layers", False):
        raise InputError(f"optimiser must be adam or adamw for {name}: each of its parameters holds all its layers")
    if recipe.calibration and getattr(model, "calibrating", None) is None:
        raise InputError(f"calibration must be false for {name}: the network answers no errors that can be fitted")
    if recipe.adversarial and not hasattr(model, "critic"):
        raise InputError(f"adversarial must be left out for {name}: the network has no critic")
