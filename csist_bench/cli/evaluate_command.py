"""`csist-bench evaluate`: score a prediction file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    data_option,
    frames_option,
    json_option,
    note,
    note_convention,
    pixel_size_option,
    print_json,
    refuse_given,
    say,
    split_option,
)

if TYPE_CHECKING:
    from csist_bench.datasets import Dataset, Split
    from csist_bench.evaluation.cramer_rao_lines import CramerRaoRow
    from csist_bench.evaluation.report import Report
    from csist_bench.evaluation.truth import Truth
    from csist_bench.files.convention import Convention
    from csist_bench.predictions import Header, Predictions
    from csist_bench.predictions.heat_maps import AbsentChunks


@click.command("evaluate")
@click.argument("predictions", metavar="PREDICTIONS")
@data_option
@split_option
@frames_option
@click.option("--trajectories", metavar="0:100", help="Score whole trajectories of a subset  [default: all].")
@json_option
@click.option("--ceiling", is_flag=True, help="Add the ceiling of the label grid and the Cramer-Rao lines.")
@click.option(
    "--report",
    "folder",
    type=click.Path(file_okay=False),
    help="Compute all figures and write report.html, PDF figures and tables here.",
)
@click.option("--allow-mismatch", is_flag=True, help="Score predictions of another data set; stamped UNVERIFIED.")
@click.option(
    "--matching",
    type=click.Choice(["nearest", "hungarian"]),
    default="nearest",
    show_default=True,
    help="The protocol's matching, or the optimal assignment (reported under another name).",
)
@click.option(
    "--max-answers",
    type=click.IntRange(min=1),
    metavar="K",
    help="Score the K best answers of each frame alone (reported under another name).",
)
@click.option("--grid-threshold", type=float, help="Least node value of heat maps (the data set's, mostly 70).")
@absent_chunks_option
@pixel_size_option
@convention_options
@click.option(
    "--bootstrap",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Resamples for the intervals of --report.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the resamples.")
@click.option(
    "--executor",
    metavar="NAME",
    help="Of a folder of parts: serial, processes or dask:ADDRESS  [default: serial].",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes of --executor.")
def command(
    predictions: str,
    data: str,
    split: str,
    frames: str | None,
    trajectories: str | None,
    as_json: bool,
    ceiling: bool,
    folder: str | None,
    allow_mismatch: bool,
    matching: str,
    max_answers: int | None,
    grid_threshold: float | None,
    absent_chunks: AbsentChunks,
    pixel_size_nm: float | None,
    convention: Convention,
    bootstrap: int,
    seed: int,
    executor: str | None,
    workers: int | None,
) -> None:
    """Score a prediction file: CSO-mAP and AP05..AP25, CSO-F1, GOSPA and answers per frame.

    PREDICTIONS is JSON, CSV, Parquet, NPZ or Zarr heat maps, or a folder of text files;
    docs/prediction-formats.md shows each form. A folder of parts, as run writes large sets, is scored shard by shard,
    in bounded memory, to the same figures.

    \b
    Examples:
      csist-bench evaluate preds.json
      csist-bench evaluate preds.json --json --frames all
      csist-bench evaluate maps.npz --ceiling --report report/
      csist-bench evaluate preds.json --max-answers 4
      csist-bench evaluate preds --executor processes
      csist-bench evaluate s3://bucket/preds --data s3://bucket/large.zarr
      csist-bench evaluate matlab.csv --first-frame 1 --origin corner --axes yx
    """
    from csist_bench.datasets import open_dataset
    from csist_bench.evaluation.report import DetailOptions, Provenance, evaluate
    from csist_bench.files.convention import AS_THE_FORM
    from csist_bench.predictions.parts import is_parts_folder

    store = open_dataset(data)
    part = store.split(split)
    if folder is None and not ceiling and convention == AS_THE_FORM and is_parts_folder(predictions):
        from csist_bench.cli.evaluate_parts import score_parts
        from csist_bench.evaluation.by_shard import Scoring

        scoring = Scoring.of_split(part, *_scored(part, frames, trajectories), matching, max_answers)
        report = score_parts(predictions, store, part, scoring, allow_mismatch, executor or "serial", workers)
        part.require_unchanged()
        _show(report, None, as_json)
        return
    refuse_given(dict.fromkeys(("executor", "workers"), "all but a folder of parts, scored without --report"))
    truth = truth_of(part, frames, trajectories)
    reading = {"pixel_size_nm": pixel_size_nm, "convention": convention}
    read, mismatch = read_for(
        predictions, store, part, allow_mismatch, absent_chunks=absent_chunks, threshold=grid_threshold, **reading
    )
    report = evaluate(
        read.detections,
        truth,
        matching=matching,
        full=folder is not None,
        options=DetailOptions(bootstrap, seed, (store.recipe.c, store.recipe.size), _other_splits(store, split)),
        provenance=Provenance(
            read.header,
            truth.frames == part.scored_frames,
            why_unverified(read.header, mismatch),
            tuple(read.warnings),
            read.convention.text(),
        ),
        max_answers=max_answers,
    )
    part.require_unchanged()
    if folder is not None:
        _write(report, part, folder)
    for warning in read.warnings:
        note(f"warning: {warning}")
    note_convention(read.convention)
    _show(report, _ceiling_of(store, truth) if ceiling else None, as_json)


def _other_splits(store: Dataset, split: str) -> dict[str, Callable[[], Truth]]:
    """Return how to load the truth of every other split of a data set."""
    from csist_bench.evaluation.truth import Truth

    return {name: partial(Truth.from_split, part) for name, part in store.splits.items() if name != split}


def truth_of(part: Split, frames: str | None, trajectories: str | None) -> Truth:
    """Return the truth of a split, over the frames and trajectories that the options name."""
    from csist_bench.evaluation.truth import Truth

    return Truth.from_split(part, *_scored(part, frames, trajectories))


def _scored(part: Split, frames: str | None, trajectories: str | None) -> tuple[range | None, range | None]:
    from csist_bench.recipes import frame_range

    scored = None if frames is None else frame_range(frames, part.n_frames)
    chosen = None if trajectories is None else frame_range(trajectories, part.n_trajectories, name="trajectories")
    return scored, chosen


def read_for(
    file: str,
    store: Dataset,
    part: Split,
    allow_mismatch: bool,
    *,
    absent_chunks: AbsentChunks,
    threshold: float | None = None,
    **reading: Any,
) -> tuple[Predictions, str | None]:
    """Return the predictions of a file that answers a split, and in what it is of other data, which must be allowed."""
    from csist_bench.predictions import Decoding, read_predictions

    read = read_predictions(
        file,
        frames_per_trajectory=part.n_frames,
        n_trajectories=part.n_trajectories,
        decoding=Decoding.of_data(store.recipe, threshold, absent_chunks),
        **reading,
    )
    mismatch = read.header.mismatch(store.fingerprint, part.name, lambda: store.fingerprint_v2)
    refuse_mismatch(file, mismatch, allow_mismatch)
    return read, mismatch


def why_unverified(header: Header, mismatch: str | None) -> str:
    """Return why it is not known that predictions answer the data they are scored on; "" where it is."""
    if mismatch is not None:
        return f"the predictions were made on other data than they are scored on: {mismatch}"
    if not header.names_data:
        return "the file does not say which data it answers (dataset.fingerprint in its header)"
    return ""


def refuse_mismatch(file: str, mismatch: str | None, allowed: bool) -> None:
    """Raise for predictions of other data, unless they are allowed; then warn on stderr."""
    from csist_bench.errors import InputError

    if mismatch is None:
        return
    if not allowed:
        raise InputError(
            f"{file}: {mismatch}: it was made on other data; make it again, or score it as it is with --allow-mismatch"
        )
    note(f"UNVERIFIED: {file}: {mismatch}")


def _write(report: Report, part: Split, folder: str) -> None:
    """Write the files of a report: its tables, and the page with its figures."""
    from csist_bench.evaluation.report_text import write_report
    from csist_bench.plots.report_page import write_report_page

    write_report(report, folder)
    write_report_page(
        report, folder, lambda trajectory, frame: part.read("frames", trajectory, trajectory + 1)[0, frame]
    )
    note(f"report written to {folder}: open {folder}/report.html")


def _show(report: Report, ceiling: Ceiling | None, as_json: bool) -> None:
    if as_json:
        print_json(report.to_dict() | ({"ceiling": ceiling.to_dict()} if ceiling else {}))
        return
    from csist_bench.evaluation.report_text import report_text

    say(report_text(report), nl=False)
    if ceiling:
        say(f"\n{ceiling.to_text()}")


@dataclass(frozen=True)
class Ceiling:
    """What a perfect detector on the grid scores, and the Cramer-Rao lines of the data."""

    grid: dict[str, Any]
    cramer_rao: list[CramerRaoRow]

    def to_dict(self) -> dict[str, Any]:
        """Return both as plain tables."""
        return {"grid": self.grid, "limits": [row.to_dict() for row in self.cramer_rao]}

    def to_text(self) -> str:
        """Return both for a terminal."""
        from csist_bench.evaluation.ceilings import ceiling_text
        from csist_bench.evaluation.cramer_rao_lines import cramer_rao_text

        return f"{ceiling_text(self.grid)}\n\nCramer-Rao lines\n{cramer_rao_text(self.cramer_rao)}"


def _ceiling_of(store: Dataset, truth: Truth) -> Ceiling:
    from csist_bench.evaluation.ceilings import grid_ceiling
    from csist_bench.evaluation.cramer_rao_lines import cramer_rao_table
    from csist_bench.simulation.camera import Camera

    return Ceiling(grid_ceiling(truth, store.recipe.c), cramer_rao_table(truth, Camera.from_recipe(store.recipe)))
