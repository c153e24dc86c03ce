"""Reference lines of a data set: what a grid can score at best, and what noise allows each kind of knowledge.

They are computed from a data set (`compute_lines`, `compute_bayes_lines`) and kept in `lines.csv` beside the
leaderboard, with the fingerprint of the data that they are of.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError, must, show
from csist_bench.evaluation.ceilings import grid_ceiling
from csist_bench.evaluation.truth import Truth
from csist_bench.leaderboard.datasets import dataset_label
from csist_bench.leaderboard.rows import Digest, Name, Percent, board_lock, write_table
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.camera import Camera

FILE = "lines.csv"

LineKind = Literal["ceiling", "limit", "bayes"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One reference line: a ceiling of the grid, a Cramer-Rao line ("limit") or a Bayes line; CSO-mAP in percent.

    `error` is the standard error, percent, of a line that is scored on drawn trajectories.
    """

    dataset: Name
    split: Name
    kind: LineKind
    label: Name
    cso_map: Percent
    dataset_fingerprint: Digest
    error: Percent | None = None

    @property
    def made_together(self) -> tuple[str, str, bool]:
        """What one computation makes: the ceilings and Cramer-Rao lines of a split, or its Bayes lines."""
        return self.dataset, self.split, self.kind == "bayes"

    @property
    def value_text(self) -> str:
        """CSO-mAP with its error, if it has one."""
        return f"{self.cso_map:.1f}" if self.error is None else f"{self.cso_map:.1f} +- {self.error:.2f}"


COLUMNS = tuple(field.name for field in msgspec.structs.fields(Line))


def cramer_rao_names(recipe: DataRecipe) -> tuple[str, ...]:
    """Return the names of the Cramer-Rao lines of a chart: one frame, all of them, one frame of the known law."""
    turned = (", any angle" + " and radius" * (recipe.radius_max > recipe.radius_min)) if recipe.rotate else ""
    return "1 frame", "20 frames, rigid group, cubic motion", f"1 frame, group of known arms{turned}"


def compute_lines(store: Dataset, split: str = "test") -> list[Line]:
    """Return the ceilings of the data set's own grid, and its Cramer-Rao lines of prior tiers B, C and D."""
    from csist_bench.evaluation.cramer_rao import LINES
    from csist_bench.evaluation.cramer_rao_lines import cramer_rao_table

    part = store.split(split)
    truth = Truth.from_split(part)
    ceiling = grid_ceiling(truth, store.recipe.c)
    values = [
        ("ceiling", f"{store.recipe.c}-fold grid, ranked by brightness", ceiling["by_brightness"]["cso_map"]),
        ("ceiling", f"{store.recipe.c}-fold grid, any ranking", ceiling["any_ranking"]["cso_map"]),
    ]
    names = cramer_rao_names(store.recipe)
    chosen = [line for line in LINES if line.name in names]
    for row in cramer_rao_table(truth, Camera.from_recipe(store.recipe), lines=chosen):
        values.append(("limit", f"Cramer-Rao line, tier {row.line.prior_tier}: {row.line.name}", row.cso_map))
    about = _about(store, split)
    return [
        msgspec.convert({**about, "kind": kind, "label": label, "cso_map": min(100.0, value)}, Line)
        for kind, label, value in values
    ]


def compute_bayes_lines(
    store: Dataset,
    split: str,
    work: Path,
    *,
    trajectories: int | None = None,
    prior_tier: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Line], list[str]]:
    """Return the Bayes lines of the law that the data set follows, and what is to be said of each.

    `work` is the folder of the parts that are done; `prior_tier` asks for the lines of one tier alone.

    Raises
    ------
    InputError
        If there is no such line on the set.
    """
    from csist_bench.evaluation.bayes_lines import bayes_table, known_of

    camera = Camera.from_recipe(store.recipe)
    there = known_of(store.recipe)
    known = [each for each in there if prior_tier in (None, each.prior_tier)]
    if not known:
        tiers = " or ".join(sorted({each.prior_tier for each in there}))
        raise must("--prior-tier", f"be {tiers} on {store.recipe.name}", prior_tier)
    table = bayes_table(store.split(split), camera, work, known=known, trajectories=trajectories, progress=progress)
    about = _about(store, split)
    lines = [
        Line(**about, kind="bayes", label=row.line.label, cso_map=min(100.0, row.cso_map), error=row.error)
        for row in table
    ]
    return lines, [row.remark for row in table]


def _about(store: Dataset, split: str) -> dict[str, Any]:
    return {"dataset": dataset_label(store.recipe), "split": split, "dataset_fingerprint": store.fingerprint or ""}


def read_lines(folder: Path) -> list[Line]:
    """Read the lines beside a leaderboard; none where there is no file."""
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_line(cells) for cells in csv.DictReader(file)]
    except (msgspec.ValidationError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a table of reference lines ({show(str(error))}); make it again") from None


def _line(cells: dict[str, Any]) -> Line:
    # Tables of before there were errors lack the column.
    given = {name: cell for name, cell in cells.items() if name != "error" or cell}
    return msgspec.convert(given, Line, strict=False)


def replace_lines(folder: Path, lines: Sequence[Line], prior_tier: str | None = None) -> None:
    """Put the lines of a data set in the place of those that were made as they are; by rename.

    Where only those of one `prior_tier` were made, the others of the same data stay.
    """
    tier = f"tier {prior_tier}:" if prior_tier else ""
    of_data = {line.dataset_fingerprint for line in lines}
    path = folder / FILE
    with board_lock(path):
        ours = {line.made_together for line in lines}
        kept = [
            line
            for line in read_lines(folder)
            if line.made_together not in ours or (tier not in line.label and line.dataset_fingerprint in of_data)
        ]
        write_table(path, COLUMNS, [msgspec.structs.astuple(line) for line in (*kept, *lines)])
