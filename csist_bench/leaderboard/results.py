"""Results in the documentation: tables and figures of Markdown pages, written from the leaderboard's files.

A page holds regions, each marker alone on its line, and single figures in its prose:

    <!-- begin generated: measured -->
    <!-- end generated: measured -->

    It scores 61.9<!-- score: ml, 1 frame | sigma 2 --> (and 53.8<!-- score: ml, 1 frame | sigma 2 | brightness -->).

What stands in a region is the table of that name; the figure in front of a score is that of a line, a column and a
ranking of `csist_bench.leaderboard.result_tables`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from csist_bench.errors import InputError, must
from csist_bench.files import replace_file
from csist_bench.leaderboard.result_tables import Tables, figure, generated
from csist_bench.leaderboard.rows import DEFAULT_PATH

_MARKER = re.compile(r"^<!-- *(begin|end) generated: *(.*?) *-->[ \t]*$", re.MULTILINE)
_FIGURE = re.compile(r"([\d.]*)<!-- *score:(.*?)(?:-->|\Z)", re.DOTALL)


class Piece(NamedTuple):
    """A part of a page that follows from the tables: its name, where it stands, and what must stand there."""

    name: str
    start: int
    stop: int
    text: str


def fill(paths: Iterable[str | Path], leaderboard: str | Path = DEFAULT_PATH) -> list[Path]:
    """Write the tables and figures of Markdown pages anew, each page whole or not at all; return those that changed.

    Raises
    ------
    InputError
        If a page is missing, a marker is unknown or unclosed, or a figure has no row. Nothing is written then.
    """
    tables, changed = Tables(leaderboard), {}
    for path in map(Path, paths):
        old = text = _page(path)
        for piece in reversed(pieces(text, str(path), tables)):
            text = text[: piece.start] + piece.text + text[piece.stop :]
        if text != old:
            changed[path] = text
    for path, text in changed.items():
        replace_file(path, text.encode())
    return list(changed)


def stale_regions(paths: Iterable[str | Path], leaderboard: str | Path = DEFAULT_PATH) -> list[str]:
    """Return which tables and figures of the pages are not what the leaderboard's files give: `path:line: name`."""
    tables, stale = Tables(leaderboard), []
    for path in map(Path, paths):
        text = _page(path)
        for piece in pieces(text, str(path), tables):
            if text[piece.start : piece.stop] != piece.text:
                stale.append(f"{_at(str(path), text, piece.start)}: {piece.name}")
    return stale


def pieces(text: str, where: str, tables: Tables) -> list[Piece]:
    """Return the generated parts of a page in their order."""
    return sorted([*_regions(text, where, tables), *_figures(text, where, tables)], key=lambda piece: piece.start)


def _regions(text: str, where: str, tables: Tables) -> Iterator[Piece]:
    opened: re.Match[str] | None = None
    table = ""
    for marker in _MARKER.finditer(text):
        kind, name = marker.groups()
        at = _at(where, text, marker.start())
        if kind == "begin":
            if opened:
                break
            with _named(at):
                table = generated(name, tables)
            opened = marker
            continue
        if opened is None or opened[2] != name:
            raise must(f"{at}: end of region {name!r}", "follow its begin marker", "none")
        yield Piece(name, opened.end(), marker.start(), f"\n\n{table}\n\n")
        opened = None
    if opened:
        at = _at(where, text, opened.start())
        remedy = f"add <!-- end generated: {opened[2]} -->"
        raise must(f"{at}: region {opened[2]!r}", "be closed before the next one", "no end", remedy)


def _figures(text: str, where: str, tables: Tables) -> Iterator[Piece]:
    for marker in _FIGURE.finditer(text):
        at = _at(where, text, marker.start())
        line, *asked = (" ".join(part.split()) for part in marker[2].split("|"))
        if len(asked) not in (1, 2) or not marker[1] or not marker[0].endswith("-->"):
            raise must(f"{at}: score", "be FIGURE<!-- score: LINE | COLUMN [| RANKING] -->", marker[0])
        with _named(at):
            found = tables.find(line, *asked)
        if found is None:
            raise must(f"{at}: score", "have a row in leaderboard.csv", " | ".join([line, *asked]))
        yield Piece(f"score {line} | {' | '.join(asked)}", marker.start(1), marker.end(1), figure(found.cso_map))


@contextmanager
def _named(at: str) -> Iterator[None]:
    """Name the place in a page that an error is of."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{at}: {error}") from None


def _page(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise InputError(f"page {path} not found") from None
    except (OSError, UnicodeDecodeError) as error:
        raise must(f"page {path}", "be a text file", error) from None


def _at(where: str, text: str, place: int) -> str:
    return f"{where}:{text.count(chr(10), 0, place) + 1}"
