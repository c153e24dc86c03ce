"""`csist-bench submit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    data_option,
    is_given,
    json_option,
    note,
    note_convention,
    pixel_size_option,
    print_json,
    refuse_given,
    say,
    split_option,
)
from csist_bench.conventions import (
    CLAIMED_STATUSES,
    FAMILIES,
    PRIOR_TIERS,
    RANKING_ALIASES,
    RANKINGS,
    ROW_DECODERS,
    TOLD,
)

if TYPE_CHECKING:
    from csist_bench.datasets import Dataset
    from csist_bench.files.convention import Convention
    from csist_bench.leaderboard.folder import Wanted
    from csist_bench.leaderboard.rows import Row
    from csist_bench.leaderboard.submission import Scored
    from csist_bench.predictions.heat_maps import AbsentChunks
    from csist_bench.recipes import DataRecipe

DEFAULT_LEADERBOARD = "leaderboard/leaderboard.csv"


@click.command("submit")
@click.argument("predictions", metavar="PREDICTIONS")
@data_option
@split_option
@click.option("--method", metavar="NAME", help="As on the leaderboard (the file's header by default).")
@click.option("--family", type=click.Choice(FAMILIES), help="By default that of the registry.")
@click.option(
    "--tier",
    "status",
    type=click.Choice(CLAIMED_STATUSES),
    default="submitted",
    show_default=True,
    help="reproduced: trained and run by a recipe of this repository.",
)
@click.option("--prior-tier", type=click.Choice(PRIOR_TIERS), help="What the method knows.")
@click.option("--decoder", type=click.Choice(ROW_DECODERS), help="By default that of the file's header.")
@click.option(
    "--rank",
    type=click.Choice([*RANKINGS, *RANKING_ALIASES]),
    default="score",
    show_default=True,
    help="Rank by the method's own score, by intensity, or by least standard errors (precision, or uncertainty).",
)
@absent_chunks_option
@click.option("--settings", metavar="TEXT", help="Settings of the method, in short.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the training.")
@click.option("--parameters", type=click.IntRange(min=0), metavar="N", help="Number of parameters.")
@click.option("--macs-per-frame", type=click.FloatRange(min=0), metavar="N", help="Multiply-accumulates per frame.")
@click.option("--frames-per-second", type=click.FloatRange(min=0, min_open=True), metavar="R", help="Measured rate.")
@click.option("--hardware", metavar="TEXT", help="What the rate was measured on.")
@click.option("--training-minutes", type=click.FloatRange(min=0), metavar="M", help="Training time.")
@click.option("--training-device", metavar="TEXT", help="What it was trained on.")
@click.option("--paper", metavar="URL", help="Link to the paper.")
@click.option("--code", default="", metavar="URL", help="Link to the code.")
@click.option("--note", "remark", default="", metavar="TEXT", help="One line that stands with the row.")
@click.option("--date", metavar="YYYY-MM-DD", help="Day of the submission (today by default).")
@click.option("--leaderboard", default=DEFAULT_LEADERBOARD, show_default=True, metavar="FILE", help="Table to add to.")
@click.option("--supersede", is_flag=True, help="Take the place of the standing row of the same method and settings.")
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Resamples.")
@pixel_size_option
@convention_options
@click.option("--dry-run", is_flag=True, help="Score and show the row; add nothing.")
@click.option("--folder", metavar="DIR", help="Write a folder for a pull request, and add nothing here.")
@click.option(
    "--trained-on",
    multiple=True,
    metavar="TEXT",
    help="With --folder: recipe, NAME=VALUE, seed=N, indices=train; 'other: words'; or none. Repeatable.",
)
@click.option("--told", multiple=True, metavar="WORD", help=f"With --folder: what it was told ({', '.join(TOLD)}).")
@click.option("--address", default="", metavar="URL", help="With --folder: where predictions over 5 MB will lie.")
@click.option("--fetch", is_flag=True, help="Of a folder: get predictions that lie at an address.")
@json_option
def command(
    predictions: str,
    data: str,
    split: str,
    leaderboard: str,
    supersede: bool,
    bootstrap: int,
    dry_run: bool,
    as_json: bool,
    remark: str,
    pixel_size_nm: float | None,
    convention: Convention,
    absent_chunks: AbsentChunks,
    folder: str | None,
    trained_on: tuple[str, ...],
    told: tuple[str, ...],
    address: str,
    fetch: bool,
    **claimed: Any,
) -> None:
    """Score a prediction file and add it to the leaderboard.

    The file is scored here, with intervals over trajectories. It must answer every scored frame of the very data set
    given; predictions that are on the leaderboard already are refused. Rows are never overwritten: a new row of the
    same method, data and settings takes the place of the old one with --supersede, and both stay in the table.

    --folder writes what a pull request holds instead: the predictions, packed, and row.toml. PREDICTIONS may be such a
    folder: it is checked and scored again, and its row is added.

    \b
    Examples:
      csist-bench submit preds.json
      csist-bench submit preds.json --folder leaderboard/submissions/my-net --trained-on "seqcsist indices=train"
      csist-bench submit leaderboard/submissions/my-net
      csist-bench submit mine.json --method MyNet --family unfolding --prior-tier D --paper https://example.org/paper
    """
    from csist_bench.datasets import open_dataset
    from csist_bench.leaderboard import Claim, Reading, score_submission, submit
    from csist_bench.leaderboard.folder import is_submission

    if is_submission(predictions):
        _refuse_claims(predictions)
        _add_folder(predictions, data, leaderboard, supersede, dry_run, fetch, as_json)
        return
    wanted = _wanted(folder, trained_on, told, address, fetch)
    claimed["rank"] = RANKING_ALIASES.get(claimed["rank"], claimed["rank"])
    claim = Claim(note=remark, reading=Reading(convention, pixel_size_nm, absent_chunks), **claimed)
    store = open_dataset(data)
    remarks: list[str] = []
    if wanted is not None:
        remarks = _refuse_folder(wanted, store.recipe, split)
    if dry_run or wanted is not None:
        scored = score_submission(predictions, store, claim, split=split, bootstrap=bootstrap)
    else:
        scored = submit(predictions, store, claim, leaderboard, split=split, supersede=supersede, bootstrap=bootstrap)
    for warning in scored.warnings:
        note(f"warning: {warning}")
    for remark in remarks:
        note(f"warning: {remark}")
    note_convention(scored.convention)
    done = f"{leaderboard}: {'nothing added (dry run)' if dry_run else 'added' + _place_taken(scored.row)}"
    if wanted is not None:
        done = _write_folder(scored, wanted, store, bootstrap, dry_run)
    _show(scored.row, as_json)
    note(done)


def _show(row: Row, as_json: bool) -> None:
    if as_json:
        print_json(row.values())
        return
    say(f"{row.method} ({row.family}) on {row.dataset}, split {row.split}: CSO-mAP {row.cso_map:.2f}{_interval(row)}")
    say("AP05..AP25: " + "  ".join(f"{value:.2f}" for value in row.aps))


def _interval(row: Any) -> str:
    return "" if row.cso_map_low is None else f" [{row.cso_map_low:.2f}, {row.cso_map_high:.2f}]"


def _place_taken(row: Any) -> str:
    kind, _, digest = row.supersedes.partition(":")
    return f", superseding {kind}:{digest[:8]}..." if digest else ""


# --- folders for pull requests ---------------------------------------------------------------------------------------

# What decides where and whether a row is added; all else stands in row.toml.
_OF_ADDING = ("predictions", "data", "leaderboard", "supersede", "dry_run", "fetch", "as_json")


def _refuse_claims(folder: str) -> None:
    names = {option.name for option in command.params if option.name} - set(_OF_ADDING)
    refuse_given(dict.fromkeys(sorted(names), f"{folder}, whose row.toml says it"))


def _wanted(
    folder: str | None, trained_on: tuple[str, ...], told: tuple[str, ...], address: str, fetch: bool
) -> Wanted | None:
    """Return the folder that is to be written; None where a row is to be added."""
    from csist_bench.errors import must, unknown
    from csist_bench.leaderboard.folder import Wanted
    from csist_bench.leaderboard.overlap import training_from_text

    if fetch:
        raise must("--fetch", "come with a folder of a submission", "a prediction file")
    if folder is None:
        for name, value in (("--trained-on", trained_on), ("--told", told), ("--address", address)):
            if value:
                raise must(name, "come with --folder", ", ".join(value) if isinstance(value, tuple) else value)
        return None
    if not trained_on:
        raise must("--trained-on", "be given for a folder", "nothing", "for a method without training: none")
    if "none" in trained_on and len(trained_on) > 1:
        raise must("--trained-on", "be none, or data", ", ".join(trained_on))
    for word in told:
        if word not in TOLD:
            raise unknown("fact told", word, TOLD)
    training = tuple(training_from_text(text) for text in trained_on if text != "none")
    return Wanted(Path(folder), tuple(dict.fromkeys(told)), training, address)  # type: ignore[arg-type]


def _refuse_folder(wanted: Wanted, recipe: DataRecipe, split: str) -> list[str]:
    """Refuse, before the scoring, a place that is taken and training data that hold test scenes; return remarks."""
    from csist_bench.leaderboard.folder import require_new
    from csist_bench.leaderboard.folder_check import refuse_overlap

    require_new(wanted)
    return refuse_overlap(wanted.training, recipe, split)


def _write_folder(scored: Scored, wanted: Wanted, store: Dataset, bootstrap: int, dry_run: bool) -> str:
    """Write a folder; return what is to be said of it."""
    from csist_bench.leaderboard.claims import refuse_contradictions
    from csist_bench.leaderboard.folder import write_submission

    refuse_contradictions(scored.row, scored.header, store, str(wanted.folder))
    if dry_run:
        return f"{wanted.folder}: nothing written (dry run)"
    path = write_submission(scored, wanted, bootstrap)
    check = f"check it with: csist-bench leaderboard --check {wanted.folder}"
    return f"{wanted.folder}: written; " + (f"put {path} at {wanted.address}, then " * bool(wanted.address)) + check


def _add_folder(
    folder: str, data: str, leaderboard: str, supersede: bool, dry_run: bool, fetch: bool, as_json: bool
) -> None:
    from csist_bench.errors import InputError
    from csist_bench.leaderboard.folder_check import check_submission, sets
    from csist_bench.leaderboard.rows import read_rows
    from csist_bench.leaderboard.submission import add

    path = Path(leaderboard)
    rows = read_rows(path, missing_ok=True)
    with sets(data if is_given("data") else None) as known:
        checked = check_submission(folder, known, rows, fetch=fetch)
    if checked.faults:
        raise InputError(f"{folder}: {checked.faults[0]}; see: csist-bench leaderboard --check {folder}")
    scored = checked.scored if dry_run else add(checked.scored, path, supersede)
    for remark in checked.remarks:
        note(f"warning: {remark}")
    _show(scored.row, as_json)
    note(f"{leaderboard}: {'nothing added (dry run)' if dry_run else 'added' + _place_taken(scored.row)}")
