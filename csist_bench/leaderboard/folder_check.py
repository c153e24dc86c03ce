"""Check a submission by pull request: score its predictions again, and hold what its row says to that."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from csist_bench.datasets import Dataset, open_dataset
from csist_bench.datasets.backgrounds import BUILT_IN
from csist_bench.datasets.generation import generate
from csist_bench.errors import InputError, must, show
from csist_bench.leaderboard.check import TOLERANCE, own_faults
from csist_bench.leaderboard.claims import Claim, refuse_contradictions
from csist_bench.leaderboard.datasets import dataset_label, recipe_from_text
from csist_bench.leaderboard.folder import Submitted, read_submission, require_trained
from csist_bench.leaderboard.overlap import TrainingData, overlap
from csist_bench.leaderboard.rows import COLUMNS, Row, same_answers
from csist_bench.leaderboard.submission import Scored, score_submission
from csist_bench.recipes import DataRecipe

LARGEST_SET = 10**9  # pixels of a set that is made for a check, 80 times those of seqcsist


@dataclass(frozen=True)
class Checked:
    """A submission scored again, what is wrong with it, and what whoever reads it should know."""

    submitted: Submitted
    scored: Scored
    faults: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass
class Sets:
    """The data sets of submissions: one at hand, where it is the right one, and others made once from their recipes."""

    folder: Path
    at_hand: Dataset | None = None
    made: dict[tuple[str, int], Dataset] = field(default_factory=dict)

    def of(self, row: Row, where: str) -> Dataset:
        """Return the data set that a row is of.

        Raises
        ------
        InputError
            If its recipe is none, needs files that are not here, or is too large to be made for a check.
        """
        if row.data_seed is None:
            raise must(f"{where}: row: data_seed", "be given", "nothing")
        if self.at_hand is not None and self._is_at_hand(self.at_hand, row):
            return self.at_hand
        key = (row.dataset_recipe, row.data_seed)
        if key not in self.made:
            recipe = _makeable(row, where)
            path = self.folder / f"set{len(self.made)}.zarr"
            generate(path, recipe, executor="serial")
            self.made[key] = open_dataset(path)
        return self.made[key]

    @staticmethod
    def _is_at_hand(store: Dataset, row: Row) -> bool:
        return (dataset_label(store.recipe), store.recipe.seed) == (row.dataset, row.data_seed)


@contextmanager
def sets(data: str | None = None) -> Iterator[Sets]:
    """Yield the data sets for checks; those that are made go at the end. `data` is one that is at hand."""
    at_hand = open_dataset(data) if data else None
    with tempfile.TemporaryDirectory(prefix="csist-bench-") as folder:
        yield Sets(Path(folder), at_hand)


def _makeable(row: Row, where: str) -> DataRecipe:
    try:
        recipe = recipe_from_text(row.dataset_recipe)
    except InputError as error:
        raise InputError(f"{where}: row: dataset_recipe: {error}") from None
    remedy = "make or get the set and pass --data PATH"
    if recipe.directions == "given" or recipe.background not in BUILT_IN:
        raise must(f"{where}: row: dataset_recipe", "be one that a set can be made from alone", recipe.name, remedy)
    pixels = recipe.trajectories * recipe.frames * recipe.size**2
    if pixels > LARGEST_SET:
        name = f"{where}: row: dataset_recipe"
        raise must(name, f"make at most {LARGEST_SET:,} pixels in a check", f"{pixels:,}", remedy)
    return msgspec.structs.replace(recipe, seed=row.data_seed)


def check_submission(folder: str | Path, known: Sets, rows: Sequence[Row] = (), *, fetch: bool = False) -> Checked:
    """Score a submission again and say what of its row does not hold.

    Parameters
    ----------
    folder : path
        Such as leaderboard/submissions/NAME.
    known : Sets
        Where its data set comes from.
    rows : sequence of Row
        Those of the leaderboard, among which its answers must not stand under another name.
    fetch : bool
        Get predictions that lie at an address.

    Raises
    ------
    InputError
        If the folder cannot be read or its predictions not be scored; or its row says something else than their header.
    """
    submitted = read_submission(folder)
    row, where = submitted.row, submitted.where
    store = known.of(row, where)
    path = submitted.predictions(fetch)
    bootstrap = submitted.content.bootstrap
    scored = score_submission(path, store, claim_of(row), split=row.split, bootstrap=bootstrap)
    refuse_contradictions(row, scored.header, store, f"{where}: row")
    require_trained(submitted.content.training, scored.header, where)
    trained = [_trained(data, store.recipe, row.split, where) for data in submitted.content.training]
    faults = [*_unlike(row, scored.row), *own_faults(row), *_elsewhere(row, rows)]
    faults += [fault for fault, _ in trained if fault]
    return Checked(submitted, scored, tuple(faults), tuple(remark for _, remark in trained if remark))


def claim_of(row: Row) -> Claim:
    """Return the claim that makes a row of a file anew; what the row does not say is left to the file's header."""
    told: dict[str, Any] = {
        name: getattr(row, name) or None for name in ("settings", "hardware", "training_device", "paper")
    }
    names = (
        "method", "family", "status", "prior_tier", "decoder", "rank", "seed", "parameters", "macs_per_frame",
        "frames_per_second", "training_minutes", "code", "note", "date",
    )  # fmt: skip
    return Claim(**told, **{name: getattr(row, name) for name in names})


def _unlike(row: Row, again: Row) -> Iterator[str]:
    """Yield the columns of a row that are not what scoring its file again gives."""
    said, found = row.values(), again.values()
    for column in COLUMNS:
        old, new = said[column], found[column]
        if (
            isinstance(old, float)
            and isinstance(new, float)
            and math.isclose(old, new, rel_tol=1e-9, abs_tol=TOLERANCE)
        ):
            continue
        if old != new:
            yield f"{column} must be {show(new)}, as scored again, got {show(old)}"


def _elsewhere(row: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Yield whether its answers stand on the leaderboard under another name; a row that was added already is fine."""
    for other in rows:
        if same_answers(row, other) and other.slot != row.slot:
            yield f"these predictions are there already ({other.method}, {other.dataset}, {other.date})"


def _trained(data: TrainingData, test: DataRecipe, split: str, where: str) -> tuple[str, str]:
    """Return what is wrong with training data of a submission, and what is to be said of them."""
    try:
        shared = overlap(data, test, split)
    except InputError as error:
        raise InputError(f"{where}: training: {error}") from None
    named = f"training data {show(data.text)}"
    if shared is None:
        return "", f"{named}: overlap with the test data cannot be computed; it is taken at its word"
    if shared.same:
        rule = "train on another split or another seed"
        return f"{named} must not hold scenes of split {split}, got {shared.same:,} trajectories of it; {rule}", ""
    if shared.kin:
        return "", f"{named}: {shared.kin:,} scenes are of the random numbers of split {split}, by another law"
    return "", ""


def refuse_overlap(training: Sequence[TrainingData], test: DataRecipe, split: str) -> list[str]:
    """Raise where training data hold scenes of a split; return what is to be said of them.

    Raises
    ------
    InputError
        Naming the data and how many trajectories they share.
    """
    remarks = []
    for data in training:
        fault, remark = _trained(data, test, split, "--trained-on")
        if fault:
            raise InputError(fault)
        remarks += [remark] * bool(remark)
    return remarks
