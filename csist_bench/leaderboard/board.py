"""Which rows of the leaderboard are shown, in which tables and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from csist_bench.errors import unknown
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row

MAIN_DATASET = "seqcsist"
ALL = "all"


@dataclass(frozen=True)
class Board:
    """What is shown: one table a data set (and split), each in order of rank, and the reference lines."""

    tables: dict[str, list[Row]]
    lines: tuple[Line, ...] = ()

    def lines_of(self, table: str) -> list[Line]:
        """Return the reference lines of a table."""
        return [line for line in self.lines if table_name(line.dataset, line.split) == table]


def board(
    measured: Iterable[Row],
    published: Iterable[Row],
    *,
    dataset: str = ALL,
    family: str | None = None,
    status: str | None = None,
    lines: Iterable[Line] = (),
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
    tables = {}
    for name in sorted(chosen, key=_natural):
        rows = [r for r in chosen[name] if (not family or r.family == family) and (not status or r.status == status)]
        if rows and dataset in (ALL, name):
            tables[name] = ranked(rows)
    return Board(tables, tuple(lines))


def table_name(dataset: str, split: str) -> str:
    """Return the name of the table that a row is in; the test split goes without saying."""
    return dataset if split == "test" else f"{dataset}, {split}"


def _natural(text: str) -> list[Any]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Return methods by their best measured score, then those that were only published; published rows come last.

    Unverified rows stand below all others and lift no method.
    """
    best: dict[tuple[bool, str], tuple[bool, float]] = {}
    for row in rows:
        place = (row.status == "unverified", row.method)
        best[place] = max(best.get(place, (False, 0.0)), (row.measured, row.cso_map))

    def key(row: Row) -> tuple[Any, ...]:
        unverified = row.status == "unverified"
        measured, score = best[unverified, row.method]
        return (unverified, not measured, -score, row.method, not row.measured, -row.cso_map, row.rank)

    return sorted(rows, key=key)
