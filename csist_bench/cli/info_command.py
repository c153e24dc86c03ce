"""`csist-bench info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import frame_file_options, json_option, print_json, say

if TYPE_CHECKING:
    from csist_bench.datasets.frame_axes import FrameLayout


@click.command("info")
@click.argument("path")
@frame_file_options
@json_option
def command(path: str, layout: FrameLayout, as_json: bool) -> None:
    """Describe PATH: a data set, a recipe (file or shipped name), a prediction file, or frames without targets.

    \b
    Examples:
      csist-bench info data/seqcsist.zarr
      csist-bench info seqcsist-dense
      csist-bench info preds.json --json
      csist-bench info frames.mat --frames-order YXT
    """
    from csist_bench.cli.kinds import kind_of

    kind = "frames" if layout.given else kind_of(path)
    if kind == "frames":
        about = _frames(path, layout)
    else:
        about = {"dataset": _dataset, "recipe": _recipe, "predictions": _predictions}[kind](path)
    if as_json:
        print_json(about)
        return
    for name, value in about.items():
        if isinstance(value, dict):
            say(f"{name}:")
            for key, item in value.items():
                say(f"  {key:<20} {item}")
        else:
            say(f"{name:<22} {value}")


def _dataset(path: str) -> dict[str, Any]:
    from csist_bench.datasets import open_dataset
    from csist_bench.recipes import resolved

    data = open_dataset(path, allow_partial=True)
    return {
        "kind": "data set",
        "path": data.path,
        "status": data.attributes["status"],
        "fingerprint": data.fingerprint,
        "fingerprint_v2": data.attributes.get("fingerprint_v2"),
        "trajectories": data.sizes,
        "frames": sum(data.sizes.values()) * data.recipe.frames,
        "generator_version": data.attributes.get("generator_version"),
        "recipe_hash": data.attributes.get("recipe_hash"),
        **({"imported": data.attributes["imported"]} if "imported" in data.attributes else {}),
        "recipe": resolved(data.recipe),
    }


def _frames(path: str, layout: FrameLayout) -> dict[str, Any]:
    from csist_bench.datasets.frame_figures import frame_figures
    from csist_bench.datasets.frame_files import read_bare_frames

    frames = read_bare_frames(path, layout)
    return {"kind": "frames without targets", "path": path, "read": frames.note, **frame_figures(frames)}


def _recipe(path: str) -> dict[str, Any]:
    from csist_bench.cli.kinds import is_method_recipe
    from csist_bench.recipes import load_data_recipe, load_method_recipe, recipe_hash, resolved, shipped

    if path in shipped("methods") or is_method_recipe(path):
        method = load_method_recipe(path)
        return {"kind": "method recipe", "recipe_hash": recipe_hash(method), "recipe": resolved(method)}
    recipe = load_data_recipe(path)
    return {
        "kind": "data recipe",
        "recipe_hash": recipe_hash(recipe),
        "trajectories": recipe.split_sizes(),
        "recipe": resolved(recipe),
    }


def _predictions(path: str) -> dict[str, Any]:
    from csist_bench.predictions import read_predictions

    read = read_predictions(path, frames_per_trajectory=None, n_trajectories=None)
    found = read.detections
    return {
        "kind": "predictions",
        "path": path,
        "detections": len(found),
        "columns": ", ".join(found.columns()),
        "header": read.header.to_table(),
        "warnings": "; ".join(read.warnings) or "none",
    }
