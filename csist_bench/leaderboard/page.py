"""The leaderboard as one self-contained HTML page: it needs no network and is readable without JavaScript."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from csist_bench.conventions import FAMILIES, PRIOR_TEXT, STATUS_MEANINGS, STATUSES
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.leaderboard.board import MAIN_DATASET, Board, Entry
from csist_bench.leaderboard.charts import PARAMETERS, SPEED, chart, escape, line_list
from csist_bench.leaderboard.columns import CHOICE_COLUMNS, PAGE_COLUMNS
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.matrix import Section, matrix
from csist_bench.leaderboard.noise_chart import noise_chart
from csist_bench.leaderboard.page_data import data_block, numbered
from csist_bench.leaderboard.page_tables import matrix_table, methods_table, set_style, set_table
from csist_bench.leaderboard.table import MATRIX_TEXT
from csist_bench.methods.knowledge import ORDER

# A chart of fewer points says less than the table.
FEWEST_POINTS = 2
_FILES = Path(__file__).resolve().parent / "static"
_SCRIPTS = ("state.js", "sheet.js", "details.js", "save.js", "chart.js", "main.js")


def page_text(board: Board) -> str:
    """Return the whole page."""
    tables, sections = numbered(board), matrix(board)
    anchors = {name: f"set-{place}" for place, name in enumerate(tables, start=1)}
    lines = [line for section in sections for line in section.lines]
    script, style = "".join(map(_file, _SCRIPTS)), _file("page.css") + set_style()
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        _head(script, style),
        "<body>",
        _header(board, anchors),
        "<main>",
        _controls(board),
        *([_overview(sections, noise_chart(tables, lines))] if sections else []),
        _sets(board, tables, anchors),
        *([_methods(sections)] if sections else []),
        _legend(),
        "</main>",
        f'<script type="application/json" id="data">{data_block(tables, lines)}</script>',
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _file(name: str) -> str:
    """Return a file of the page without its indentation and the lines that are comments."""
    lines = map(str.strip, (_FILES / name).read_text(encoding="utf-8").splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def _head(script: str, style: str) -> str:
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    return (
        '<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>CSIST unmixing leaderboard</title>\n<style>{style}</style>\n</head>"
    )


def _hash(text: str) -> str:
    """Return what a content security policy calls an inline script or style of this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _header(board: Board, anchors: Mapping[str, str]) -> str:
    measured = sum(row.measured for rows in board.tables.values() for row in rows)
    links = " ".join(f'<a href="#{anchor}">{escape(name)}</a>' for name, anchor in anchors.items())
    return (
        "<header>\n<h1>CSIST unmixing leaderboard</h1>\n"
        '<p class="intro">Infrared targets that fly close together blur into one spot. How well does each method find'
        " how many there are, and where? Scores are <b>CSO-mAP</b> in percent (higher is better, 100 is perfect), by"
        f" evaluator {EVALUATOR_VERSION}: {measured} measured rows on {len(anchors)} data sets, beside the figures of"
        " the papers, which are marked <i>published</i>.</p>\n"
        f'<nav aria-label="Data sets"><a href="#overview">Overview</a> {links} <a href="#reading">Reading the'
        " tables</a></nav>\n</header>"
    )


# --- controls ---------------------------------------------------------------------------------------------------


def _controls(board: Board) -> str:
    rows = [row for rows in board.tables.values() for row in rows]
    chips: list[tuple[str, str, Sequence[str]]] = [
        ("Knows", "knows", [tier for tier in ORDER if any(row.prior_tier == tier for row in rows)]),
        ("Family", "family", [family for family in FAMILIES if any(row.family == family for row in rows)]),
        ("Figures", "status", [status for status in STATUSES if any(row.status == status for row in rows)]),
    ]
    fields = "".join(_chips(*chip) for chip in chips)
    return (
        '<form class="controls" hidden role="search">\n'
        '<label class="find">Find <input type="search" id="q" placeholder="method, note, recipe"'
        ' autocomplete="off"></label>\n'
        '<output id="count" for="q"></output>\n<button type="button" id="reset">Reset</button>\n'
        f'<details class="filters" open><summary>Filters</summary>{fields}</details>\n</form>'
    )


def _chips(legend: str, name: str, values: Sequence[str]) -> str:
    boxes = "".join(
        f'<label class="chip {value}"><input type="checkbox" name="{name}" value="{value}" checked>{value}</label>'
        for value in values
    )
    return f"<fieldset><legend>{legend}</legend>{boxes}</fieldset>"


