"""How a row is repeated: the recipe it follows, and the commands that make its data, its answers and its score."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from csist_bench import files
from csist_bench.errors import must
from csist_bench.leaderboard.rows import Row
from csist_bench.methods.registry import METHODS, Method
from csist_bench.recipes import shipped

# How a run ends: its data set and its answers.
FILES = " --data set.zarr --out preds.json"
_ADAPTED = "-adapted"
_TRAINED_THERE = re.compile(r"-(noise\d+|dense)$")


def data_command(row: Row) -> str:
    """Return the command that makes the row's data set."""
    name, *departures = row.dataset_recipe.split(" ")
    seed = [f"--seed {row.data_seed}"] if row.data_seed else []
    options = [f"--set {shlex.quote(text)}" for text in departures]
    return " ".join(["csist-bench generate --recipe", shlex.quote(name), *options, *seed, "--out set.zarr"])


def run_command(row: Row) -> str:
    """Return the commands that answer the data set and score the answers; nothing where no recipe says how.

    A network whose weights are not shipped is trained first.
    """
    method = method_of(row)
    if method is None or not recipe_of(row) or not row.dataset_recipe:
        return ""
    decoder = ["--decoder", row.decoder] if row.decoder == "polish" else []
    run = shlex.join(["csist-bench", "run", method.name, *_weights(row, method), *decoder, *_said(row)]) + FILES
    split = f" --split {row.split}" if row.split != "test" else ""
    score = f"csist-bench evaluate preds.json --data set.zarr{split}"
    if row.rank != "score":
        score = f"csist-bench submit preds.json --data set.zarr{split} --tier reproduced --rank {row.rank} --dry-run"
    return "\n".join([*_training(row, method), run, score])


def run_arguments(row: Row) -> list[str]:
    """Return what follows `csist-bench run` to make a row's answers again, but for data, decoder and output.

    Raises
    ------
    InputError
        If no method here is the row's.
    """
    method = method_of(row)
    if method is None:
        raise must("method", "be one of the registry", row.method)
    return [method.name, *_weights(row, method), *_said(row)]


def _said(row: Row) -> list[str]:
    precision = ["--precision", "bfloat16"] if "precision=bfloat16" in row.settings else []
    return precision + (["--split", row.split] if row.split != "test" else [])


def method_of(row: Row) -> Method | None:
    """Return the registry's method of a row; None for one of somebody else."""
    return next((method for method in METHODS.values() if method.title == row.method), None)


def recipe_of(row: Row) -> str:
    """Return the name of the shipped recipe that a measured row follows; nothing where there is none."""
    method = method_of(row)
    if method is None or row.status != "reproduced":
        return ""
    names = shipped("methods")
    for name in _recipe_names(row, method):
        if name in names:
            return name
    return ""


def trained_there(row: Row) -> bool:
    """Whether a row's weights were adapted to its own data set, so that it says nothing of other ones."""
    return recipe_of(row).endswith(_ADAPTED)


def _recipe_names(row: Row, method: Method) -> list[str]:
    """Return what the recipe may be called, the likeliest first.

    Without its weights a row's recipe is known where the method has none at all: the method's own. (An installed
    package lacks the weights of `leaderboard/weights/`.)
    """
    weights = _shipped_weights(row)
    if weights:
        there = _TRAINED_THERE.sub(_ADAPTED, weights)
        return [weights, there, f"{weights}-labels", method.name]
    if "adversarial=0" in row.settings:
        return [f"{method.name}-regression"]
    known = any(method.name in names for names in _cards().values())
    return [] if known and row.recipe_hash else [method.name]


def _weights(row: Row, method: Method) -> list[str]:
    if not method.trainable:
        return [word for text in row.settings.split() for word in ("--set", text)]
    kept = "last" if "last weights" in row.note else "best"
    name = _shipped_weights(row) or f"runs/{recipe_of(row)}/{kept}.safetensors"
    return [] if name == method.name else ["--weights", name]


def _training(row: Row, method: Method) -> list[str]:
    if not method.trainable or _shipped_weights(row):
        return []
    recipe = recipe_of(row)
    given = f" --recipe {recipe}" if recipe != method.name else ""
    return ["csist-bench generate --resume", f"csist-bench train {method.name}{given} --out runs/{recipe}"]


def _shipped_weights(row: Row) -> str:
    """Return the name of the weights of a row's recipe; of several, those trained on the row's own data."""
    cards = _cards().get(row.recipe_hash, {}) if row.recipe_hash else {}
    there = [name for name, fingerprint in cards.items() if fingerprint == row.dataset_fingerprint]
    if len(cards) > 1:
        return there[0] if there else ""
    return next(iter(cards), "")


@cache
def _cards() -> Mapping[str, dict[str, str]]:
    """Return, by recipe hash, the names of weights and the fingerprint of the data that each was trained on."""
    found: dict[str, dict[str, str]] = {}
    for folder in (files.packaged("weights"), files.packaged("leaderboard") / "weights"):
        for path in sorted(Path(folder).glob("*.json")):
            card = json.loads(path.read_bytes())
            found.setdefault(card["recipe_hash"], {})[path.stem] = card.get("fingerprint", "")
    return found
