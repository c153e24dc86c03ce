"""The leaderboard as one self-contained HTML page: it needs no network and is readable without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from csist_bench.conventions import AP_NAMES, FAMILIES, PRIOR_TEXT, STATUSES
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.leaderboard.board import MAIN_DATASET, Board
from csist_bench.leaderboard.charts import PARAMETERS, SPEED, chart
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row
from csist_bench.leaderboard.table import (
    count_text,
    interval_text,
    published_beside,
    rate_text,
    row_label,
    score_text,
)

# A chart of fewer points says less than the table.
FEWEST_POINTS = 2
_HERE = Path(__file__).resolve().parent
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
STATUS_MEANINGS = {
    "published": "the paper's own figure, not scored here",
    "submitted": "scored here from a prediction file",
    "reproduced": "trained and run by a recipe of this repository, scored here",
}
# Heading, kind of sorting, explanation.
COLUMNS = (
    ("Method", "text", "Method, and whatever tells its rows apart"),
    ("Data set", "text", "Data recipe and what departs from it"),
    ("Family", "text", "Family of methods"),
    ("Tier", "text", "Where the figure comes from"),
    ("Knows", "text", "What the method knows of the scene, A to D"),
    ("Decoder", "text", "How a heat map becomes detections"),
    ("CSO-mAP", "number", "Mean of AP05 to AP25, percent, with its 95 % interval"),
    ("Published", "number", "The paper's CSO-mAP of the same method on the same data"),
    *((name.upper(), "number", f"Average precision within 0.{name[2:]} px, percent") for name in AP_NAMES),
    ("Parameters", "number", "Number of parameters"),
    ("MACs", "number", "Multiply-accumulates per frame"),
    ("Frames/s", "number", "Frames per second on the hardware named in the row's details"),
    ("Training", "number", "Minutes of training"),
    ("Date", "text", "Day of the submission"),
)  # fmt: skip


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
        f'<option value="{_quoted(name)}"{" selected" if name == MAIN_DATASET else ""}>{escape(name)}</option>'
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
    figures = []
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
        f'<section class="charts" data-dataset="{_quoted(name)}">\n<h2>{escape(name)}</h2>\n'
        f'<p class="keys">{key}{marks}</p>\n<div class="pair">\n{body}\n</div>\n</section>'
    )


# --- table ------------------------------------------------------------------------------------------------------


def _table(board: Board) -> str:
    heads = "".join(
        f'<th scope="col" class="{kind}" data-kind="{kind}" title="{_quoted(title)}">'
        f'<button type="button">{name}</button></th>'
        for name, kind, title in COLUMNS
    )
    body = "\n".join(_row(name, row, rows) for name, rows in board.tables.items() for row in rows)
    return (
        '<div class="scroll" id="table" tabindex="0" role="region" aria-label="Leaderboard table">\n<table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _row(table: str, row: Row, rows: Sequence[Row]) -> str:
    about = f'data-dataset="{_quoted(table)}" data-family="{row.family}" data-tier="{row.status}"'
    return f'<tr class="{row.status}" {about}>{"".join(_cells(table, row, rows))}</tr>'


def _cells(table: str, row: Row, rows: Sequence[Row]) -> Iterator[str]:
    yield f'<th scope="row">{escape(row_label(row))}{_details(row)}</th>'
    yield f"<td>{escape(table)}</td>"
    yield f'<td><span class="key {row.family}">{row.family}</span></td>'
    yield f'<td><span class="badge {row.status}" title="{STATUS_MEANINGS[row.status]}">{row.status}</span></td>'
    yield f"<td>{row.prior_tier}</td>"
    yield f"<td>{row.decoder if row.measured else ''}</td>"
    yield _score_cell(row)
    published = published_beside(row, rows)
    yield _number_cell(published, score_text(published))
    for ap in row.aps:
        yield _number_cell(ap, score_text(ap))
    yield _number_cell(row.parameters, count_text(row.parameters))
    yield _number_cell(row.macs_per_frame, count_text(row.macs_per_frame))
    yield _number_cell(row.frames_per_second, rate_text(row))
    yield _number_cell(row.training_minutes, "" if row.training_minutes is None else f"{row.training_minutes:,.0f} min")
    yield f"<td>{row.date}</td>"


def _number_cell(value: float | None, text: str) -> str:
    return '<td class="number"></td>' if value is None else f'<td class="number" data-value="{value!r}">{text}</td>'


def _score_cell(row: Row) -> str:
    interval = interval_text(row)
    small = f"<small>{interval}</small>" if interval else ""
    bar = f'<span class="bar" style="width:{row.cso_map:.1f}%"></span>'
    return f'<td class="number score" data-value="{row.cso_map!r}"><b>{score_text(row.cso_map)}</b>{small}{bar}</td>'


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
    return f'<dt>{name}</dt><dd><a href="{_quoted(url)}" rel="noopener">{escape(url)}</a></dd>'


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


def _quoted(text: str) -> str:
    return escape(text, quote=True)
