"""How a data set is called on the leaderboard: the name of its recipe and what departs from the shipped one."""

from __future__ import annotations

from typing import Any

from csist_bench.recipes import DESCRIPTIVE, DataRecipe, convert, load_data_recipe, parse_overrides, resolved, shipped

# Columns of their own.
_NOT_SHOWN = ("name", "seed", *DESCRIPTIVE)


def dataset_label(recipe: DataRecipe) -> str:
    """Return the short name, such as `seqcsist` or `seqcsist-noise sigma=2`; the noise is always said."""
    others = [text for name, text in _departures(recipe).items() if name != "noise_sigma"]
    noise = [f"sigma={recipe.noise_sigma:g}"] if recipe.noise_sigma else []
    return " ".join([recipe.name, *noise, *others])


def dataset_recipe(recipe: DataRecipe) -> str:
    """Return the recipe's name and every departure as `--set` takes it, such as `seqcsist-noise noise_sigma=5.0`."""
    return " ".join([recipe.name, *_departures(recipe).values()])


def recipe_from_text(text: str) -> DataRecipe:
    """Return the recipe that `dataset_recipe` wrote."""
    name, *departures = text.split(" ")
    if name in shipped("data"):
        return load_data_recipe(name, departures)
    return convert({"name": name, **parse_overrides(departures, DataRecipe)}, DataRecipe, name)


def _departures(recipe: DataRecipe) -> dict[str, str]:
    base = load_data_recipe(recipe.name) if recipe.name in shipped("data") else DataRecipe(name=recipe.name)
    plain = resolved(base)
    return {
        name: f"{name}={_toml(value)}"
        for name, value in resolved(recipe).items()
        if name not in _NOT_SHOWN and value != plain[name]
    }


def _toml(value: Any) -> str:
    """Return a value as TOML without spaces; a word stays bare."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(f'"{item}"' if isinstance(item, str) else _toml(item) for item in value) + "]"
    return str(value)
