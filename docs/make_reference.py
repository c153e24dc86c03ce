"""Write the tables of fields of recipe-fields.md and leaderboard-columns.md, beside this script, from the code.

    python docs/make_reference.py [--check]

A field's line is its name, type and default in its struct, and its comment in the source: the one at the end of its
line, or else the one above it. --check writes nothing, and fails where a page is not what would be written.
"""

from __future__ import annotations

import inspect
import io
import re
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as kinds

from csist_bench.leaderboard.columns import COLUMNS
from csist_bench.leaderboard.result_tables import markdown_table
from csist_bench.leaderboard.rows import Row
from csist_bench.recipes import DataRecipe
from csist_bench.training.recipe import AdversarialRecipe, CalibrationRecipe, TrainingRecipe, WindowRecipe
from csist_bench.training.stream_recipe import StreamRecipe

PAGES = Path(__file__).resolve().parent
MARKED = re.compile(r"(<!-- begin reference: (.+?) -->\n)(.*?)(<!-- end reference: \2 -->)", re.DOTALL)
PLACES = {"text": "terminal, Markdown", "page": "page", "choice": "page, by choice"}


def comments(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the comment of each field of a struct."""
    trailing: dict[int, str] = {}
    above: dict[int, str] = {}
    source, first = inspect.getsource(kind), {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            text = token.string.removeprefix("#").strip()
            alone = not token.line[: token.start[1]].strip()
            (above if alone else trailing)[line] = text
        elif token.type == tokenize.NAME and token.start[1] == 4:
            first.setdefault(token.string, line)
    found = {}
    for name in kind.__struct_fields__:
        if name not in first:
            continue
        line = first[name]
        block: list[str] = []
        while (before := line - len(block) - 1) in above:
            block.insert(0, above[before])
        text = trailing.get(line) or " ".join(block).removesuffix(".")
        if not text:
            sys.exit(f"{kind.__name__}.{name} must have a comment, at the end of its line or above it")
        found[name] = text[0].lower() + text[1:] if text[1:2].islower() else text
    return found


def type_text(kind: Any) -> str:
    """Return a field's type in words."""
    if isinstance(kind, kinds.Metadata):
        return type_text(kind.type)
    if isinstance(kind, kinds.UnionType):
        return " or ".join(type_text(one) for one in kind.types if not isinstance(one, kinds.NoneType))
    if isinstance(kind, kinds.IntType | kinds.FloatType):
        return ("whole number" if isinstance(kind, kinds.IntType) else "number") + range_text(kind)
    if isinstance(kind, kinds.LiteralType):
        return ", ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, kinds.TupleType):
        return f"list of {len(kind.item_types)}: {type_text(kind.item_types[0])}"
    if isinstance(kind, kinds.VarTupleType):
        return f"list: {type_text(kind.item_type)}"
    if isinstance(kind, kinds.DictType):
        return f"table: {type_text(kind.value_type)}"
    return {kinds.StrType: "text", kinds.BoolType: "`true`, `false`", kinds.StructType: "table"}[type(kind)]


def range_text(kind: Any) -> str:
    """Return the bounds of a number."""
    bounds = ((kind.gt, "above"), (kind.ge, "at least"), (kind.lt, "below"), (kind.le, "at most"))
    return "".join(f", {word} {bound}" for bound, word in bounds if bound is not None)


def default_text(field: kinds.Field) -> str:
    """Return a field's default as TOML has it."""
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if value is msgspec.NODEFAULT or value is None:
        return ""
    if isinstance(value, dict):
        return "`{" + ", ".join(f"{name} = {number}" for name, number in value.items()) + "}`"
    return f"`{msgspec.json.encode(value).decode().replace(',', ', ')}`"


def fields(kind: type[msgspec.Struct]) -> str:
    """Return the table of a recipe's fields."""
    told, info = comments(kind), kinds.type_info(kind)
    assert isinstance(info, kinds.StructType)
    lines = [
        [f"`{field.encode_name}`", type_text(field.type), default_text(field), told[field.name]]
        for field in info.fields
    ]
    return markdown_table(("field", "value", "default", "what"), lines, 4)


def csv_columns() -> str:
    """Return the table of the columns of leaderboard.csv."""
    told, info = comments(Row), kinds.type_info(Row)
    assert isinstance(info, kinds.StructType)
    lines = [
        [f"`{field.encode_name}`", type_text(field.type), "yes" if field.required else "", told[field.name]]
        for field in info.fields
    ]
    return markdown_table(("column", "value", "always", "what"), lines, 4)


def shown_columns() -> str:
    """Return the table of what is shown of a row."""
    lines = [[one.title, one.description, "; ".join(PLACES[place] for place in one.places)] for one in COLUMNS]
    return markdown_table(("column", "what", "where"), lines, 3)


TABLES: dict[str, Callable[[], str]] = {
    "data recipe": lambda: fields(DataRecipe),
    "training": lambda: fields(TrainingRecipe),
    "training.window": lambda: fields(WindowRecipe),
    "training.adversarial": lambda: fields(AdversarialRecipe),
    "training.stream": lambda: fields(StreamRecipe),
    "training.calibration": lambda: fields(CalibrationRecipe),
    "leaderboard.csv": csv_columns,
    "shown columns": shown_columns,
}


def main() -> None:
    """Write the pages anew, or check them."""
    stale, tables = [], set()
    for page in (PAGES / "recipe-fields.md", PAGES / "leaderboard-columns.md"):
        text = page.read_text(encoding="utf-8")
        tables |= {name for _, name, _, _ in MARKED.findall(text)}
        fresh = MARKED.sub(lambda part: f"{part[1]}\n{TABLES[part[2]]()}\n\n{part[4]}", text)
        if fresh != text:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(fresh, encoding="utf-8")
    if missing := sorted(set(TABLES) - tables):
        sys.exit(f"no page holds {', '.join(missing)}")
    if stale and "--check" in sys.argv:
        sys.exit(f"out of date: {', '.join(stale)}; write them with: python docs/make_reference.py")
    print("written:" if "--check" not in sys.argv else "as written", ", ".join(stale))


if __name__ == "__main__":
    main()
