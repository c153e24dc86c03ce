"""What a run learns from: the stored training split, or a stream of scenes; and the first guess fitted to it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.methods.registry import Method
from csist_bench.training.recipe import TrainingRecipe
from csist_bench.training.stream import SceneStream, scene_stream
from csist_bench.training.stream_recipe import STORED
from csist_bench.training.training_set import TrainingSet, training_set

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
