"""The leaderboard as text: measured rows with the published ones beneath them, for a terminal and for Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from csist_bench.conventions import AP_TITLES, PRIOR_TEXT
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.leaderboard.board import Board
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row

STATUSES_TEXT = (
    "Tiers: *published* is the paper's own figure; *submitted* was scored here from a prediction file; *reproduced* was"
    " trained and run by a recipe of this repository, and scored here."
)


def published_beside(row: Row, rows: Sequence[Row]) -> float | None:
    """Return the published CSO-mAP of a measured row's method, among the rows of its table."""
    if not row.measured:
        return None
    return next((other.cso_map for other in rows if not other.measured and other.method == row.method), None)


def row_label(row: Row) -> str:
    """Return the method with whatever tells its rows apart."""
    details = [row.settings] if row.settings else []
    details += [f"by {row.rank}"] if row.rank != "score" else []
    details += [f"seed {row.seed}"] if row.seed else []
    details += [f"data seed {row.data_seed}"] if row.data_seed else []
    return row.method + (f" ({', '.join(details)})" if details else "")


def score_text(value: float | None) -> str:
    """Return a score in percent with the protocol's two decimals."""
    return "" if value is None else f"{value:.2f}"


def interval_text(row: Row) -> str:
    """Return the 95 % interval of CSO-mAP."""
    low, high = row.cso_map_low, row.cso_map_high
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def count_text(value: float | None) -> str:
    """Return a number of parameters or operations with its multiple: 22730 -> 22.7 K."""
    if value is None:
        return ""
    for multiple, letter in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= multiple:
            return f"{value / multiple:.3g} {letter}"
    return f"{value:g}"


def rate_text(row: Row) -> str:
    """Return frames per second."""
    rate = row.frames_per_second
    return "" if rate is None else f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


HEADINGS = (
    "method", "family", "tier", "knows", "decoder", "CSO-mAP", "95 %", "published",
    *AP_TITLES, "parameters", "frames/s",
)  # fmt: skip
_TEXT_COLUMNS = 5


def cells_of(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the cells of a row under `HEADINGS`; `rows` are those of its table."""
    return (
        row_label(row), row.family, row.status, row.prior_tier, row.decoder if row.measured else "",
        score_text(row.cso_map), interval_text(row), score_text(published_beside(row, rows)),
        *map(score_text, row.aps), count_text(row.parameters), rate_text(row),
    )  # fmt: skip


# --- terminal ---------------------------------------------------------------------------------------------------


def terminal_text(shown: Board, others: Sequence[str] = ()) -> str:
    """Return the tables for a terminal; `others` are data sets that are not shown."""
    parts = [_terminal_table(name, rows, shown.lines_of(name)) for name, rows in shown.tables.items()]
    if others:
        parts.append("More (--dataset NAME or --dataset all): " + "; ".join(others))
    return "\n\n".join(parts) if parts else "no rows"


def _terminal_table(name: str, rows: Sequence[Row], lines: Sequence[Line]) -> str:
    table = [HEADINGS, *(cells_of(row, rows) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    body = ["  ".join(_aligned(cell, widths[i], i) for i, cell in enumerate(line)).rstrip() for line in table]
    said = [f"{line.label}: {line.cso_map:.1f}" for line in lines]
    return "\n".join([f"{name} (evaluator {EVALUATOR_VERSION}, percent)", *body, *said])


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column < _TEXT_COLUMNS else cell.rjust(width)


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
        head += [f"## {name}", _markdown_table(rows)]
        lines = shown.lines_of(name)
        if lines:
            head.append("\n".join(f"- {line.label}: {line.cso_map:.1f}" for line in lines))
    return "\n\n".join(head) + "\n"


def _markdown_table(rows: Sequence[Row]) -> str:
    rule = ["---" if i < _TEXT_COLUMNS else "---:" for i in range(len(HEADINGS))]
    return "\n".join(_piped(line) for line in (HEADINGS, rule, *(_markdown_cells(row, rows) for row in rows)))


def _markdown_cells(row: Row, rows: Sequence[Row]) -> list[str]:
    cells = [re.sub(r"([\\|<>*_`\[\]])", r"\\\1", cell) for cell in cells_of(row, rows)]
    if row.measured:
        cells[5] = f"**{cells[5]}**"
    else:
        cells[2] = f"*{cells[2]}*"
    return cells


def _piped(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
