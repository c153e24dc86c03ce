"""One reader of tables: delimiter, header and lines of a text table in any common dialect.

Comma, semicolon or tab; a byte-order mark, CR LF, a `sep=` line, comment lines before the header, a header behind `# `
and in any case. What the cells hold is read by `numbers`, or as text by `Table.rows`.

Underneath are numpy's C parser and the standard library's `csv`. pandas would add its import, 0.4 s, to an `evaluate`
of 0.9 s, and pads short rows; pyarrow is an extra.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders, show
from csist_bench.files.text import lines_of

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SEPARATOR = re.compile(r'"?sep=(.)"?[,;\t]*', re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A table that is split into its header and its lines, not yet into cells.

    `names` are the column names, stripped and in lower case; `lines` follow the header, the first of them being line
    `first` of the file, and blank lines among them hold no row.
    """

    where: str
    names: list[str]
    delimiter: str
    lines: list[str]
    first: int

    def line_of(self, row: int) -> int:
        """Return the line of the file that holds a row."""
        filled = (number for number, line in enumerate(self.lines, start=self.first) if line.strip())
        return next(number for place, number in enumerate(filled) if place == row)

    def place(self, row: int) -> str:
        """Name a row as errors do."""
        return f"line {self.line_of(row)}"

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line number and the cells of each row; a row never spans lines."""
        for number, line in enumerate(self.lines, start=self.first):
            if line.strip():
                yield number, self.cells(number, line)

    def cells(self, number: int, line: str, keep_blanks: bool = False) -> list[str]:
        """Return the cells of one line, without blanks before them unless they are kept."""
        try:
            return next(csv.reader([line], delimiter=self.delimiter, strict=True, skipinitialspace=not keep_blanks))
        except csv.Error as error:
            fault = "a quote is not closed" if "unexpected end" in str(error) else str(error)
            raise InputError(f"{self.where}: line {number}: {fault}") from None

    def require_even(self) -> None:
        """Raise unless every row has as many cells as the header, naming the first five that have not."""
        width, found, total = len(self.names), [], 0
        for number, cells in self.rows():
            if len(cells) != width:
                total += 1
                if total <= OFFENDERS_SHOWN:
                    found.append(f"line {number} has {len(cells)} fields instead of {width}")
        if total:
            raise offenders(self.where, "every line must hold one value per column", found, total)


def read_table(text: str, where: str, known: Collection[str], header: str) -> Table:
    """Split a table.

    Parameters
    ----------
    known : collection of str
        Names by which a header is recognised, in lower case.
    header : str
        The header as an error shows it.

    Raises
    ------
    InputError
        If no header is found, or a column is named twice.
    """
    lines = lines_of(text)
    asked, start = _separator(lines, where)
    place = start
    for place in range(start, len(lines)):
        line = lines[place].strip()
        if not line:
            continue
        if not line.startswith("#"):
            break
        split = _split(line.lstrip("#"), known, asked)
        if split and not _next_is_header(lines[place + 1 :], known, asked):
            return _table(where, split, lines, place)
    line = lines[place] if place < len(lines) else ""
    split = _split(line, known, asked)
    if split is None:
        raise _no_header(where, line, known, header)
    return _table(where, split, lines, place)


def _separator(lines: list[str], where: str) -> tuple[str | None, int]:
    """Return the delimiter that a first line `sep=;` asks for, and where the table begins."""
    match = _SEPARATOR.fullmatch(lines[0].rstrip(" ")) if lines else None
    if match is None:
        return None, 0
    if match[1] not in DELIMITERS:
        raise must(f"{where}: line 1: sep", f"be one of {', '.join(DELIMITERS.values())}", repr(match[1]))
    return match[1], 1


def _split(line: str, known: Collection[str], asked: str | None) -> tuple[list[str], str] | None:
    """Return the column names of a header and its delimiter, or None for a line that is none."""
    best: tuple[list[str], str] | None = None
    most = 0
    for delimiter in [asked] if asked else DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:
            continue
        names = [cell.strip().strip('"').strip().casefold() for cell in cells]
        count = sum(name in known for name in names)
        if count > most:
            best, most = (names, delimiter), count
    return best


def _next_is_header(lines: list[str], known: Collection[str], asked: str | None) -> bool:
    following = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return _split(following, known, asked) is not None


def _no_header(where: str, line: str, known: Collection[str], header: str) -> InputError:
    apart = {name.casefold() for name in re.split(r"[\s|:]+", line[:10_000]) if name}
    remedy = f"separate the columns by {', '.join(DELIMITERS.values())}" if len(apart & set(known)) > 1 else ""
    return must(where, f"begin with a line of column names ({header})", line.strip() or "nothing", remedy)


def _table(where: str, split: tuple[list[str], str], lines: list[str], place: int) -> Table:
    names, delimiter = split
    require_different(names, where)
    return Table(where, names, delimiter, lines[place + 1 :], place + 2)


def require_different(names: list[str], where: str) -> None:
    """Raise if two columns have the same name, in any case; unnamed ones, such as pandas' index, may be several."""
    named = [name for name in names if name]
    if len(set(named)) != len(named):
        seen: set[str] = set()
        twice = list(dict.fromkeys(name for name in named if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
        raise must(where, "name each column once", ", ".join(map(show, twice[:OFFENDERS_SHOWN])))


def unread(names: Collection[str], known: Collection[str]) -> str:
    """Return the named columns that are not read as one short text, or nothing."""
    others = [show(name) for name in names if name and name not in known and not name.startswith("unnamed: ")]
    more = f" and {len(others) - 2 * OFFENDERS_SHOWN} more" if len(others) > 2 * OFFENDERS_SHOWN else ""
    return ", ".join(others[: 2 * OFFENDERS_SHOWN]) + more
