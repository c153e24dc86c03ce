"""Hashes that weights trained by the shipped recipes may bear, by every scheme."""

from __future__ import annotations

from csist_bench import files
from csist_bench.methods.networks.weight_files import shipped_weights
from csist_bench.methods.networks.weights import read_card
from csist_bench.methods.registry import Method
from csist_bench.recipes import load_method_recipe, shipped
from csist_bench.training.recipe import TrainingRecipe, training_hash, training_hash_1, training_recipe
from csist_bench.training.start import weights_digest


def shipped_hashes(method: Method) -> set[str]:
    """Return the hashes of every shipped recipe of a network.

    By scheme 2 a recipe has one for each of the weights that its runs may have started from: none, those shipped for
    the method that the recipe names, and those that cards of shipped weights name.
    """
    hashes = set()
    from_cards = _initial_weights_of_cards(method)
    for name in shipped("methods"):
        file = load_method_recipe(name)
        if file.method != method.name:
            continue
        recipe = training_recipe(file.training, name)
        hashes.add(training_hash_1(method, file.settings, recipe))
        starts = from_cards | _shipped_start(recipe)
        hashes |= {training_hash(method, file.settings, recipe, digest) for digest in starts}
    return hashes


def _shipped_start(recipe: TrainingRecipe) -> set[str]:
    """Return the digest of the shipped weights that a recipe starts from; "" where it starts from none."""
    if not recipe.start_from:
        return {""}
    path = shipped_weights(recipe.start_from)
    return {weights_digest(path)} if path else set()


def _initial_weights_of_cards(method: Method) -> set[str]:
    folder = files.packaged("weights")
    cards = [read_card(path) for path in sorted(folder.glob(f"{method.name}*.json"))]
    return {card.initial_weights for card in cards if card.method == method.name and card.initial_weights}
