"""The leaderboard as one self-contained HTML page: it needs no network and is readable without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from csist_bench.conventions import FAMILIES, PRIOR_TEXT, STATUS_MEANINGS, STATUSES
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.leaderboard.board import MAIN_DATASET, Board
from csist_bench.leaderboard.charts import PARAMETERS, SPEED, chart, escape
from csist_bench.leaderboard.columns import PAGE_COLUMNS, Column, Entry, interval_text
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row

# A chart of fewer points says less than the table.
FEWEST_POINTS = 2
_HERE = Path(__file__).resolve().parent
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page_text(board: Board) -> str:
    """Return the whole page."""
    measured = sum(row.measured for rows in board.tables.values() for row in rows)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        _head(),
        "<body>",
        _header(measured, len(board.tables)),
        "<main>",
        _controls(list(board.tables)),
        *(_figures(name, rows, board.lines_of(name)) for name, rows in board.tables.items()),
        _table(board),
        _legend(),
        "</main>",
        f"<script>\n{_file('page.js')}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _head() -> str:
    return (
        '<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>CSIST unmixing leaderboard</title>\n<style>\n{_file('page.css')}</style>\n</head>"
    )


def _header(measured: int, tables: int) -> str:
    return (
        "<header>\n<h1>CSIST unmixing leaderboard</h1>\n"
        "<p>Closely-spaced infrared small targets: how precisely each method tells them apart. Scores are CSO-mAP in"
        f" percent by evaluator {EVALUATOR_VERSION}; {measured} measured rows on {tables} data sets stand beside the"
        ' published figures. <a href="#table">Straight to the table</a></p>\n</header>'
    )


# --- controls ---------------------------------------------------------------------------------------------------


def _controls(tables: Sequence[str]) -> str:
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == MAIN_DATASET else ""}>{escape(name)}</option>'
        for name in tables
    )
    return (
        '<form class="controls" hidden>\n'
        f'<label>Data set <select id="dataset"><option value="">all</option>{options}</select></label>\n'
        f"{_chips('Family', 'family', FAMILIES)}\n{_chips('Tier', 'tier', STATUSES)}\n"
        '<output id="count"></output>\n</form>'
    )


def _chips(legend: str, name: str, values: Sequence[str]) -> str:
    boxes = "".join(
        f'<label class="chip {value}"><input type="checkbox" name="{name}" value="{value}" checked>{value}</label>'
        for value in values
    )
    return f"<fieldset><legend>{legend}</legend>{boxes}</fieldset>"


# --- charts -----------------------------------------------------------------------------------------------------


def _figures(name: str, rows: Sequence[Row], lines: Sequence[Line]) -> str:
    """Return the two charts of a data set; nothing where too few rows have a cost to be shown against."""
    figures, rows = [], [row for row in rows if row.status != "unverified"]
    for cost in (SPEED, PARAMETERS):
        drawn = [row for row in rows if cost.value(row) is not None]
        if len(drawn) < FEWEST_POINTS:
            continue
        said = f"CSO-mAP against {cost.title}, of the {len(drawn)} rows (of {len(rows)}) that have a figure."
        figures.append(f"<figure>{chart(rows, lines, cost, name)}<figcaption>{said}</figcaption></figure>")
    if not figures:
        return ""
    key = "".join(f'<span class="key {family}">{family}</span>' for family in FAMILIES)
    marks = '<span class="key full">measured</span><span class="key hollow">published (speed: the paper\'s GPU)</span>'
    body = "\n".join(figures)
    return (
        f'<section class="charts" data-dataset="{escape(name)}">\n<h2>{escape(name)}</h2>\n'
        f'<p class="keys">{key}{marks}</p>\n<div class="pair">\n{body}\n</div>\n</section>'
    )


# --- table ------------------------------------------------------------------------------------------------------


def _table(board: Board) -> str:
    heads = "".join(
        f'<th scope="col" class="{_KINDS[column.align]}" data-kind="{_KINDS[column.align]}"'
        f' title="{escape(column.description)}"><button type="button">{column.heading}</button></th>'
        for column in PAGE_COLUMNS
    )
    body = "\n".join(_row(Entry(row, name, rows)) for name, rows in board.tables.items() for row in rows)
    return (
        '<div class="scroll" id="table" tabindex="0" role="region" aria-label="Leaderboard table">\n<table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _row(entry: Entry) -> str:
    row = entry.row
    about = f'data-dataset="{escape(entry.table)}" data-family="{row.family}" data-tier="{row.status}"'
    return f'<tr class="{row.status}" {about}>{"".join(_cell(column, entry) for column in PAGE_COLUMNS)}</tr>'


def _cell(column: Column, entry: Entry) -> str:
    if column.title in _DRESSED:
        return _DRESSED[column.title](entry.row, escape(column.text(entry)))
    if column.value is None:
        return f"<td>{escape(column.text(entry))}</td>"
    value = column.value(entry)
    if value is None:
        return '<td class="number"></td>'
    return f'<td class="number" data-value="{value!r}">{column.text(entry)}</td>'


def _method_cell(row: Row, text: str) -> str:
    return f'<th scope="row">{text}{_details(row)}</th>'


def _family_cell(row: Row, text: str) -> str:
    return f'<td><span class="key {row.family}">{text}</span></td>'


def _status_cell(row: Row, text: str) -> str:
    return f'<td><span class="badge {row.status}" title="{STATUS_MEANINGS[row.status]}">{text}</span></td>'


def _score_cell(row: Row, text: str) -> str:
    interval = interval_text(row)
    small = f"<small>{interval}</small>" if interval else ""
    bar = f'<span class="bar" style="width:{row.cso_map:.1f}%"></span>'
    return f'<td class="number score" data-value="{row.cso_map!r}"><b>{text}</b>{small}{bar}</td>'


# Cells that are more than their text, by the title of their column.
_DRESSED: dict[str, Callable[[Row, str], str]] = {
    "method": _method_cell,
    "family": _family_cell,
    "tier": _status_cell,
    "CSO-mAP": _score_cell,
}
# What the script of the page calls the two kinds of sorting.
_KINDS = {"left": "text", "right": "number"}


def _details(row: Row) -> str:
    """Return the provenance of a row, folded away; it opens without JavaScript."""
    named = {
        "note": row.note,
        "settings": row.settings,
        "rate measured on": row.hardware,
        "trained on": row.training_device,
        "data": row.dataset_recipe,
        "data seed": row.data_seed,
        "data fingerprint": row.dataset_fingerprint,
        "recipe": row.recipe_hash,
        "predictions": row.predictions_sha256,
        "supersedes": row.supersedes,
    }
    items = [
        f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in named.items() if value not in ("", None)
    ]
    items += [_link(name, url) for name, url in (("paper", row.paper), ("code", row.code)) if url]
    return f"<details><summary>details</summary><dl>{''.join(items)}</dl></details>" if items else ""


def _link(name: str, url: str) -> str:
    return f'<dt>{name}</dt><dd><a href="{escape(url)}" rel="noopener">{escape(url)}</a></dd>'


def _legend() -> str:
    statuses = "".join(
        f'<li><span class="badge {name}">{name}</span> {meaning}</li>' for name, meaning in STATUS_MEANINGS.items()
    )
    return (
        f'<section class="legend">\n<h2>Reading the table</h2>\n<ul>{statuses}</ul>\n<p>{escape(PRIOR_TEXT)}</p>\n'
        "<p>The ceiling lines are what a perfect detector scores when its answers are snapped to the nodes of the label"
        " grid; the limits are Cramer-Rao lines of the data's noise, scored as a method is: no strict bounds, a fit"
        " can pass them where errors are above 0.1 px. Intervals are 95 % bootstrap intervals over trajectories. A row"
        " is never overwritten: a newer one supersedes it.</p>\n</section>"
    )