def _toolbar(kind: str, more: str = "") -> str:
    """Return what the script works a table with; hidden without it."""
    return (
        f'<div class="toolbar" id="{kind}-tools" hidden>{more}'
        f'<details class="columns"><summary>Columns</summary><div class="menu"></div></details>'
        '<button type="button" data-save="csv">CSV</button><button type="button" data-save="latex">LaTeX</button></div>'
    )


# --- sections ---------------------------------------------------------------------------------------------------


def _overview(sections: Sequence[Section], noise: str) -> str:
    """Return the overview; `noise` is its chart, or nothing."""
    figure = f'<h3>Against noise</h3>\n<figure class="noise">{noise}</figure>\n' if noise else ""
    flat = '<label><input type="checkbox" id="grouped" checked> in sections by what a method was told</label>'
    return (
        f'<section id="overview">\n<h2>Overview</h2>\n<p class="say">{escape(MATRIX_TEXT)}</p>\n'
        f"{_toolbar('matrix', flat)}\n{matrix_table(sections)}\n{figure}</section>"
    )


def _sets(board: Board, tables: Mapping[str, Mapping[int, Entry]], anchors: Mapping[str, str]) -> str:
    options = "".join(
        f'<option value="{anchors[name]}"{" selected" if name == MAIN_DATASET else ""}>{escape(name)}</option>'
        for name in tables
    )
    choice = f'<label>Data set <select id="set">{options}</select></label>'
    sections = "\n".join(
        f'<section class="set" id="{anchors[name]}" data-name="{escape(name)}">\n<h3>{escape(name)}</h3>\n'
        f"{_figures(name, entries, board.lines_of(name))}\n{set_table(name, entries)}\n</section>"
        for name, entries in tables.items()
    )
    return f'<section id="sets">\n<h2>One data set</h2>\n{_toolbar("set", choice)}\n{sections}\n</section>'


def _figures(name: str, entries: Mapping[int, Entry], lines: Sequence[Line]) -> str:
    """Return the charts of a data set; nothing where too few rows have a cost to be shown against.

    Numbers of parameters are the same on every data set, so their chart stands once. Rows that are ranked by something
    else than the method's own score, and unverified ones, stand in the table alone.
    """
    own = {n: e for n, e in entries.items() if e.row.status != "unverified" and e.row.rank == "score"}
    figures = [
        f"<figure>{chart(own, lines, cost, name)}</figure>"
        for cost in (SPEED, PARAMETERS)[: 2 if name == MAIN_DATASET else 1]
        if sum(cost.value(entry.row) is not None for entry in own.values()) >= FEWEST_POINTS
    ]
    if not figures:
        return ""
    families = [family for family in FAMILIES if any(entry.row.family == family for entry in own.values())]
    key = "".join(f'<span class="key {family}">{family}</span>' for family in families)
    marks = '<span class="key">measured</span><span class="key hollow">published (speed: the paper\'s GPU)</span>'
    body = "\n".join(figures)
    return f'<p class="keys">{key}{marks}</p>\n<div class="pair">\n{body}\n{line_list(lines)}\n</div>'


def _methods(sections: Sequence[Section]) -> str:
    return (
        '<section id="methods">\n<h2>Methods</h2>\n<p class="say">Each run takes <code>--data</code> and'
        " <code>--out</code>; data sets are made by <code>csist-bench generate</code>, answers scored by"
        f" <code>csist-bench evaluate</code>.</p>\n{methods_table(sections)}\n</section>"
    )


def _legend() -> str:
    statuses = "".join(f"<dt>{name}</dt><dd>{meaning}</dd>" for name, meaning in STATUS_MEANINGS.items())
    columns = "".join(
        f"<dt>{escape(column.heading)}</dt><dd>{escape(column.description)}</dd>"
        for column in (*PAGE_COLUMNS, *CHOICE_COLUMNS)
    )
    return (
        f'<section id="reading">\n<h2>Reading the tables</h2>\n<p class="say">{escape(PRIOR_TEXT)}</p>\n'
        f"<dl>{columns}</dl>\n<h3>Where figures come from</h3>\n<dl>{statuses}</dl>\n"
        '<p class="say">The ceiling lines of the charts are what a perfect detector scores when its answers are snapped'
        " to the nodes of the label grid; the Cramer-Rao lines are of the data's noise, scored as a method is: no"
        " bounds, a fit can pass them where errors are above 0.1 px. Bayes lines are reached by decisions made for"
        " CSO-mAP. Intervals are 95 % bootstrap intervals over trajectories. A row is never overwritten: a newer one"
        " supersedes it. Every column of every row is in"
        ' <a href="leaderboard.csv">leaderboard.csv</a>.</p>\n</section>'
    )
