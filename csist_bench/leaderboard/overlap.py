"""What a method was trained on, and how much of a test split that holds: computed, not asked.

A scene is a function of (recipe, seed, index): two sets share scenes where seed and index agree and the recipes draw
alike. So the scenes in question are drawn again under both recipes and compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench.errors import InputError, must, unknown
from csist_bench.leaderboard.datasets import dataset_recipe, recipe_from_text
from csist_bench.recipes import DataRecipe, load_data_recipe, shipped

if TYPE_CHECKING:
    from csist_bench.simulation.scenes import Scenes

BLOCK = 1 << 20  # target positions that are drawn together
LARGEST_DRAWN = 10**8  # target positions that are drawn at all; seqcsist's test split has 60,000
SAME_PX = 2e-6  # positions are rounded to 1e-6 px
_LONGEST = 2000
OTHER = "other:"
STREAM, ALL = "stream", "all"
SPLITS_OF = {"train": ("train",), "val": ("val",), "train+val": ("train", "val"), "test": ("test",)}
FORM = "'RECIPE [NAME=VALUE ...] [seed=N] [indices=train|val|train+val|all|stream|START:STOP]' or 'other: WORDS'"


class TrainingData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Trajectories that a method was trained on: of a recipe (`recipe`, `seed`, `indices`), or `other` data in words.

    `recipe` is a name and what departs from it, as in a row's `dataset_recipe`. `indices` count over the whole set,
    train first, then val and test: "train", "val", "train+val", "all", START:STOP, or "stream" for endless scenes of
    the recipe's law, which are of no set.
    """

    recipe: Annotated[str, Meta(max_length=_LONGEST, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    indices: Annotated[str, Meta(max_length=40, pattern=r"^(train|val|test|train\+val|all|stream|\d+:\d+)$")] = "train"
    other: Annotated[str, Meta(max_length=_LONGEST, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""

    def __post_init__(self) -> None:
        if bool(self.recipe) == bool(self.other):
            raise must("training data", "name either a recipe or other data", "both" if self.recipe else "neither")

    def table(self) -> dict[str, str | int]:
        """Return the fields that count."""
        return {"other": self.other} if self.other else {n: getattr(self, n) for n in ("recipe", "seed", "indices")}

    @property
    def text(self) -> str:
        """What the data are, in short."""
        return self.other or f"{self.recipe} seed={self.seed} indices={self.indices}"


@dataclass(frozen=True)
class Overlap:
    """Trajectories of a test split that training data hold (`same`), or hold changed by another law (`kin`)."""

    same: int = 0
    kin: int = 0


def training_from_text(text: str) -> TrainingData:
    """Return the training data that a text of the form `FORM` means.

    Raises
    ------
    InputError
        If it is of another form, or names no recipe or file.
    """
    if text.startswith(OTHER):
        return _checked({"other": text.removeprefix(OTHER).strip()}, text)
    name, *words = text.split() or [""]
    told = dict(word.partition("=")[::2] for word in words)
    indices = told.pop("indices", "train")
    departures = [f"{key}={value}" for key, value in told.items()]
    if name not in shipped("data") and not name.endswith(".toml"):
        raise InputError(f"--trained-on {text!r}: {unknown('recipe', name, shipped('data'))} (or {OTHER} WORDS)")
    try:
        recipe = load_data_recipe(name, departures)
    except InputError as error:
        raise InputError(f"--trained-on {text!r}: {error}") from None
    data = _checked({"recipe": dataset_recipe(recipe), "seed": recipe.seed, "indices": indices}, text)
    _range_of(data, recipe)
    return data


def _checked(values: dict[str, object], text: str) -> TrainingData:
    try:
        return msgspec.convert(values, TrainingData)
    except msgspec.ValidationError:
        raise must("--trained-on", f"be {FORM}", text) from None


def recipe_of(data: TrainingData) -> DataRecipe | None:
    """Return the recipe of training data with its seed; None for other data."""
    return msgspec.structs.replace(recipe_from_text(data.recipe), seed=data.seed) if data.recipe else None


def _range_of(data: TrainingData, recipe: DataRecipe) -> range | None:
    """Return the indices, over the whole set, of training data; None for a stream, which is of no set."""
    if data.indices == STREAM:
        return None
    sizes = recipe.split_sizes()
    if data.indices in SPLITS_OF:
        return _range_of_splits(sizes, SPLITS_OF[data.indices])
    if data.indices == ALL:
        return range(recipe.trajectories)
    start, stop = map(int, re.findall(r"\d+", data.indices))
    if not start < stop <= recipe.trajectories:
        raise must("indices of training data", f"be START:STOP within 0:{recipe.trajectories}", data.indices)
    return range(start, stop)


def _range_of_splits(sizes: dict[str, int], splits: tuple[str, ...]) -> range:
    names = list(sizes)
    start = sum(sizes[name] for name in names[: names.index(splits[0])])
    return range(start, start + sum(sizes[name] for name in splits))


def overlap(data: TrainingData, test: DataRecipe, split: str) -> Overlap | None:
    """Return how many trajectories of a split training data hold; None where that cannot be computed.

    Raises
    ------
    InputError
        If the training data name a recipe or indices that do not exist.
    """
    recipe = recipe_of(data)
    if recipe is None or "given" in (recipe.directions, test.directions):
        return None
    trained = _range_of(data, recipe)
    if trained is None or recipe.seed != test.seed:
        return Overlap()
    tested = _range_of_splits(test.split_sizes(), (split,))
    shared = range(max(trained.start, tested.start), min(trained.stop, tested.stop))
    each = max(one.frames * one.k_max for one in (recipe, test))
    if len(shared) * each > LARGEST_DRAWN:
        rule = f"share at most {LARGEST_DRAWN // each:,} indices with the split, to be compared"
        raise must(f"training data {data.text}", rule, f"{len(shared):,}")
    same = kin = 0
    block = max(1, BLOCK // each)
    for start in range(shared.start, shared.stop, block):
        indices = range(start, min(start + block, shared.stop))
        alike, akin = _compared(recipe, test, indices)
        same, kin = same + int(alike.sum()), kin + int((akin & ~alike).sum())
    return Overlap(same, kin)


def _compared(one: DataRecipe, other: DataRecipe, indices: range) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which trajectories are the same scene under two recipes, and which have a target's brightness drawn alike.

    Positions count from the recipes' reference points, over the frames that both have.
    """
    from csist_bench.simulation.scenes import draw_scenes

    a, b = draw_scenes(one, indices), draw_scenes(other, indices)
    t, k = min(one.frames, other.frames), max(one.k_max, other.k_max)
    place_a, place_b = _places(a, one, t, k), _places(b, other, t, k)
    near: NDArray[np.bool_] = np.all(np.isclose(place_a, place_b, rtol=0, atol=SAME_PX, equal_nan=True), axis=(1, 2, 3))
    light = np.isclose(_draws(a, one), _draws(b, other), rtol=0, atol=1e-9)
    return near, light


def _places(scenes: Scenes, recipe: DataRecipe, t: int, k: int) -> NDArray[np.float64]:
    xy = np.full((len(scenes.xy), t, k, 2), np.nan)
    xy[:, :, : scenes.xy.shape[2]] = scenes.xy[:, :t] - recipe.reference
    return xy


def _draws(scenes: Scenes, recipe: DataRecipe) -> NDArray[np.float64]:
    """Return the uniform number behind the brightness of each first target; NaN where all are equally bright."""
    wide = recipe.intensity_max - recipe.intensity_min
    first = scenes.intensity[:, 0, 0] - recipe.intensity_min
    return np.asarray(first / wide if wide > 0 else np.full(len(first), np.nan))
