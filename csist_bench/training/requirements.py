"""What a recipe asks of a network."""

from __future__ import annotations

from torch import nn

from csist_bench.errors import InputError
from csist_bench.training.recipe import TrainingRecipe


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
