"""`csist-bench validate`."""

from __future__ import annotations

import sys
from typing import Any

import click

from csist_bench.cli.options import (
    DEFAULT_DATA,
    ProgressLine,
    convention_options,
    json_option,
    note,
    note_convention,
    pixel_size_option,
    print_json,
    say,
)


@click.command("validate")
@click.argument("path")
@click.option(
    "--data", default=None, metavar="PATH", help=f"Data set that predictions are checked against ({DEFAULT_DATA})."
)
@pixel_size_option
@convention_options
@json_option
def command(path: str, data: str | None, as_json: bool, **reading: Any) -> None:
    """Check PATH: a data set, a recipe (file or shipped name), a prediction file, or frames without targets.

    A data set is read whole: digests, fingerprint, targets drawn and frames rendered again. Exit code 2 if anything is
    wrong.

    \b
    Examples:
      csist-bench validate data/seqcsist.zarr
      csist-bench validate preds.json --data data/seqcsist.zarr
    """
    from csist_bench.cli.kinds import kind_of

    kind = kind_of(path)
    if kind == "predictions":
        faults = _predictions(path, data or DEFAULT_DATA, reading)
    else:
        faults = {"dataset": _dataset, "recipe": _recipe, "frames": _frames}[kind](path, data or DEFAULT_DATA)
    if as_json:
        print_json({"path": path, "kind": kind, "valid": not faults, "faults": faults})
    else:
        for fault in faults:
            note(f"csist-bench: error: {fault}")
        if not faults:
            say(f"{path}: valid {kind}")
    if faults:
        sys.exit(2)


def _dataset(path: str, _data: str) -> list[str]:
    from csist_bench.datasets.verification import verify

    return verify(path, ProgressLine("checked", "shards"))


def _recipe(path: str, _data: str) -> list[str]:
    from csist_bench.cli.kinds import is_method_recipe
    from csist_bench.recipes import load_data_recipe, load_method_recipe, shipped

    if path in shipped("methods") or is_method_recipe(path):
        load_method_recipe(path)
    else:
        load_data_recipe(path)
    return []


def _frames(path: str, _data: str) -> list[str]:
    from csist_bench.datasets.frame_files import read_bare_frames

    note(read_bare_frames(path).note)
    return []


def _predictions(path: str, data: str, reading: dict[str, Any]) -> list[str]:
    from csist_bench.datasets import open_dataset
    from csist_bench.predictions import Decoding, read_predictions

    store = open_dataset(data)
    test = next(iter(reversed(store.splits.values())))
    reading = {**reading, "decoding": Decoding.of_data(store.recipe), "frames_per_trajectory": test.n_frames}
    header = read_predictions(path, n_trajectories=None, **reading).header
    split = store.split(header.split) if header.split else test
    note_convention(read_predictions(path, n_trajectories=split.n_trajectories, **reading).convention)
    wrong = header.mismatch(store.fingerprint, split.name, lambda: store.fingerprint_v2)
    return [f"{path}: {wrong} ({data})"] if wrong else []
