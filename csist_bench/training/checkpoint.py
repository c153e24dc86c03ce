"""A run's folder: best and last weights, the resumable state, the recipe and the log.

    runs/NAME/recipe.json            what is trained, on what data, with every value spelled out
    runs/NAME/best.safetensors       the weights of the highest validation score, and best.json, their card
    runs/NAME/last.safetensors       the weights of the last save, and last.json
    runs/NAME/resume.safetensors     weights, average, optimiser and progress: all that the next step depends on
    runs/NAME/log.jsonl              losses and scores

Every file is written beside its place and renamed, so that a kill at any moment leaves a state to go on from.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from torch import Tensor

from csist_bench.conventions import PriorTier
from csist_bench.errors import InputError, show
from csist_bench.files import replace_file, require_local
from csist_bench.files.sources import decoded_json, file_bytes
from csist_bench.methods.networks.base import plain_tensors, without_removed
from csist_bench.methods.networks.weights import read_tensors, write_tensors
from csist_bench.methods.registry import find
from csist_bench.recipes import resolved
from csist_bench.training.recipe import training_recipe

RECIPE, RESUME, BEST, LAST = "recipe.json", "resume.safetensors", "best.safetensors", "last.safetensors"
_STATE = "state"


class RunRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """What a run trains: method, settings and training recipe, every value spelled out, and the data's identity."""

    method: str
    settings: dict[str, Any]
    training: dict[str, Any]
    dataset: str
    fingerprint: str | None
    initial_weights: str = ""  # digest of the weights that training starts from, if any
    prior_tier: PriorTier | Literal[""] = ""  # what the network will know, of the data and from its first weights


class Progress(msgspec.Struct, kw_only=True):
    """How far a run is. `step` counts within the stage, `steps_before` those of earlier stages."""

    stage: int = 0
    step: int = 0
    steps_before: int = 0
    best: float | None = None
    minutes: float = 0.0
    minutes_before: float = 0.0  # of training the weights that the run started from
    devices: list[str] = []  # on which those minutes were spent
    learner: dict[str, Any] = {}

    @property
    def total_steps(self) -> int:
        """Steps taken over all stages."""
        return self.steps_before + self.step


def check_folder(folder: Path, recipe: RunRecipe, *, resume: bool, overwrite: bool) -> bool:
    """Check that a run may be carried out in a folder, changing nothing; returns whether there is a saved state.

    A run without calibration may be resumed with one, its last stage. A setting that was added after the run began may
    have any value: whether the network is still the same shows when its state is read.

    Raises
    ------
    InputError
        If the folder holds a run and neither flag is given, holds something else, or is to be resumed with another
        recipe or other data.
    """
    if resume:
        saved = read_run_recipe(folder)
        training = saved.training
        if not training["calibration"]:
            training = training | {"calibration": recipe.training["calibration"]}
        saved = msgspec.structs.replace(saved, settings=recipe.settings | saved.settings, training=training)
        _require_same(saved, recipe, folder)
        return (folder / RESUME).is_file()
    if (folder / RECIPE).is_file():
        if not overwrite:
            raise InputError(f"{folder} holds a run; go on with --resume, or start anew with --overwrite")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} must be an empty folder or a run's, got something else; choose another --out")
    return False


def create_folder(folder: Path, recipe: RunRecipe) -> None:
    """Make a run's folder anew; an earlier run in it is deleted."""
    if (folder / RECIPE).is_file():
        shutil.rmtree(folder)
    require_local(folder).mkdir(parents=True, exist_ok=True)
    write_recipe(folder, recipe)


def write_recipe(folder: Path, recipe: RunRecipe) -> None:
    """Write what a run trains."""
    replace_file(folder / RECIPE, msgspec.json.format(msgspec.json.encode(recipe), indent=2) + b"\n")


def read_run_recipe(folder: Path) -> RunRecipe:
    """Return what a run's folder says it trains."""
    path = folder / RECIPE
    if not path.is_file():
        raise InputError(f"{folder} holds no run to resume ({RECIPE} is missing); leave --resume out")
    saved: RunRecipe = decoded_json(file_bytes(path), f"{path}: not a run's recipe", RunRecipe)
    # Fields that were added after the run began have their defaults; settings that were removed since are left out.
    return msgspec.structs.replace(
        saved,
        settings=without_removed(find(saved.method), saved.settings),
        training=resolved(training_recipe(saved.training, str(path))),
    )


def _require_same(saved: RunRecipe, asked: RunRecipe, folder: Path) -> None:
    old, new = _flat(msgspec.to_builtins(saved)), _flat(msgspec.to_builtins(asked))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            was, now = show(old.get(name)), show(new.get(name))
            raise InputError(
                f"{name} must stay {was} to resume {folder}, got {now}; leave it, or start anew with --overwrite"
            )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def save_state(folder: Path, tensors: Mapping[str, Tensor], progress: Progress) -> None:
    """Write the resumable state."""
    write_tensors(folder / RESUME, plain_tensors(tensors), {_STATE: msgspec.json.encode(progress).decode()})


def load_state(folder: Path) -> tuple[dict[str, Tensor], Progress]:
    """Read the resumable state."""
    tensors, metadata = read_tensors(folder / RESUME)
    try:
        return tensors, msgspec.json.decode(metadata[_STATE], type=Progress)
    except (KeyError, msgspec.MsgspecError) as error:
        raise InputError(f"{folder / RESUME}: not the state of a run ({show(str(error))})") from None
