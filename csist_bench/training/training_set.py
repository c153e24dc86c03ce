"""A training split as units of batches: read once where it fits in memory, else in groups of its chunks."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from csist_bench.datasets import Split
from csist_bench.datasets.layout import chunk_length
from csist_bench.errors import InputError
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.training.chunked_set import ChunkedTrainingSet
from csist_bench.training.in_memory_set import InMemoryTrainingSet
from csist_bench.training.recipe import TrainingRecipe
from csist_bench.training.sparse_labels import sparse_labels

BYTES_PER_TARGET = 12
# Of a split read in groups: one or two are held, and reading one takes the room of about two more.
GROUPS_IN_MEMORY = 4

TrainingSet = InMemoryTrainingSet | ChunkedTrainingSet


def training_set(split: Split, recipe: TrainingRecipe, whole_trajectories: bool, device: torch.device) -> TrainingSet:
    """Return a split as units for training: in memory, or read in groups if it would take more than `max_ram` GB.

    Raises
    ------
    InputError
        If the split holds no target, or its chunks are too large for `max_ram`.
    """
    count = min(recipe.trajectories or split.n_trajectories, split.n_trajectories)
    bounds = _group_bounds(split, count, recipe.max_ram)
    if not any(_labels(split, *group)[1].any() for group in bounds):
        raise InputError(f"the {split.name} split must hold at least one target on the grid to train on, got none")
    read = partial(_read, split, recipe, whole_trajectories, device)
    return ChunkedTrainingSet(read, bounds) if len(bounds) > 1 else read(0, count)


def _read(
    split: Split, recipe: TrainingRecipe, whole_trajectories: bool, device: torch.device, start: int, stop: int
) -> InMemoryTrainingSet:
    """Read trajectories start..stop-1 into memory."""
    node, intensity = _labels(split, start, stop, recipe.label_falloff)
    background = Camera.from_recipe(split.recipe).background
    frames = np.subtract(split.read("frames", start, stop), background, dtype=np.float32)
    scored = slice(split.scored_frames.start, split.scored_frames.stop)
    arrays: list[NDArray[Any]] = [frames, node, intensity]
    if not whole_trajectories:
        used = scored if recipe.frames == "scored" else slice(None)
        units = (stop - start) * len(range(split.n_frames)[used])
        arrays = [array[:, used].reshape(units, 1, *array.shape[2:]) for array in arrays]
        scored = slice(0, 1)
    on_frames, on_node, on_intensity = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
    return InMemoryTrainingSet(on_frames, on_node, on_intensity, Optics.from_recipe(split.recipe), scored)


def _labels(split: Split, start: int, stop: int, falloff: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    xy, intensity = split.read("target_xy", start, stop), split.read("target_intensity", start, stop)
    return sparse_labels(xy, intensity, Optics.from_recipe(split.recipe), split.recipe.label_collision, falloff)


def _group_bounds(split: Split, trajectories: int, max_ram: float) -> list[tuple[int, int]]:
    """Return the bounds of the groups that are read at a time: one of everything if that fits, else whole chunks."""
    recipe = split.recipe
    each = 1e-9 * split.n_frames * (4 * recipe.size**2 + BYTES_PER_TARGET * recipe.k_max)  # GB of a trajectory
    if trajectories * each <= max_ram:
        return [(0, trajectories)]
    chunk = chunk_length(recipe)
    length = int(max_ram / GROUPS_IN_MEMORY / each) // chunk * chunk
    if not length:
        raise InputError(
            f"max_ram must be at least {GROUPS_IN_MEMORY * chunk * each:.3g} GB, {GROUPS_IN_MEMORY} chunks of the "
            f"{split.name} split, got {max_ram:g}; raise it, or train on part of the split with "
            f"--set trajectories={int(max_ram / each)}"
        )
    return [(start, min(start + length, trajectories)) for start in range(0, trajectories, length)]
