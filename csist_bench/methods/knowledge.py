"""What a network knows of the scenes: the laws that it was trained on, and what its first weights knew before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from csist_bench.conventions import PriorTier
from csist_bench.errors import InputError
from csist_bench.recipes import load_data_recipe

# From the least knowledge to the most; to know the axes is more than to know them up to a rotation.
ORDER: tuple[PriorTier, ...] = ("A", "B", "B+spacing", "C", "D-rotated", "D")


def most_known(tiers: Iterable[PriorTier]) -> PriorTier:
    """Return the tier that stands for the most knowledge."""
    return max(tiers, key=ORDER.index)


def tier_of_law(name: str) -> PriorTier:
    """Return the tier that training on a data recipe gives; D where there is no recipe of that name."""
    try:
        return load_data_recipe(name).prior_tier
    except InputError:
        return "D"


def tier_of_weights(told: PriorTier | Literal[""], dataset: str, training: Mapping[str, Any]) -> PriorTier:
    """Return the tier of weights from their card.

    A new card counts what its first weights knew. An older one does not tell, and its own laws decide.

    Parameters
    ----------
    told : PriorTier or ""
        What the card itself says; it is believed. Cards that are older than that field say nothing.
    dataset : str
        The data recipe of the stored training set.
    training : mapping
        The training recipe; its stream, if there is one, names the laws in the place of `dataset`.
    """
    if told:
        return told
    scenes = (training.get("stream") or {}).get("scenes") or [dataset]
    return most_known(map(tier_of_law, scenes))
