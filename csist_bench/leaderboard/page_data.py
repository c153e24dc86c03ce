"""What the script of the page knows of each row: one block of JSON in which every text stands once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from csist_bench.errors import printable
from csist_bench.leaderboard.board import Board, Entry
from csist_bench.leaderboard.columns import CHOICE_COLUMNS
from csist_bench.leaderboard.matrix import SETS, MatrixLine
from csist_bench.leaderboard.repeat import data_command, recipe_of, run_command

# Where the recipes lie, seen from the folder of the page.
RECIPES = "../recipes/methods/"
# Hexadecimal digits of a digest that are shown.
_DIGITS = 12
# Columns by choice that are of the method.
_OF_METHOD = ("tier", "family", "MACs", "training", "date")
# What a row's details show, where there is something to show.
DETAILS = (
    "note", "settings", "decoder", "ranked by", "rate measured on", "trained on", "seed", "paper", "code", "recipe",
    "data", "data fingerprint", "recipe hash", "predictions", "supersedes", "evaluator",
)  # fmt: skip


def numbered(board: Board) -> dict[str, dict[int, Entry]]:
    """Return the rows of each table by their number on the page."""
    tables: dict[str, dict[int, Entry]] = {}
    count = 0
    for name in board.tables:
        entries = board.entries(name)
        tables[name] = dict(enumerate(entries, start=count))
        count += len(entries)
    return tables


def data_block(tables: Mapping[str, Mapping[int, Entry]], lines: Sequence[MatrixLine]) -> str:
    """Return the JSON: texts, and where each row finds its own.

    Fields that belong together (of the method, of the data, of the row, figures beside the scores) are kept together,
    since few of the rows differ in all of them: `groups[g].of[n]` is the place of row n among the `records` of the
    group, and a record holds a text for each of the group's `fields`; one that records share by its place in `strings`.
    `matrix[n]` holds, for line n of the overview, the numbers of the rows of each data set; `details` are the fields of
    a row's details, in their order.
    """
    entries = [entry for table in tables.values() for entry in table.values()]
    texts = zip(*map(_texts, entries))
    groups = [_group(of_rows) for of_rows in texts]
    uses = Counter(text for group in groups for record in group["records"] for text in record)
    strings = {text: place for place, text in enumerate(text for text, count in uses.items() if count > 1)}
    for group in groups:
        group["records"] = [[strings.get(text, text) for text in record] for record in group["records"]]
    numbers = {entry.row: number for table in tables.values() for number, entry in table.items()}
    content = {
        "groups": groups,
        "strings": list(strings),
        "details": DETAILS,
        "choice": [[column.title, column.number, column.best, column.description] for column in CHOICE_COLUMNS],
        "count": len(entries),
        "matrix": [[[numbers[row] for row in line.cells.get(heading, ())] for heading in SETS] for line in lines],
        "recipes": RECIPES,
    }
    return _safe(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def _group(texts: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the texts of a group, one mapping a row, as records and the place of each row among them."""
    records: dict[tuple[str, ...], int] = {}
    of = [records.setdefault(tuple(text.values()), len(records)) for text in texts]
    return {"fields": list(texts[0]), "records": list(records), "of": of}


def _texts(entry: Entry) -> tuple[dict[str, str], ...]:
    """Return the texts of a row: those of its method, of its data, its own, and its figures beside the scores."""
    row, recipe, commands = entry.row, recipe_of(entry.row), run_command(entry.row)
    chosen = {column.title: column.text(entry) for column in CHOICE_COLUMNS}
    of_method = {
        "name": entry.label,
        "knows": row.prior_tier,
        "note": row.note,
        "settings": row.settings,
        "rate measured on": row.hardware,
        "trained on": row.training_device,
        "seed": row.seed,
        "paper": row.paper,
        "code": row.code,
        "recipe": f"{recipe}.toml" if recipe else "",
        "recipe hash": _begun(row.recipe_hash),
        "evaluator": row.evaluator,
        **{title: chosen.pop(title) for title in _OF_METHOD},
    }
    of_data = {
        "table": entry.table,
        "data": row.dataset_recipe,
        "data fingerprint": _begun(row.dataset_fingerprint),
        "make the data": data_command(row) if commands else "",
    }
    own = {
        "decoder": row.decoder if row.measured else "",
        "ranked by": row.rank if row.measured else "",
        "predictions": _begun(row.predictions_sha256),
        "supersedes": _begun(row.supersedes),
        "repeat": commands,
    }
    return _printable(of_method), _printable(of_data), _printable(own), _printable(chosen)


def _printable(texts: Mapping[str, Any]) -> dict[str, str]:
    """Return texts of printable lines; nothing for None."""
    return {
        name: "" if value is None else "\n".join(map(printable, str(value).split("\n")))
        for name, value in texts.items()
    }


def _begun(digest: str) -> str:
    """Return a digest by its first digits; all 64 stand in leaderboard.csv."""
    start = digest.find(":") + 1 + _DIGITS
    return digest[:start] + "..." * (len(digest) > start)


def _safe(text: str) -> str:
    """Return JSON that no HTML parser takes for markup."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
