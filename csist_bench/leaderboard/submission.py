"""From a prediction file to a row: the file is scored again here, and whatever does not belong is refused."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from csist_bench.conventions import AP_NAMES, CLAIMED_STATUSES, RANKINGS, Status
from csist_bench.datasets import Dataset, Split
from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, show, unknown
from csist_bench.evaluation import EVALUATOR_VERSION, scores_alike
from csist_bench.evaluation.average_precision import RankedHits
from csist_bench.evaluation.influence import influences
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import DetailOptions, Provenance, Report, evaluate
from csist_bench.evaluation.track_scores import TrackScores
from csist_bench.evaluation.truth import Truth
from csist_bench.files.convention import OURS, Convention
from csist_bench.leaderboard.claims import Claim, columns_of_method, note_text
from csist_bench.leaderboard.datasets import dataset_label, dataset_recipe
from csist_bench.leaderboard.rows import (
    TRACK_COLUMNS,
    Row,
    board_lock,
    checked_row,
    read_rows,
    same_answers,
    standing,
    write_rows,
)
from csist_bench.leaderboard.trajectories import Influence, keep_influence
from csist_bench.predictions import Decoding, Header, read_predictions

BOOTSTRAP = 1000


@dataclass(frozen=True)
class Scored:
    """A row that is not yet on a leaderboard, what the submitter should be told, and how the file was read.

    `answers` are the detections as the file has them, under its `header`.
    """

    row: Row
    warnings: tuple[str, ...]
    influence: Influence
    answers: Detections
    header: Header
    convention: Convention = OURS


def submit(
    predictions: str | Path,
    store: Dataset,
    claim: Claim,
    leaderboard: str | Path,
    *,
    split: str = "test",
    supersede: bool = False,
    bootstrap: int = BOOTSTRAP,
) -> Scored:
    """Score a prediction file and add it to a leaderboard.

    Parameters
    ----------
    predictions : path
        A prediction file of any form.
    store : Dataset
        The data that it answers.
    leaderboard : path
        CSV table; made if missing. It is written under a lock and by rename. What each trajectory bears on the scores
        is kept beside it (`csist_bench.leaderboard.trajectories`).
    supersede : bool
        Take the place of the standing row of the same method, data and settings; both stay in the table.

    Raises
    ------
    InputError
        If the file is of other data, misses scored frames, is there already, or the table was scored by another
        evaluator or on other data of the same name.
    """
    path = Path(leaderboard)
    read_rows(path, missing_ok=True)  # a damaged table is said before the scoring, not after it
    return add(score_submission(predictions, store, claim, split=split, bootstrap=bootstrap), path, supersede)


def add(scored: Scored, path: Path, supersede: bool = False) -> Scored:
    """Add a scored row to a leaderboard, with what each trajectory bears on it; return it as it stands there.

    Raises
    ------
    InputError
        As `submit` does, of the table.
    """
    with board_lock(path):
        rows = read_rows(path, missing_ok=True)
        row = admitted(scored.row, rows, path, supersede)
        keep_influence(path, row, scored.influence)
        write_rows(path, [*rows, row])
    return replace(scored, row=row)


def score_submission(
    predictions: str | Path, store: Dataset, claim: Claim, *, split: str = "test", bootstrap: int = BOOTSTRAP
) -> Scored:
    """Score a prediction file with intervals and return its row."""
    where = str(predictions)
    part = store.split(split)
    read = read_predictions(
        predictions,
        frames_per_trajectory=part.n_frames,
        n_trajectories=part.n_trajectories,
        pixel_size_nm=claim.reading.pixel_size_nm,
        convention=claim.reading.convention,
        decoding=Decoding.of_data(store.recipe, absent_chunks=claim.reading.absent_chunks),
    )
    _refuse_other_data(where, read.header, store, split)
    truth = Truth.from_split(part)
    detections = ranked(where, read.detections, claim.rank)
    options = DetailOptions(bootstrap)
    report = evaluate(detections, truth, full=True, options=options, provenance=Provenance(read.header))
    status, unverified = _status(where, claim, read.header)
    if report.missing_frames:
        raise InputError(
            f"{where}: the file misses {report.missing_frames:,} of {report.frames_scored:,} scored frames; answer all"
            " of them, or say in the header's n_frames how many were answered"
        )
    values = {
        **_of_data(store, part),
        **_of_scores(report),
        **columns_of_method(where, claim, read, store),
        "tier": status,
        "rank": claim.rank,
        "code": claim.code,
        "note": note_text(read, claim.note),
        "evaluator": EVALUATOR_VERSION,
        "predictions_sha256": detections_digest(detections),
        "date": claim.date or datetime.date.today().isoformat(),
    }
    said = (*read.warnings, *unverified)
    row = checked_row(values, where)
    return Scored(row, said, influence_of(detections, truth), read.detections, read.header, read.convention)


def influence_of(detections: Detections, truth: Truth) -> Influence:
    """Return what each scored trajectory bears on the APs of detections that are ranked as their row says."""
    matched = match(detections, truth)
    aps = RankedHits.from_matched(matched, truth.n_targets).average_precisions()
    return Influence(truth.trajectories, influences(matched, truth), tuple(100 * ap for ap in aps))


def detections_digest(detections: Detections) -> str:
    """Return sha256 of what is scored, as 'detections-sha256:<hex>'.

    Trajectory, frame, x, y and score of all detections, ordered by them: whatever else a file holds (the seconds of a
    run, its form, the order of its lines) leaves the digest as it is.
    """
    columns = [
        detections.trajectory.astype("<i8"),
        detections.frame.astype("<i8"),
        *(np.asarray(column, "<f8") + 0.0 for column in (detections.x, detections.y, detections.score)),  # -0 is 0
    ]
    order = np.lexsort(columns[::-1])
    state = hashlib.sha256()
    for column in columns:
        state.update(np.ascontiguousarray(column[order]).tobytes())
    return f"detections-sha256:{state.hexdigest()}"


def _status(where: str, claim: Claim, header: Header) -> tuple[Status, tuple[str, ...]]:
    """Return the status of the row, and what is to be said where it is not the one claimed."""
    if claim.status not in CLAIMED_STATUSES:
        raise unknown("tier", claim.status, CLAIMED_STATUSES)
    if header.names_data:
        return claim.status, ()
    if claim.status == "reproduced":
        rule = "say by its fingerprint which data it answers to be called reproduced"
        raise must(where, rule, "no fingerprint", "submit the file that `csist-bench run` wrote")
    said = (
        f"{where} does not say which data it answers (dataset.fingerprint in its header): its row stands as unverified,"
        " apart from the others"
    )
    return "unverified", (said,)


def _refuse_other_data(where: str, header: Header, store: Dataset, split: str) -> None:
    if store.fingerprint is None:
        raise must(f"{store.path}", "be complete, with a fingerprint", "no fingerprint")
    if wrong := header.mismatch(store.fingerprint, header.split or split, lambda: store.fingerprint_v2):
        raise InputError(f"{where}: {wrong} ({store.path}); submit against the data that were unmixed")
    if header.split not in (None, split):
        raise must(f"{where}: split", f"be {split!r}", header.split, f"submit with --split {show(header.split)}")


def ranked(where: str, detections: Detections, rank: str) -> Detections:
    """Return detections with the scores that a row's ranking gives them.

    Raises
    ------
    InputError
        If the ranking is unknown, or the detections lack what it goes by.
    """
    if rank not in RANKINGS:
        raise unknown("ranking", rank, RANKINGS)
    if rank == "score":
        return detections
    if rank == "precision":
        if detections.sigma_x is None or detections.sigma_y is None:
            raise InputError(f"{where}: predictions must have sigma_x and sigma_y to be ranked by precision")
        score = -(detections.sigma_x**2 + detections.sigma_y**2)
        if blank := int(np.isnan(score).sum()):
            rule = "have sigma_x and sigma_y in every row to be ranked by precision"
            raise must(f"{where}: predictions", rule, f"{blank:,} rows without")
        return replace(detections, score=score)
    if detections.intensity is None:
        raise InputError(f"{where}: predictions must have intensities to be ranked by brightness")
    return replace(detections, score=detections.intensity)


# --- columns --------------------------------------------------------------------------------------------------------


def _of_data(store: Dataset, part: Split) -> dict[str, Any]:
    return {
        "dataset": dataset_label(store.recipe),
        "dataset_recipe": dataset_recipe(store.recipe),
        "split": part.name,
        "data_seed": store.recipe.seed,
        "noise_sigma": store.recipe.noise_sigma,
        "dataset_fingerprint": store.fingerprint,
    }


def _of_scores(report: Report) -> dict[str, Any]:
    scores = report.scores()
    values: dict[str, Any] = {name: scores[name] for name in ("cso_map", *AP_NAMES)} | report.beside()
    values |= track_columns(report.tracks)
    interval = report.details.intervals.get("cso_map") if report.details else None
    if interval:
        values |= {"cso_map_low": float(interval[0]), "cso_map_high": float(interval[1])}
    return values


def track_columns(tracks: TrackScores | None) -> dict[str, Any]:
    """Return the columns of tracks; none where there are no tracks or no truth of them."""
    if tracks is None or tracks.unscored:
        return {}
    scores = tracks.to_dict()
    return {name: scores[name] for name in TRACK_COLUMNS}


# --- admission ------------------------------------------------------------------------------------------------------


def _refuse_duplicate(row: Row, rows: Sequence[Row], path: Path) -> None:
    for old in rows:
        if same_answers(row, old):
            raise InputError(f"{path}: these predictions are there already ({old.method}, {old.dataset}, {old.date})")


def admitted(row: Row, rows: Sequence[Row], path: Path, supersede: bool = False) -> Row:
    """Return the row as it may be added to `rows`, with what it supersedes.

    Raises
    ------
    InputError
        If it is there already, if rows of the same data set were scored by another evaluator or on other data, or if
        a row of the same slot stands and is not to be superseded.
    """
    _refuse_duplicate(row, rows, path)
    for other in rows:
        if not scores_alike(other.evaluator):
            raise must(
                f"{path}: evaluator of its rows",
                f"score as {row.evaluator} does, with the same first number",
                other.evaluator,
                "score them again, or start a new file",
            )
        same_data = (other.dataset, other.split, other.data_seed) == (row.dataset, row.split, row.data_seed)
        if same_data and other.dataset_fingerprint != row.dataset_fingerprint:
            raise must(
                f"fingerprint of {row.dataset}, seed {row.data_seed}",
                f"be that of the rows in {path} ({other.dataset_fingerprint})",
                row.dataset_fingerprint,
                "these are other data under the same name",
            )
    rival = next((other for other in standing(rows) if other.slot == row.slot), None)
    if rival is None:
        return row
    if not supersede:
        raise InputError(
            f"{path}: a row of {row.method} on {row.dataset} with these settings stands (CSO-mAP {rival.cso_map:.2f},"
            f" {rival.date}); pass --supersede to put this one ({row.cso_map:.2f}) in its place"
        )
    return checked_row({**row.values(), "supersedes": rival.predictions_sha256}, str(path))
