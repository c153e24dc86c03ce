"""`csist-bench compare`: prediction files, or rows of the leaderboard, against one another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    data_option,
    deliver,
    frames_option,
    json_option,
    note,
    note_convention,
    pixel_size_option,
    print_json,
    say,
    split_option,
)
from csist_bench.cli.submit_command import DEFAULT_LEADERBOARD

if TYPE_CHECKING:
    from csist_bench.datasets import Dataset, Split
    from csist_bench.detections import Detections
    from csist_bench.evaluation.comparison import Comparison


@click.command("compare")
@click.argument("methods", metavar="A B...", nargs=-1, required=True)
@data_option
@split_option
@frames_option
@click.option("--rows", metavar="DATASET", help="Compare rows of the leaderboard on this data set, not files.")
@click.option(
    "--leaderboard", default=DEFAULT_LEADERBOARD, show_default=True, metavar="FILE", help="Table of the rows."
)
@click.option("--latex", metavar="FILE", help="Write a booktabs table; - prints it.")
@click.option("--markdown", metavar="FILE", help="Write a Markdown table; - prints it.")
@click.option("--csv", metavar="FILE", help="Write the scores and differences, unrounded; - prints them.")
@click.option(
    "--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Resamples of trajectories."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the resamples.")
@click.option("--allow-mismatch", is_flag=True, help="Compare predictions of other data than --data all the same.")
@absent_chunks_option
@pixel_size_option
@convention_options
@json_option
def command(
    methods: tuple[str, ...],
    data: str,
    split: str,
    frames: str | None,
    rows: str | None,
    leaderboard: str,
    latex: str | None,
    markdown: str | None,
    csv: str | None,
    bootstrap: int,
    seed: int,
    allow_mismatch: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """Do B, C, ... differ from A by more than chance?

    Prediction files are scored on the same resamples of trajectories (paired bootstrap): the difference of every
    score, its 95 % interval and p; by number of targets, separation and signal to noise; and which frames only one
    gets right. With --rows the names are rows of the leaderboard, compared by what is kept of their trajectories:
    the method, and whatever tells its rows apart.

    \b
    Examples:
      csist-bench compare ml.json mine.json
      csist-bench compare ml.json ml-seq.json mine.json --latex table.tex
      csist-bench compare --rows "seqcsist-noise sigma=5" ML "ML-seq frames=5" "Group MAP"
    """
    if rows is None:
        comparison = _compare_files(methods, data, split, frames, (bootstrap, seed), allow_mismatch, reading)
    else:
        comparison = _compare_rows(methods, rows, split, leaderboard)
    _deliver(comparison, {"latex": latex, "markdown": markdown, "csv": csv}, as_json)


def _compare_files(
    files: tuple[str, ...],
    data: str,
    split: str,
    frames: str | None,
    resampling: tuple[int, int],
    allow_mismatch: bool,
    reading: dict[str, Any],
) -> Comparison:
    from csist_bench.cli.evaluate_command import truth_of
    from csist_bench.datasets import open_dataset
    from csist_bench.evaluation.comparison import compare_files
    from csist_bench.simulation.camera import Camera

    store = open_dataset(data)
    part = store.split(split)
    truth = truth_of(part, frames, None)
    names = _short_names(files)
    read = [(name, _detections(file, store, part, allow_mismatch, reading)) for name, file in zip(names, files)]
    said = (
        f"{Path(store.path).name}, split {split}: {truth.n_frames:,} frames of {len(truth.trajectories):,} trajectories"
    )
    resamples, seed = resampling
    camera = Camera.from_recipe(store.recipe)
    return compare_files(read, truth, camera=camera, resamples=resamples, seed=seed, data=said)


def _detections(file: str, store: Dataset, part: Split, allow_mismatch: bool, reading: dict[str, Any]) -> Detections:
    from csist_bench.cli.evaluate_command import read_for

    read, mismatch = read_for(file, store, part, allow_mismatch, **reading)
    for warning in read.warnings:
        note(f"warning: {warning}")
    note_convention(read.convention)
    if mismatch is None and not read.header.names_data:
        note(f"{file} does not say which data it answers")
    return read.detections


def _short_names(files: tuple[str, ...]) -> list[str]:
    """Return the files' names without what goes without saying, longer where two are alike."""
    stems = [Path(file).name.split(".")[0] or Path(file).name for file in files]
    return [stem if stems.count(stem) == 1 else file for stem, file in zip(stems, files)]


def _compare_rows(names: tuple[str, ...], dataset: str, split: str, leaderboard: str) -> Comparison:
    from csist_bench.errors import unknown
    from csist_bench.leaderboard import published_rows, read_rows, standing
    from csist_bench.leaderboard.row_comparison import compare_rows, named_row
    from csist_bench.leaderboard.rows import path_to_show

    path = path_to_show(leaderboard)
    rows = [*standing(read_rows(path)), *published_rows()]
    table = [row for row in rows if (row.dataset, row.split) == (dataset, split)]
    if not table:
        raise unknown("data set", dataset, sorted({row.dataset for row in rows}))
    return compare_rows([named_row(name, table) for name in names], path)


def _deliver(comparison: Comparison, wanted: dict[str, str | None], as_json: bool) -> None:
    from csist_bench.evaluation import comparison_text as text

    makers = {"latex": text.comparison_latex, "markdown": text.comparison_markdown, "csv": text.comparison_csv}
    for form, target in wanted.items():
        if target is not None:
            deliver(target, makers[form](comparison))
    if as_json:
        print_json(comparison.to_dict())
    elif "-" not in wanted.values():
        say(text.comparison_text(comparison), nl=False)
