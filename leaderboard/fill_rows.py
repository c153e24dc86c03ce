"""Run rows of the leaderboard again, and keep what the table did not hold when they were added.

That is, of each standing row: the influence of its trajectories (`trajectories/`, for `compare --rows` and the ranks),
and the columns of evaluator 1.1. A second run counts as the row's if its CSO-mAP agrees to 1e-3; all that the row held
stays as it is. Rows of methods without training and of OffGrid-Net are taken by default, those that have everything are
passed over, and the table is written after each run: stop it and start it again at will.

    python leaderboard/fill_rows.py [--data FOLDER] [--method NAME]... [--leaderboard FILE]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from csist_bench.datasets import Dataset, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.track_scores import score_tracks
from csist_bench.evaluation.truth import Truth
from csist_bench.leaderboard.datasets import recipe_from_text
from csist_bench.leaderboard.repeat import run_arguments
from csist_bench.leaderboard.rows import Row, board_lock, read_rows, standing, write_rows
from csist_bench.leaderboard.submission import influence_of, ranked, track_columns
from csist_bench.leaderboard.trajectories import AGREE_WITHIN, Influence, influence_path, keep_influence
from csist_bench.methods.registry import METHODS
from csist_bench.predictions import read_predictions

TABLE = Path(__file__).parent / "leaderboard.csv"
ALWAYS = ("OffGrid-Net", *(method.title for method in METHODS.values() if not method.trainable))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the rows that lack something; return 1 if a second run did not agree with its row."""
    options = _options(arguments)
    rows = [row for row in standing(read_rows(options.leaderboard)) if row.method in options.method]
    wrong = 0
    groups = _groups(row for row in rows if lacks_something(options.leaderboard, row))
    for place, group in enumerate(groups, start=1):
        first = group[0]
        print(f"{place} of {len(groups)}: {first.method} {first.settings} on {first.dataset_recipe}", flush=True)
        store = _data_set(first, options.data)
        wrong += 0 if _fill_group(options.leaderboard, store, group) else 1
    return 1 if wrong else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the sets, made where missing")
    parser.add_argument("--method", action="append", help="a method as on the leaderboard; repeatable")
    parser.add_argument("--leaderboard", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    options.method = options.method or ALWAYS
    return options


def lacks_something(leaderboard: Path, row: Row) -> bool:
    """Whether a second run would add to a row."""
    return not influence_path(leaderboard, row).is_file() or row.gospa is None


def _groups(rows: Iterator[Row]) -> list[list[Row]]:
    """Return rows that come of one run."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.method, row.dataset_recipe, row.split, row.settings, row.recipe_hash), []).append(row)
    return list(groups.values())


def _data_set(row: Row, folder: Path) -> Dataset:
    name = "".join(letter if letter.isalnum() or letter in "-.=" else "_" for letter in row.dataset_recipe)
    path = folder / f"{name}.zarr"
    generate(path, msgspec.structs.replace(recipe_from_text(row.dataset_recipe), seed=row.data_seed or 0), resume=True)
    store = open_dataset(path)
    if not store.matches(row.dataset_fingerprint):
        raise SystemExit(f"{path}: not the data of the row of {row.method}: {store.fingerprint}")
    return store


def _fill_group(leaderboard: Path, store: Dataset, group: list[Row]) -> bool:
    """Run, score and write; return whether every row was met again."""
    with tempfile.TemporaryDirectory() as folder:
        predictions = _run(store, group, Path(folder))
        found = _scored_again(predictions, store, group) if predictions else {}
    met = [row for row, again in found.items() if abs(again.cso_map - row.cso_map) <= AGREE_WITHIN]
    for row in met:
        _keep(leaderboard, row, found[row])
    for row in (row for row in found if row not in met):
        print(f"  {row.decoder}, by {row.rank}: {found[row].cso_map:.4f}, the row has {row.cso_map:.4f}")
    if len(met) < len(group):
        print(f"  {len(group) - len(met)} rows were not met again and stay as they are")
    return len(met) == len(group)


def _run(store: Dataset, rows: list[Row], folder: Path) -> dict[str, Path]:
    """Unmix with the command line; return the predictions of each decoder, none if it fails, which is said."""
    decoders = sorted({_decoder(row) for row in rows})
    out = folder / "preds.npz"
    command = [sys.executable, "-m", "csist_bench", "run", *run_arguments(rows[0]), "--data", str(store.path)]
    if any(method.trainable for method in METHODS.values() if method.title == rows[0].method):
        command += [text for decoder in decoders for text in ("--decoder", decoder)]
    done = subprocess.run([*command, "--out", str(out)], check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"  {(done.stderr.strip().splitlines() or ['the run failed'])[-1]}")
        return {}
    if len(decoders) == 1:
        return {decoders[0]: out}
    return {decoder: out.with_name(f"{out.stem}-{decoder}{out.suffix}") for decoder in decoders}


def _decoder(row: Row) -> str:
    return "grid" if row.decoder == "own" else row.decoder


class Again(NamedTuple):
    """What a second run gives: its score, the columns that a row may lack, and the influence of its trajectories."""

    cso_map: float
    columns: dict[str, Any]
    influence: Influence


def _scored_again(predictions: dict[str, Path], store: Dataset, rows: list[Row]) -> dict[Row, Again]:
    part = store.split(rows[0].split)
    truth = Truth.from_split(part)
    found = {}
    for row in rows:
        path = predictions[_decoder(row)]
        read = read_predictions(path, frames_per_trajectory=part.n_frames, n_trajectories=part.n_trajectories)
        detections = ranked(str(path), read.detections, row.rank)
        report = evaluate(detections, truth)
        columns = report.beside() | track_columns(score_tracks(detections, truth))
        found[row] = Again(report.cso_map, columns, influence_of(detections, truth))
    return found


def _keep(leaderboard: Path, row: Row, again: Again) -> None:
    """Write the influences and fill the row's empty columns; what it holds stays."""
    keep_influence(leaderboard, row, again.influence)
    with board_lock(leaderboard):
        rows = read_rows(leaderboard)
        place = rows.index(row)
        new = {name: value for name, value in again.columns.items() if getattr(row, name) is None}
        rows[place] = msgspec.structs.replace(row, **new)
        write_rows(leaderboard, rows)


if __name__ == "__main__":
    sys.exit(main())
