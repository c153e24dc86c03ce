"""`csist-bench train`: train a network by its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import data_option, note, say

if TYPE_CHECKING:
    from csist_bench.training.recipe import TrainingRecipe
    from csist_bench.training.run import Outcome


@click.command("train")
@click.argument("method")
@data_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/METHOD]")
@click.option("--recipe", "recipe_file", help="Method recipe (TOML); by default the shipped one.")
@click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE",
    help="Override a training field (lr=1e-3, window.size=7) or a setting of the network (settings.features=64).",
)  # fmt: skip
@click.option(
    "--stream", "streamed", multiple=True, metavar="RECIPE[=WEIGHT]",
    help="Train on endless scenes of a data recipe (repeatable), or 'stored': the split's. --data validates.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]")
@click.option(
    "--max-minutes", type=click.FloatRange(min=0), default=0.0, help="Pause after so long; go on with --resume."
)
@click.option(
    "--init", "initial_weights", default="", help="Start from these weights (fine-tuning); their minutes count too."
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option("--overwrite", is_flag=True, help="Start anew, deleting the run in --out.")
def command(
    method: str,
    data: str,
    out: Path | None,
    recipe_file: str | None,
    overrides: tuple[str, ...],
    streamed: tuple[str, ...],
    device: str,
    threads: int | None,
    max_minutes: float,
    initial_weights: str,
    resume: bool,
    overwrite: bool,
) -> None:
    """Train the network METHOD on the training split of a data set.

    The best weights by validation CSO-mAP are kept in best.safetensors, those whose errors were calibrated (where the
    recipe has [training.calibration]) in last.safetensors. Ctrl-C saves and stops; --resume goes on and
    ends as an uninterrupted run does. Several GPUs or processes: torchrun --nproc-per-node N -m csist_bench train ...

    \b
    Examples:
      csist-bench train srcnn --out runs/srcnn
      csist-bench train ista-net --set lr=1e-3 --max-minutes 30 --out runs/ista-net
      csist-bench train offgrid-net --stream seqcsist-rotated --stream seqcsist=0.5
      csist-bench train offgrid-net --out runs/mine --resume --set calibration=true
    """
    from csist_bench.errors import InputError
    from csist_bench.methods import registry
    from csist_bench.methods.outside import resolve

    row = resolve(method)
    if not row.trainable:
        raise InputError(f"method {row.name!r} needs no training; run it with: csist-bench run {row.name}")
    out = out or Path("runs") / row.name
    registry.load_class(row)  # without PyTorch this is the clear error

    import torch

    from csist_bench.datasets import open_dataset
    from csist_bench.methods.networks.base import resolve_device
    from csist_bench.training.run import Options, train

    if threads:
        torch.set_num_threads(threads)
    options = Options(out, resume, overwrite, max_minutes, initial_weights)
    settings, recipe = _recipe_of(row.name, recipe_file, overrides, streamed, out if resume else None)
    outcome = train(
        row,
        open_dataset(data),
        settings,
        recipe,
        options,
        resolve_device(device),
        note,
    )
    if outcome.leads:
        _say_what_next(method, data, out, outcome)


def _recipe_of(
    method: str,
    recipe_file: str | None,
    overrides: tuple[str, ...],
    streamed: tuple[str, ...],
    resumed: Path | None,
) -> tuple[dict[str, Any], TrainingRecipe]:
    """Return the network's settings and the training recipe: those of the resumed run unless others are given."""
    from csist_bench.errors import InputError, must
    from csist_bench.recipes import MethodRecipe, load_method_recipe, parse_overrides, shipped
    from csist_bench.training.checkpoint import read_run_recipe
    from csist_bench.training.recipe import training_recipe
    from csist_bench.training.stream_recipe import scenes_from_texts

    if resumed and not recipe_file:
        run = read_run_recipe(resumed)
        recipe = MethodRecipe(method=run.method, settings=run.settings, training=run.training)
    elif recipe_file or method in shipped("methods"):
        recipe = load_method_recipe(recipe_file or method)
    else:
        recipe = MethodRecipe(method=method)
    if recipe.method != method:
        raise must("--recipe", f"be one of {method}", recipe.method)
    given = parse_overrides(overrides)
    settings = {name.removeprefix("settings."): v for name, v in given.items() if name.startswith("settings.")}
    fields = {name: value for name, value in given.items() if not name.startswith("settings.")}
    if streamed:
        fields["stream.scenes"] = scenes_from_texts(streamed)
    if "settings" in fields:
        raise InputError("--set settings must name one, as in settings.features=64")
    return {**recipe.settings, **settings}, training_recipe({**recipe.training, **fields}, f"{method} training")


def _say_what_next(method: str, data: str, out: Path, outcome: Outcome) -> None:
    """Print what was reached and the commands that go on from there."""
    best = "not validated yet" if outcome.best is None else f"best validation CSO-mAP {outcome.best:.2f}"
    state = "finished" if outcome.finished else f"paused ({outcome.reason})"
    say(f"{state} after {outcome.steps:,} steps, {outcome.minutes:.1f} min of training; {best}")
    if not outcome.finished:
        say(f"go on:    csist-bench train {method} --data {data} --out {out} --resume")
    if outcome.best is not None:
        say(f"run:      csist-bench run {method} --data {data} --weights {out}/{outcome.weights}")
        say(f"evaluate: csist-bench evaluate preds.json --data {data}")
