"""The leaderboard as text: measured rows with the published ones beneath them, for a terminal and for Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from csist_bench.conventions import PRIOR_TEXT, STATUS_MEANINGS
from csist_bench.errors import printable
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.leaderboard.board import Board
from csist_bench.leaderboard.columns import TEXT_COLUMNS, Column, Entry
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row

STATUSES_TEXT = "Tiers: " + "; ".join(f"*{name}* is {meaning}" for name, meaning in STATUS_MEANINGS.items()) + "."
HEADINGS = tuple(column.title for column in TEXT_COLUMNS)


# --- terminal ---------------------------------------------------------------------------------------------------


def terminal_text(shown: Board, others: Sequence[str] = ()) -> str:
    """Return the tables for a terminal; `others` are data sets that are not shown."""
    parts = [_terminal_table(name, rows, shown.lines_of(name)) for name, rows in shown.tables.items()]
    if others:
        parts.append("More (--dataset NAME or --dataset all): " + "; ".join(others))
    return "\n\n".join(parts) if parts else "no rows"


def _terminal_table(name: str, rows: Sequence[Row], lines: Sequence[Line]) -> str:
    cells = [[column.text(Entry(row, name, rows)) for column in TEXT_COLUMNS] for row in rows]
    table = [HEADINGS, *cells]
    widths = [max(map(len, column)) for column in zip(*table)]
    body = ["  ".join(map(_aligned, TEXT_COLUMNS, line, widths)).rstrip() for line in table]
    said = [f"{line.label}: {line.cso_map:.1f}" for line in lines]
    return "\n".join([f"{name} (evaluator {EVALUATOR_VERSION}, percent)", *body, *said])


def _aligned(column: Column, cell: str, width: int) -> str:
    return cell.ljust(width) if column.align == "left" else cell.rjust(width)


# --- Markdown ---------------------------------------------------------------------------------------------------


def markdown_text(shown: Board) -> str:
    """Return the leaderboard as a Markdown page."""
    head = [
        "# Leaderboard",
        f"CSO-mAP and AP05 to AP25 in percent, by evaluator {EVALUATOR_VERSION}; intervals are 95 % bootstrap intervals"
        " over trajectories. Written by `csist-bench leaderboard --markdown`; the same as a sortable page with charts:"
        " [index.html](index.html).",
        STATUSES_TEXT,
        PRIOR_TEXT,
        "Add a row with `csist-bench submit preds.json`: it scores the file itself. Published frames/s are the paper's,"
        " on its GPU; measured ones are of the hardware named in [leaderboard.csv](leaderboard.csv).",
    ]
    for name, rows in shown.tables.items():
        head += [f"## {_markdown(name)}", _markdown_table(name, rows)]
        lines = shown.lines_of(name)
        if lines:
            head.append("\n".join(f"- {_markdown(line.label)}: {line.cso_map:.1f}" for line in lines))
    return "\n\n".join(head) + "\n"


def _markdown_table(name: str, rows: Sequence[Row]) -> str:
    rule = ["---" if column.align == "left" else "---:" for column in TEXT_COLUMNS]
    cells = [[_markdown_cell(column, Entry(row, name, rows)) for column in TEXT_COLUMNS] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in (HEADINGS, rule, *cells))


def _markdown_cell(column: Column, entry: Entry) -> str:
    mark = column.emphasis(entry.row)
    return mark + _markdown(column.text(entry)) + mark


def _markdown(text: str) -> str:
    """Return text that Markdown shows as it stands: no markup, no HTML, no entities, nothing invisible."""
    return re.sub(r"([\\|<>*_`\[\]&!~#])", r"\\\1", printable(" ".join(text.split())))
