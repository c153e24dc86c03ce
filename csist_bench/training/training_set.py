"""What a run learns from: a training split as units of batches, or a stream of scenes; and the first guess of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from csist_bench.datasets import Dataset, Split
from csist_bench.datasets.layout import chunk_length
from csist_bench.errors import InputError
from csist_bench.methods.registry import Method
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics, label_nodes
from csist_bench.training.recipe import TrainingRecipe
from csist_bench.training.stream import SceneStream, scene_stream
from csist_bench.training.stream_recipe import STORED
from csist_bench.training.unit_sets import ChunkedTrainingSet, InMemoryTrainingSet

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


def sparse_labels(
    xy: NDArray[np.float64], intensity: NDArray[np.float64], optics: Optics, collision: str, falloff: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the flat node (..., K) and intensity (..., K) of every target; 0 and 0 for absent and off-grid ones.

    With `collision` "last", targets on a node that a later one takes have intensity 0, so that sums give the last.
    An intensity is lowered by the share `falloff` for each pixel between its target and its node.
    """
    index, present = label_nodes(np, xy, optics.c, optics.grid_size)
    node = index.astype(np.int64)
    place = np.stack([node % optics.grid_size, node // optics.grid_size], axis=-1)
    distance = np.linalg.norm(xy - (place - (optics.c - 1) / 2) / optics.c, axis=-1)
    lowered = np.where(present, intensity * (1 - falloff * np.where(present, distance, 0.0)), 0.0)
    if collision == "last":
        for later in range(1, node.shape[-1]):
            taken = present[..., later, None] & (node[..., :later] == node[..., later, None])
            lowered[..., :later] = np.where(taken, 0.0, lowered[..., :later])
    return node, lowered.astype(np.float32)


TrainingData = TrainingSet | SceneStream

_OF_STORED_SETS = ("augment", "noise", "label_falloff")


def training_data(method: Method, store: Dataset, recipe: TrainingRecipe, device: torch.device) -> TrainingData:
    """Return the training split of a data set as units of batches, or the stream that the recipe names.

    Raises
    ------
    InputError
        If the recipe asks for what its data cannot give, or the network learns from a stream and none is named.
    """
    whole, grids = method.context == "trajectory", method.output == "grid"
    if recipe.stream:
        for name in _OF_STORED_SETS:
            if getattr(recipe, name):
                raise InputError(f"{name} must be left out with a stream, which has scenes and noise of its own")
        return scene_stream(store, recipe.stream, recipe.frames, grids, whole, device)
    if not grids:
        raise InputError(f"{method.name} learns from a stream; give --stream {STORED} for the scenes of the data set")
    return training_set(store.split("train"), recipe, whole, device)


def fitted_initialiser(data: TrainingData, recipe: TrainingRecipe) -> NDArray[np.float32] | None:
    """Return Q fitted to the data; None where the recipe asks for the pseudo-inverse of Phi."""
    return data.initialiser(recipe.initialiser_ridge) if recipe.initialiser == "fitted" else None
