"""`csist-bench submit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    data_option,
    json_option,
    note,
    note_convention,
    pixel_size_option,
    print_json,
    say,
    split_option,
)
from csist_bench.conventions import CLAIMED_STATUSES, FAMILIES, PRIOR_TIERS, RANKING_ALIASES, RANKINGS, ROW_DECODERS

if TYPE_CHECKING:
    from csist_bench.files.convention import Convention
    from csist_bench.predictions.heat_maps import AbsentChunks

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
    **claimed: Any,
) -> None:
    """Score a prediction file and add it to the leaderboard.

    The file is scored here, with intervals over trajectories. It must answer every scored frame of the very data set
    given; predictions that are on the leaderboard already are refused. Rows are never overwritten: a new row of the
    same method, data and settings takes the place of the old one with --supersede, and both stay in the table.

    \b
    Examples:
      csist-bench submit preds.json
      csist-bench submit mine.json --method MyNet --family unfolding --prior-tier D --paper https://example.org/paper
    """
    from csist_bench.datasets import open_dataset
    from csist_bench.leaderboard import Claim, Reading, score_submission, submit

    claimed["rank"] = RANKING_ALIASES.get(claimed["rank"], claimed["rank"])
    claim = Claim(note=remark, reading=Reading(convention, pixel_size_nm, absent_chunks), **claimed)
    store = open_dataset(data)
    if dry_run:
        scored = score_submission(predictions, store, claim, split=split, bootstrap=bootstrap)
    else:
        scored = submit(predictions, store, claim, leaderboard, split=split, supersede=supersede, bootstrap=bootstrap)
    for warning in scored.warnings:
        note(f"warning: {warning}")
    note_convention(scored.convention)
    row = scored.row
    if as_json:
        print_json(row.values())
        return
    say(f"{row.method} ({row.family}) on {row.dataset}, split {row.split}: CSO-mAP {row.cso_map:.2f}{_interval(row)}")
    say("AP05..AP25: " + "  ".join(f"{value:.2f}" for value in row.aps))
    note(f"{leaderboard}: {'nothing added (dry run)' if dry_run else 'added' + _place_taken(row)}")


def _interval(row: Any) -> str:
    return "" if row.cso_map_low is None else f" [{row.cso_map_low:.2f}, {row.cso_map_high:.2f}]"


def _place_taken(row: Any) -> str:
    kind, _, digest = row.supersedes.partition(":")
    return f", superseding {kind}:{digest[:8]}..." if digest else ""
