"""May a set that was begun be gone on with? The same recipe, targets and background only."""

from __future__ import annotations

from typing import Any

import msgspec

from csist_bench.datasets.reading import Dataset
from csist_bench.errors import InputError
from csist_bench.recipes import DESCRIPTIVE, DataRecipe, recipe_hash, resolved


def as_begun(existing: Dataset, recipe: DataRecipe) -> DataRecipe:
    """Return the recipe with the reference point of a set that version 0.1.0 began: (5, 5), whatever the size."""
    if existing.attributes.get("generator_version") == "0.1.0" and recipe.centre is None:
        return msgspec.structs.replace(recipe, centre=existing.recipe.centre)
    return recipe


def require_resumable(existing: Dataset, recipe: DataRecipe, extra: dict[str, Any], resume: bool) -> None:
    """Raise unless a set may be gone on with: `resume` is given, and recipe and sources (`extra`) are the same."""
    where = existing.path
    if not resume:
        state = "complete" if existing.fingerprint else "incomplete"
        raise InputError(
            f"{where}: exists already ({state}); pass --resume to finish it or --overwrite to make it anew"
        )
    if recipe_hash(existing.recipe) != recipe_hash(recipe):
        theirs, ours = ({**resolved(one), **dict.fromkeys(DESCRIPTIVE)} for one in (existing.recipe, recipe))
        changed = [f"{name}: {theirs[name]} -> {ours[name]}" for name in ours if theirs[name] != ours[name]]
        raise InputError(
            f"{where}: was begun with another recipe ({'; '.join(changed)});"
            " use the same one, another --out or --overwrite"
        )
    for name, source in (("targets_digest", "target table"), ("background_digest", "background")):
        if existing.attributes.get(name) != extra.get(name):
            raise InputError(
                f"{where}: was begun with another {source}; use the same one, another --out or --overwrite"
            )
