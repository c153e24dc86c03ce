"""The leaderboard as text: one table a data set, by score, for a terminal and for Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from csist_bench.conventions import PRIOR_TEXT, STATUS_MEANINGS
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.files.markdown import plain_markdown
from csist_bench.leaderboard.board import Board, Entry
from csist_bench.leaderboard.columns import DASH, TEXT_COLUMNS, Column, score_text
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.matrix import ALONE, SETS, MatrixLine, Section, matrix
from csist_bench.leaderboard.repeat import trained_there
from csist_bench.leaderboard.rows import Row

STATUSES_TEXT = "Tiers: " + "; ".join(f"*{name}* is {meaning}" for name, meaning in STATUS_MEANINGS.items()) + "."
ADAPTED = "†"
MATRIX_TEXT = (
    "CSO-mAP of each method by data set; a cell names its decoder, the better of two. Each section holds the methods"
    " that were told as much, by their mean over noise 0, 2 and 5 (grey levels), then those that stand at noise 0"
    " alone."
    f" {ADAPTED} marks weights adapted to that data set; a dash, what was not measured."
)
_PUBLISHED = " (published)"
_GAP = "  "
# A name is cut no shorter than this.
_SHORTEST_NAME = 16
# Columns that are worth cutting a name for (`Column.keep`): from the interval up.
_NEEDED = 60


# --- terminal ---------------------------------------------------------------------------------------------------


def terminal_text(shown: Board, others: Sequence[str] = (), width: int | None = None) -> str:
    """Return the tables for a terminal of a width in characters (any by default); `others` are data sets not shown.

    Columns that do not fit are left out, the least important first, and named beneath the table.
    """
    parts = [_terminal_table(name, shown.entries(name), shown.lines_of(name), width) for name in shown.tables]
    if others:
        parts.append(_wrapped("More (--dataset NAME or --dataset all): " + "; ".join(others), width))
    return "\n\n".join(parts) if parts else "no rows"


def _terminal_table(name: str, entries: Sequence[Entry], lines: Sequence[Line], width: int | None) -> str:
    columns, name_width = _fitting(entries, width)
    cells = [[_cut(_text_cell(column, entry), name_width, column) for column in columns] for entry in entries]
    table = [[column.title for column in columns], *cells]
    widths = [max(map(len, column)) for column in zip(*table)]
    body = [_GAP.join(map(_aligned, columns, line, widths)).rstrip() for line in table]
    said = [_wrapped(f"{line.label}: {line.value_text}", width) for line in lines]
    left_out = [column.title for column in TEXT_COLUMNS if column not in columns]
    if left_out:
        said.append(_wrapped(f"Left out for want of width: {', '.join(left_out)}", width))
    return "\n".join([_wrapped(f"{name} (evaluator {EVALUATOR_VERSION}, percent)", width), *body, *said])


def _wrapped(text: str, width: int | None) -> str:
    return text if width is None else textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _fitting(entries: Sequence[Entry], width: int | None) -> tuple[list[Column], int]:
    """Return the columns that fit into a width, and the width of the column of names."""
    needed = {
        column: max(len(column.title), *(len(_text_cell(column, entry)) for entry in entries))
        for column in TEXT_COLUMNS
    }
    names = needed[TEXT_COLUMNS[_name_place()]]
    if width is None:
        return list(TEXT_COLUMNS), names
    kept = list(TEXT_COLUMNS)
    least = min(names, _SHORTEST_NAME + len(_PUBLISHED))
    # Columns without a figure go first, whatever they are.
    told = {column: any(column.text(entry) for entry in entries) for column in TEXT_COLUMNS}
    for column in sorted(TEXT_COLUMNS, key=lambda column: (told[column], column.keep))[:-2]:
        if _total(needed, kept) <= width:
            break
        # A long name is cut before a column as needed as the interval is left out.
        if told[column] and column.keep >= _NEEDED and _total(needed, kept) - names + least <= width:
            break
        kept.remove(column)
    return kept, max(least, names - max(0, _total(needed, kept) - width))


def _name_place() -> int:
    return next(place for place, column in enumerate(TEXT_COLUMNS) if column.title == "method")


def _total(needed: dict[Column, int], columns: Sequence[Column]) -> int:
    return sum(needed[column] for column in columns) + len(_GAP) * (len(columns) - 1)


def _text_cell(column: Column, entry: Entry) -> str:
    if column.title == "method":
        return entry.label + _PUBLISHED * (not entry.row.measured)
    return column.text(entry) or "-"


def _cut(cell: str, width: int, column: Column) -> str:
    if column.title != "method" or len(cell) <= width:
        return cell
    tail = _PUBLISHED if cell.endswith(_PUBLISHED) else ""
    return cell.removesuffix(tail)[: width - 2 - len(tail)].rstrip(", ") + ".." + tail


def _aligned(column: Column, cell: str, width: int) -> str:
    return cell.rjust(width) if column.number else cell.ljust(width)


# --- Markdown ---------------------------------------------------------------------------------------------------


def markdown_text(shown: Board) -> str:
    """Return the leaderboard as a Markdown page: the overview, then one table a data set."""
    head = [
        "# Leaderboard",
        f"CSO-mAP and AP05 to AP25 in percent, by evaluator {EVALUATOR_VERSION}; intervals are 95 % bootstrap intervals"
        " over trajectories. Written by `csist-bench leaderboard --markdown`; the same as a page to search, sort and"
        " filter, with charts and the details of every row: [index.html](index.html).",
        STATUSES_TEXT,
        PRIOR_TEXT,
        "Add a row with `csist-bench submit preds.json`: it scores the file itself. Published frames/s are the paper's,"
        " on its GPU; measured ones are of the hardware named in [leaderboard.csv](leaderboard.csv).",
    ]
    sections = matrix(shown)
    if sections:
        head += ["## Overview", MATRIX_TEXT, *(_markdown_section(section) for section in sections)]
    for name in shown.tables:
        head += [f"## {plain_markdown(name)}", _markdown_table(shown.entries(name))]
        lines = shown.lines_of(name)
        if lines:
            head.append("\n".join(f"- {plain_markdown(line.label)}: {line.value_text}" for line in lines))
    return "\n\n".join(head) + "\n"


def _markdown_section(section: Section) -> str:
    heads = [f"knows {section.tier}", "mean", *SETS]
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return _grid([heads, rule, *(_markdown_line(line) for line in section.lines)])


def _markdown_line(line: MatrixLine) -> list[str]:
    mark = "" if line.first.measured else "*"
    name = mark + plain_markdown(line.name) + (_PUBLISHED if mark else "") + mark
    mean = f"**{score_text(line.mean)}**" if line.mean is not None else ALONE if line.alone else DASH
    return [name, mean, *(_markdown_score(line.cells.get(heading, ())) for heading in SETS)]


def _markdown_score(rows: Sequence[Row]) -> str:
    if not rows:
        return DASH
    best = rows[0]
    return score_text(best.cso_map) + (f" {best.decoder}" + ADAPTED * trained_there(best) if best.measured else "")


def _markdown_table(entries: Sequence[Entry]) -> str:
    heads = [column.title for column in TEXT_COLUMNS]
    rule = ["---:" if column.number else "---" for column in TEXT_COLUMNS]
    return _grid([heads, rule, *([_markdown_cell(column, entry) for column in TEXT_COLUMNS] for entry in entries)])


def _grid(lines: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _markdown_cell(column: Column, entry: Entry) -> str:
    text = column.text(entry)
    if not text:
        return DASH
    mark = column.emphasis(entry.row)
    return mark + plain_markdown(text) + mark
