"""A network trained to its row of the leaderboard in a given time: by its recipe, in steps as large as that takes.

What a GPU makes of the recipe is looked at first: a few steps choose between TF32 and bfloat16, and how many times the
recipe's batch a step takes, so that the run ends within its time. Learning rate, schedule and epochs stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import torch

from csist_bench.datasets import Dataset, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.errors import must
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.truth import Truth
from csist_bench.files import packaged
from csist_bench.leaderboard.rows import Row, read_rows, standing
from csist_bench.methods.inference import unmix
from csist_bench.methods.networks.base import network_from_settings
from csist_bench.methods.registry import METHODS, settings_of
from csist_bench.recipes import load_data_recipe, load_method_recipe
from csist_bench.speed.device_clock import seconds_of
from csist_bench.speed.measures import Measure
from csist_bench.speed.networks import batch_of, learner_of
from csist_bench.speed.way import Way
from csist_bench.training.distributed import World
from csist_bench.training.recipe import TrainingRecipe, training_recipe
from csist_bench.training.run import Options, Outcome, train
from csist_bench.training.stages import stages_of
from csist_bench.training.training_set import training_data

SHARE_OF_STEPS = 0.8  # of a training's time; the start, validation and saves take the rest
WORTH = 1.2  # times as fast as TF32 bfloat16 must be to be chosen
MOST_TIMES = 8  # the recipe's batch

# Sets that a network is scored on: recipe and read noise, grey levels. The first is validated on.
SCORED_ON = {"offgrid-net": (("seqcsist-noise", 5.0), ("seqcsist", 0.0)), "edsr": (("seqcsist", 0.0),)}

Figures = Generator[Measure, None, Any]


@dataclass(frozen=True)
class Budget:
    """What a training may take: seconds, trajectories of its sets, and what departs from its recipe."""

    seconds: float
    trajectories: int = 5000
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


def train_to_row(name: str, device: torch.device, budget: Budget) -> Iterator[Measure]:
    """Yield how long a network trains and what it then scores, beside the row that its own recipe made.

    A score reaches the row where it is not below the row's 95 % interval.
    """
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        stores = [_made(Path(folder), budget, *which) for which in SCORED_ON[name]]
        yield Measure(f"{name}: data sets made", time.perf_counter() - began, "s")
        weights = yield from _trained(name, stores[0], Path(folder) / "run", device, budget)
        for store, which in zip(stores, SCORED_ON[name], strict=True):
            yield from _scored(name, store, weights, device, row_of(name, *which))


def _made(folder: Path, budget: Budget, recipe: str, sigma: float) -> Dataset:
    changes = [f"trajectories={budget.trajectories}", *([f"noise_sigma={sigma}"] if sigma else [])]
    generate(folder / f"{recipe}.zarr", load_data_recipe(recipe, changes))
    return open_dataset(folder / f"{recipe}.zarr")


def _trained(name: str, store: Dataset, folder: Path, device: torch.device, budget: Budget) -> Figures:
    """Train within the time; return the weights to use."""
    began = time.perf_counter()
    method = METHODS[name]
    settings = settings_of(method, budget.settings)
    table = {**load_method_recipe(name).training, **budget.training}
    recipe, times = yield from fitting(name, store, training_recipe(table), settings, device, budget.seconds)
    left = max(1.0, budget.seconds - (time.perf_counter() - began))
    how = Options(folder, max_minutes=left / 60)
    outcome = train(method, store, settings, recipe, how, device, partial(print, flush=True))
    yield Measure(f"{name}: trained in", time.perf_counter() - began, "s", f"<= {budget.seconds:.0f}")
    yield Measure(
        "  steps", outcome.steps, f"of {times} x the recipe's batch" + ("" if outcome.finished else ", cut off")
    )
    return folder / _weights_of(outcome)


def _weights_of(outcome: Outcome) -> str:
    """Return the name of the weights to use: those of a run that was cut off are the last that were saved."""
    return outcome.weights if outcome.finished else "last.safetensors"


def fitting(
    name: str,
    store: Dataset,
    recipe: TrainingRecipe,
    settings: Mapping[str, Any],
    device: torch.device,
    seconds: float,
) -> Figures:
    """Yield how long a step takes; return the recipe that ends in time, and how many times the batch its steps take."""
    kinds = ("tf32", "bfloat16") if device.type != "cpu" else ("float32",)
    took = {kind: _step_s(name, store, _carried_out(recipe, kind, 1), settings, device) for kind in kinds}
    chosen = "bfloat16" if WORTH * took.get("bfloat16", float("inf")) <= took[kinds[0]] else kinds[0]
    for kind in kinds:
        yield Measure(f"{name}: a step, {kind}", 1000 * took[kind], "ms")
    times, step_s = 1, took[chosen]
    steps = _count(name, store, recipe, device)
    while steps / times * step_s > SHARE_OF_STEPS * seconds and times < MOST_TIMES:
        times *= 2
        step_s = _step_s(name, store, _carried_out(recipe, chosen, times), settings, device)
        yield Measure(f"  of {times} x the batch", 1000 * step_s, "ms")
    return _carried_out(recipe, chosen, times), times


def _carried_out(recipe: TrainingRecipe, precision: str, times: int) -> TrainingRecipe:
    """Return a recipe that sees as many samples in steps of `times` the batch."""
    changes: dict[str, Any] = {"precision": precision, "batch_frames": times * recipe.batch_frames}
    changes["batch_trajectories"] = times * recipe.batch_trajectories
    changes["steps"] = -(-recipe.steps // times)
    if recipe.calibration:
        shorter = -(-recipe.calibration.steps // times)
        changes["calibration"] = msgspec.structs.replace(recipe.calibration, steps=shorter)
    return msgspec.structs.replace(recipe, **changes)


def _step_s(
    name: str, store: Dataset, recipe: TrainingRecipe, settings: Mapping[str, Any], device: torch.device
) -> float:
    """Return the time of a step and of the drawing of its batch, s."""
    method, way = METHODS[name], Way(device)
    data = training_data(method, store, recipe, device)
    model = network_from_settings(method, data.optics, settings)
    learner = learner_of(method, model, recipe, data.scored, way)
    units = min(recipe.batch_frames if data.sequence_length == 1 else recipe.batch_trajectories, len(data))
    return seconds_of(lambda: learner.step(*batch_of(data, units), 0.0, 1), device, 2)


def _count(name: str, store: Dataset, recipe: TrainingRecipe, device: torch.device) -> int:
    """Return the steps of all stages of a recipe."""
    stages = stages_of(recipe, training_data(METHODS[name], store, recipe, device), World())
    return sum(stage.steps for stage in stages)


def _scored(name: str, store: Dataset, weights: Path, device: torch.device, row: Row) -> Iterator[Measure]:
    test, began = store.split("test"), time.perf_counter()
    found = unmix(test, name, weights=weights, device=str(device))
    seconds = time.perf_counter() - began
    score = evaluate(found, Truth.from_split(test)).cso_map
    least = row.cso_map if row.cso_map_low is None else row.cso_map_low
    yield Measure(f"{name}: CSO-mAP on {row.dataset}", score, "%", f">= {least:.2f}, the row is {row.cso_map:.2f}")
    yield Measure("  answered", len(test.scored_frames) * test.n_trajectories / seconds, "frames/s")


def row_of(name: str, recipe: str, sigma: float) -> Row:
    """Return the row that a network's own recipe made: ranked by score, its answers not polished.

    Raises
    ------
    InputError
        If the leaderboard of this package has no such row, or several.
    """
    wanted = (METHODS[name].title, recipe, sigma, "", "score", "reproduced")
    rows = standing(read_rows(packaged("leaderboard") / "leaderboard.csv"))
    found = [
        row
        for row in rows
        if (row.method, row.dataset_recipe.split()[0], row.noise_sigma, row.settings, row.rank, row.status) == wanted
        and row.decoder != "polish"
        and row.split == "test"
    ]
    if len(found) != 1:
        raise must(f"{name} on {recipe}, sigma {sigma:g}", "have one row", len(found))
    return found[0]
