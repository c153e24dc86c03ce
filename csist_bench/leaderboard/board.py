"""Which rows of the leaderboard are shown, in which tables and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from csist_bench.conventions import APART
from csist_bench.errors import unknown
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.naming import names_of, short_name
from csist_bench.leaderboard.rows import Row
from csist_bench.methods.knowledge import ORDER

MAIN_DATASET = "seqcsist"
ALL = "all"


@dataclass(frozen=True)
class Entry:
    """A row in its place: the table that it stands in, all rows of that table, what it is called, and its rank."""

    row: Row
    table: str
    rows: Sequence[Row]
    name: str = ""
    rank: int | None = None

    @property
    def label(self) -> str:
        """What the row is called."""
        return self.name or short_name(self.row)

    @property
    def published(self) -> float | None:
        """The published CSO-mAP of a measured row's method, among the rows of its table."""
        if not self.row.measured:
            return None
        of_method = (other for other in self.rows if other.method == self.row.method)
        return next((other.cso_map for other in of_method if not other.measured), None)


@dataclass(frozen=True)
class Board:
    """What is shown: one table a data set (and split), each by score, the reference lines, and ranks where known.

    A row's rank is 1 + the number of rows of its table that are significantly better.
    """

    tables: dict[str, list[Row]]
    lines: tuple[Line, ...] = ()
    ranks: Mapping[Row, int] = field(default_factory=dict)
    names: Mapping[Row, str] = field(default_factory=dict)

    def lines_of(self, table: str) -> list[Line]:
        """Return the reference lines of a table."""
        return [line for line in self.lines if table_name(line.dataset, line.split) == table]

    def entries(self, table: str) -> list[Entry]:
        """Return the rows of a table in their places."""
        rows = self.tables[table]
        return [Entry(row, table, rows, self.names.get(row, ""), self.ranks.get(row)) for row in rows]


def board(
    measured: Iterable[Row],
    published: Iterable[Row],
    *,
    dataset: str = ALL,
    family: str | None = None,
    status: str | None = None,
    lines: Iterable[Line] = (),
    ranks: Mapping[Row, int] | None = None,
) -> Board:
    """Choose and order the rows; `dataset` is a table's name or "all".

    Raises
    ------
    InputError
        If there is no such data set.
    """
    chosen: dict[str, list[Row]] = {}
    for row in (*measured, *published):
        chosen.setdefault(table_name(row.dataset, row.split), []).append(row)
    if dataset != ALL and dataset not in chosen:
        raise unknown("data set", dataset, chosen)
    names = names_of(row for rows in chosen.values() for row in rows)
    tables = {}
    for name in sorted(chosen, key=_natural):
        rows = [r for r in chosen[name] if (not family or r.family == family) and (not status or r.status == status)]
        if rows and dataset in (ALL, name):
            tables[name] = ordered(rows)
    return Board(tables, tuple(lines), ranks or {}, names)


def ranks_by_table(measured: Iterable[Row], leaderboard: str | Path) -> dict[Row, int]:
    """Return the rank of each row within its table, where what that takes is kept beside the leaderboard.

    All rows of a table count but those that stand apart, whichever of them are shown.
    """
    from csist_bench.leaderboard.significance import ranks  # scipy takes its time

    tables: dict[str, list[Row]] = {}
    for row in measured:
        if row.status not in APART:
            tables.setdefault(table_name(row.dataset, row.split), []).append(row)
    return {row: rank for rows in tables.values() for row, rank in ranks(rows, leaderboard).items()}


def table_name(dataset: str, split: str) -> str:
    """Return the name of the table that a row is in; the test split goes without saying."""
    return dataset if split == "test" else f"{dataset}, {split}"


def _natural(text: str) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Return rows by score, the best first; submitted rows stand below those of this repository, unverified ones last.

    Of equal scores the row that was told least comes first, then by name, so that the order never changes.
    """

    def key(row: Row) -> tuple[Any, ...]:
        told = ORDER.index(row.prior_tier)
        apart = APART.index(row.status) + 1 if row.status in APART else 0
        return (apart, -row.cso_map, told, short_name(row), row.decoder, row.status)

    return sorted(rows, key=key)


def own_rankings(rows: Iterable[Row]) -> list[Row]:
    """Return the rows ranked by the method's own score, and others of variants that have none."""
    rows = list(rows)
    own = {(row.method, row.settings) for row in rows if row.rank == "score"}
    return [row for row in rows if row.rank == "score" or (row.method, row.settings) not in own]
