"""Cells as numbers: a point or a comma for decimals, and no guess where that could be either.

A whole plain table goes through numpy's C parser. Quotes, commas in cells or blanks are looked at cell by cell.
"""

from __future__ import annotations

import re
import warnings as python_warnings
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders, show
from csist_bench.files.tables import Table

Floats = NDArray[np.float64]

_POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "<na>"))


def is_number(text: str) -> bool:
    """Tell whether a cell is a number with a decimal point, or a word for one that is not finite."""
    return bool(_POINT.fullmatch(text) or _NOT_FINITE.fullmatch(text))


def with_point(cell: str, where: str) -> str:
    """Return one cell with a decimal point for its comma; one that could part thousands is refused."""
    if _GROUPED.fullmatch(cell):
        raise must(where, "tell decimals from thousands", cell, "write a decimal point")
    return cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell


def number_columns(table: Table, wanted: Sequence[str], optional: Collection[str] = ()) -> dict[str, Floats]:
    """Return the wanted columns of a table, each of shape (rows,).

    Parameters
    ----------
    wanted : sequence of str
        Names of columns that the table has.
    optional : collection of str
        Those of them in which a cell may be blank or NA; it becomes NaN.

    Raises
    ------
    InputError
        If a row is too short or too long, a cell is no number, or it cannot be told what a comma means; with the first
        five lines.
    """
    chosen = [table.names.index(name) for name in wanted]
    values = _parsed_at_once(table, chosen)
    if values is not None:
        return dict(zip(wanted, values.T))
    table.require_even()
    rows = [cells for _, cells in table.rows()]
    columns = {name: [cells[place].strip() for cells in rows] for name, place in zip(wanted, chosen)}
    return _Cells(table, columns, optional).numbers()


def _parsed_at_once(table: Table, chosen: list[int]) -> Floats | None:
    """Return the columns by the fast parser; None where the table needs a closer look."""
    width, mark, lines = len(table.names), table.delimiter, table.lines
    body = "\n".join(lines)
    if '"' in body or (mark != "," and "," in body):
        return None
    every = chosen == list(range(width))
    # Where columns are left out, loadtxt does not look at the length of a row.
    if not every and any(line.count(mark) != width - 1 and line.strip() for line in lines):
        return None
    return parsed_lines(lines, mark, len(chosen), None if every else chosen)


def parsed_lines(
    lines: Sequence[str], delimiter: str | None, width: int, usecols: Sequence[int] | None = None
) -> Floats | None:
    """Return lines of plain numbers, shape (rows, width), or None where they are anything else; None: blanks part."""
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore", UserWarning)  # a table without rows is no detections
            values = np.loadtxt(lines, delimiter=delimiter, usecols=usecols, ndmin=2, comments=None)
    except ValueError:
        return None
    if not values.size:
        return np.zeros((0, width))
    return values if values.shape[1] == width else None


class _Cells:
    """The cells of the chosen columns, and what their commas mean."""

    def __init__(self, table: Table, columns: dict[str, list[str]], optional: Collection[str]) -> None:
        self.table, self.columns, self.optional = table, columns, optional

    def numbers(self) -> dict[str, Floats]:
        """Return the columns as numbers."""
        if self.table.delimiter == ",":
            groups = [[name] for name in self.columns]
        else:
            # A comma that does not part columns means the same in all of them.
            groups = [list(self.columns)]
        for group in groups:
            self._settle_commas(group)
        self._require_numbers()
        return {name: self._array(name) for name in self.columns}

    def _settle_commas(self, names: list[str]) -> None:
        """Replace the decimal commas of columns that share a convention; refuse those that could be thousands."""
        with_comma = [(name, row) for name in names for row, cell in enumerate(self.columns[name]) if "," in cell]
        if not with_comma:
            return
        grouped = [at for at in with_comma if _GROUPED.fullmatch(self._cell(at))]
        apart = set(grouped)
        decimal = [at for at in with_comma if at not in apart and _COMMA.fullmatch(self._cell(at))]
        points = [(name, row) for name in names for row, cell in enumerate(self.columns[name]) if "." in cell]
        thousands = [at for at in grouped if self._cell(at).count(",") > 1]
        if decimal and points:
            raise self._ambiguous("decimals must have a point or a comma, not both", [decimal[0], *points])
        if thousands:
            raise self._ambiguous("numbers must not have thousands separators", thousands)
        if grouped and not decimal:
            raise self._ambiguous("a comma must tell decimals from thousands; write a decimal point", grouped)
        for name in names:
            self.columns[name] = [c.replace(",", ".") if _COMMA.fullmatch(c) else c for c in self.columns[name]]

    def _cell(self, at: tuple[str, int]) -> str:
        return self.columns[at[0]][at[1]]

    def _ambiguous(self, rule: str, places: Sequence[tuple[str, int]]) -> InputError:
        shown = places[:OFFENDERS_SHOWN]
        found = [f"{self.table.place(row)}: {name} = {show(self._cell((name, row)))}" for name, row in shown]
        return offenders(self.table.where, rule, found, len(places))

    def _require_numbers(self) -> None:
        bad = [
            (row, name)
            for name, cells in self.columns.items()
            for row, cell in enumerate(cells)
            if not (is_number(cell) or (name in self.optional and cell.casefold() in _MISSING))
        ]
        if bad:
            found = [self._fault(row, name) for row, name in sorted(bad)[:OFFENDERS_SHOWN]]
            raise offenders(self.table.where, "every line must hold one number per column", found, len(bad))

    def _fault(self, row: int, name: str) -> str:
        cell = self.columns[name][row]
        said = f"{show(repr(cell))} is not a number" if cell else "is blank"
        return f"{self.table.place(row)}: {name} {said}"

    def _array(self, name: str) -> Floats:
        cells = self.columns[name]
        if name in self.optional:
            cells = ["nan" if cell.casefold() in _MISSING else cell for cell in cells]
        return np.array(list(map(float, cells)), dtype=np.float64)
