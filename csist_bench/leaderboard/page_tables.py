"""The tables of the page as HTML: the overview, one table a data set, and what each method is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from csist_bench.conventions import PriorTier
from csist_bench.leaderboard.board import Entry
from csist_bench.leaderboard.charts import escape
from csist_bench.leaderboard.columns import DASH, PAGE_COLUMNS, Column, score_text
from csist_bench.leaderboard.matrix import ALONE, SETS, MatrixLine, Section
from csist_bench.leaderboard.page_data import RECIPES
from csist_bench.leaderboard.repeat import FILES, recipe_of, run_command, trained_there
from csist_bench.leaderboard.rows import Row
from csist_bench.leaderboard.table import ADAPTED

_TOLD: dict[PriorTier, str] = {
    "A": "the optics",
    "B": "the optics and the brightness law",
    "B+spacing": "the optics, the brightness law, and how near and far targets are from each other",
    "C": "also smooth or rigid motion",
    "D": "the whole generator, or trained on it",
    "D-rotated": "the generator's law, turned by any angle",
}


# --- overview ---------------------------------------------------------------------------------------------------


def matrix_table(sections: Sequence[Section]) -> str:
    """Return the overview."""
    heads = "".join(map(_matrix_head, SETS))
    bodies = "\n".join(_section(section) for section in sections)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Overview table">\n<table id="matrix">\n'
        '<thead><tr><th scope="col">Method</th>'
        '<th scope="col" class="number" title="Mean CSO-mAP over noise 0, 2 and 5">Mean</th>'
        f"{heads}</tr></thead>\n{bodies}\n</table>\n</div>"
    )


def _matrix_head(heading: str) -> str:
    title = f"CSO-mAP on {SETS[heading]}, percent"
    return f'<th scope="col" class="number" title="{escape(title)}">{heading.capitalize()}</th>'


def _section(section: Section) -> str:
    told = _TOLD.get(section.tier, "")
    head = f"<span><b>Knows {escape(section.tier)}</b>{': ' + told if told else ''}</span>"
    rows = "\n".join(_matrix_row(line) for line in section.lines)
    return (
        f'<tbody data-tier="{escape(section.tier)}">\n'
        f'<tr class="tier"><th scope="rowgroup" colspan="{2 + len(SETS)}">{head}</th></tr>\n{rows}\n</tbody>'
    )


def _matrix_row(line: MatrixLine) -> str:
    mean = (
        f"<b>{score_text(line.mean)}</b>"
        if line.mean is not None
        else f"<small>{ALONE if line.alone else DASH}</small>"
    )
    cells = "".join(_matrix_cell(line.cells.get(heading, ())) for heading in SETS)
    return f"<tr{_class(line.first)}>{_name(line.first, line.name)}<td>{mean}</td>{cells}</tr>"


def _matrix_cell(rows: Sequence[Row]) -> str:
    if not rows:
        return f"<td>{DASH}</td>"
    best = rows[0]
    decoder = best.decoder + ADAPTED * trained_there(best) if best.measured else "paper"
    return f'<td class="h{int(best.cso_map // 10)}">{score_text(best.cso_map)} <small>{decoder}</small></td>'


def _class(row: Row) -> str:
    return f' class="{row.status}"' if row.status != "reproduced" else ""


def _name(row: Row, name: str) -> str:
    badge = f' <span class="badge">{row.status}</span>' if row.status != "reproduced" else ""
    return f'<th scope="row">{escape(name)}{badge}</th>'


# --- one table a data set ---------------------------------------------------------------------------------------


def set_table(name: str, entries: Mapping[int, Entry]) -> str:
    """Return the table of a data set, of rows by their number on the page."""
    heads = "".join(_head(column) for column in PAGE_COLUMNS)
    body = "\n".join(_row(number, entry) for number, entry in entries.items())
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table of {escape(name)}">\n<table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _head(column: Column) -> str:
    kind = ' class="number"' if column.number else ""
    first = ' data-best="low"' if column.best == "low" else ""
    return f'<th scope="col"{kind}{first} title="{escape(column.description)}">{escape(column.heading)}</th>'


def _row(number: int, entry: Entry) -> str:
    # The end tags of cells go without saying in HTML; here they are a tenth of the page.
    cells = "".join(_cell(column, entry) for column in PAGE_COLUMNS)
    return f'<tr id="r{number}"{_class(entry.row)}>{cells}</tr>'


def _cell(column: Column, entry: Entry) -> str:
    if column.title == "method":
        return _name(entry.row, entry.label)
    # An interval is shorter with a dash.
    return f"<td>{escape(column.shown(entry).replace(' to ', DASH))}"


def set_style() -> str:
    """Return the style of the columns of a data set's table by their place, which is shorter than a class a cell."""
    cells = [f".set td:nth-child({place})" for place, column in enumerate(PAGE_COLUMNS, 1) if not column.number]
    score = next(place for place, column in enumerate(PAGE_COLUMNS, start=1) if column.title == "CSO-mAP")
    return f"{','.join(cells)}{{text-align:left}}\n.set td:nth-child({score}){{font-weight:600}}\n"


# --- methods ----------------------------------------------------------------------------------------------------


def methods_table(sections: Sequence[Section]) -> str:
    """Return what each measured method of the overview is: paper, recipe, and the command that runs it."""
    rows = "\n".join(_method_rows(sections))
    heads = "".join(f'<th scope="col">{text}</th>' for text in ("Method", "Family", "Paper", "Recipe", "Run"))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Methods"><table class="methods">\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _method_rows(sections: Sequence[Section]) -> Iterator[str]:
    for line in (line for section in sections for line in section.lines if line.first.measured):
        row, recipe = line.first, recipe_of(line.first)
        paper = _link(row.paper, short_link(row.paper))
        file = _link(f"{RECIPES}{recipe}.toml" if recipe else "", recipe)
        cells = "".join(f"<td>{text}</td>" for text in (row.family, paper, file, _run(row)))
        yield f'<tr><th scope="row">{escape(line.name)}</th>{cells}</tr>'


def _run(row: Row) -> str:
    """Return the command that runs a row's method, without its files."""
    runs = [text for text in run_command(row).split("\n") if text.startswith("csist-bench run ")]
    return f"<code>{escape(runs[0].removesuffix(FILES))}</code>" if runs else DASH


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}" rel="noopener">{escape(text)}</a>' if url else DASH


def short_link(url: str) -> str:
    """Return a link to a paper as it is cited: arXiv 2507.09556."""
    for start, name in (("https://arxiv.org/abs/", "arXiv "), ("https://doi.org/", "doi ")):
        if url.startswith(start):
            return name + url.removeprefix(start)
    return url.removeprefix("https://").removeprefix("http://")
