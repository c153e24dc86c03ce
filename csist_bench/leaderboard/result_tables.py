"""Tables of results: what a line and a column of one hold, by the files beside the leaderboard, and how it is written.

`results.toml` says which rows of `leaderboard.csv` a line of a table is of. Of rows that answer alike the last one
counts; rows of other splits and seeds, and those submitted from a file, are left out.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from csist_bench.conventions import AP_NAMES, AP_TITLES, RANKINGS
from csist_bench.errors import InputError, must, show, unknown
from csist_bench.leaderboard.lines import read_lines
from csist_bench.leaderboard.published import published_rows
from csist_bench.leaderboard.rows import DEFAULT_PATH, Row, read_rows, standing
from csist_bench.methods.registry import METHODS

BEST = "best published"
PLAIN = "seqcsist"


class Pick(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows that a line is of: title, settings (any of these), decoder; `only` limits the columns."""

    method: str
    settings: tuple[str, ...] = ("",)
    decoder: str = "own"
    only: tuple[str, ...] = ()


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of scores: columns, lines, whether it shows the prior tier and the score by brightness."""

    columns: tuple[str, ...]
    lines: tuple[str, ...]
    knows: bool = False
    brightness: bool = False


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `results.toml` holds; the file says what is what."""

    columns: dict[str, str]
    references: dict[str, str]
    shown: dict[str, str]
    lines: dict[str, Pick]
    tables: dict[str, Layout]
    minutes_before: dict[str, float] = {}


def read_contents(path: Path) -> Contents:
    """Read `results.toml`, with the lines of every network that answers a grid."""
    if not path.is_file():
        raise InputError(f"{path} not found; it says what the tables of results show")
    try:
        given = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Contents)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise must(str(path), "say what the tables of results show", show(str(error))) from None
    for row in (row for row in METHODS.values() if row.trainable and row.output == "grid"):
        for decoder in ("grid", "polish"):
            given.lines.setdefault(f"{row.name}, {decoder}", Pick(row.title, decoder=decoder))
    return given


class Found(NamedTuple):
    """What the tables hold for a line and a column: CSO-mAP (percent) and the prior tier."""

    cso_map: float
    prior_tier: str


class Tables:
    """The committed tables: what was measured, published and computed, and how a figure is found in them."""

    def __init__(self, leaderboard: str | Path = DEFAULT_PATH) -> None:
        folder = Path(leaderboard).parent
        self.contents = read_contents(folder / "results.toml")
        self.published = published_rows()
        self.lines = read_lines(folder)
        self.ablations = _cells(folder / "ablations.csv")
        self.published_ablations = _cells(folder / "published_ablations.csv")
        self.rows: dict[tuple[str, ...], Row] = {}
        for row in standing(read_rows(leaderboard)):
            if row.status == "reproduced" and row.split == "test" and not row.data_seed and not row.seed:
                settings = " ".join(word for word in row.settings.split() if word != "precision=bfloat16")
                self.rows[(row.method, settings, row.decoder, row.rank, row.dataset)] = row

    def measured(self, pick: Pick, dataset: str, rank: str = "score") -> Row | None:
        """Return the row of a pick on a data set, if there is one."""
        found = [self.rows.get((pick.method, text, pick.decoder, rank, dataset)) for text in pick.settings]
        return next((row for row in found if row), None)

    def find(self, line: str, column: str, rank: str = "score") -> Found | None:
        """Return what there is for a line in a column; None where nothing was measured.

        Raises
        ------
        InputError
            If there is no such line, column or ranking.
        """
        given = self.contents
        for kind, name, known in (("column", column, list(given.columns)), ("ranking", rank, list(RANKINGS))):
            if name not in known:
                raise unknown(kind, name, known)
        dataset = given.columns[column]
        if line in given.references:
            return next(self._references(given.references[line], dataset), None)
        if line not in given.lines:
            rows = [row for row in self._published(line) if row.dataset == dataset]
            return max((Found(row.cso_map, row.prior_tier) for row in rows), default=None)
        pick = given.lines[line]
        row = self.measured(pick, dataset, rank) if column in (pick.only or given.columns) else None
        return Found(row.cso_map, row.prior_tier) if row else None

    def _references(self, ending: str, dataset: str) -> Iterator[Found]:
        for found in self.lines:
            if (found.dataset, found.split) == (dataset, "test") and found.label.endswith(ending):
                tier = re.search(r"tier (\S+):", found.label)
                yield Found(found.cso_map, tier[1] if tier else "")

    def _published(self, line: str) -> list[Row]:
        names = {f"published {row.method}" for row in self.published} | {BEST}
        if line not in names:
            raise unknown("line", line, names | set(self.contents.lines) | set(self.contents.references))
        return [row for row in self.published if line in (BEST, f"published {row.method}")]


def _cells(path: Path) -> list[dict[str, str]]:
    """Read a table as text; one that is not there is a table without rows."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _number(row: Mapping[str, str | None], name: str) -> float:
    try:
        return float(row[name] or "nothing")
    except (KeyError, ValueError):
        raise must(f"{name} of {next(iter(row.values()), 'a row')!r}", "be a number", row.get(name)) from None


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Return a Markdown table; the first `texts` columns are left-aligned, the others hold figures."""
    rule = ["---" if i < texts else "---:" for i in range(len(head))]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (head, rule, *lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def figure(value: float) -> str:
    """Return a score with one decimal; a published 51.55 is 51.6."""
    return str(Decimal(repr(value)).quantize(Decimal("0.1"), ROUND_HALF_UP))


def score_table(layout: Layout, tables: Tables) -> str:
    """Return a table of scores by line and column.

    Raises
    ------
    InputError
        If a line is unknown, or has no row in any column.
    """
    columns = [f"`{name}`" if name.startswith("-") else name for name in layout.columns]
    lines = []
    for line in layout.lines:
        found = [tables.find(line, column) for column in layout.columns]
        if not any(found):
            raise must(f"line {line!r} of the tables of results", "have a row in leaderboard.csv", "none")
        tiers = ", ".join(sorted({each.prior_tier for each in found if each}))
        cells = [_cell(tables, line, column, layout.brightness) for column in layout.columns]
        lines.append([_name(line, tables.contents), *[tiers] * layout.knows, *cells])
    return markdown_table(["", *["knows"] * layout.knows, *columns], lines, 1 + layout.knows)


def _cell(tables: Tables, line: str, column: str, brightness: bool) -> str:
    """Return a score, or the scores by both rankings; italic where it was not measured here."""
    measured = line in tables.contents.lines
    ranks = ("score", "brightness") if brightness and measured else ("score",)
    found = [tables.find(line, column, rank) for rank in ranks]
    text = " / ".join(figure(each.cso_map) for each in found if each)
    return text if measured or not text else f"*{text}*"


def _name(line: str, contents: Contents) -> str:
    """Return how a table calls a line: a method's name as code, what is not measured in italics."""
    if line not in contents.lines:
        return f"*{contents.shown.get(line, line)}*"
    name, comma, rest = contents.shown.get(line, line).partition(",")
    return f"`{name}`{comma}{rest}"


_VARIANTS = {"": "", "label_falloff=2.0": ", falling labels", "adversarial=0": ", generator alone"}


def _networks(tables: Tables) -> str:
    """Return all networks on the grid, by their published score; new rows of the leaderboard appear by themselves."""
    names = {row.title: row.name for row in METHODS.values()}
    published = {row.method: row.cso_map for row in reversed(tables.published) if row.dataset == PLAIN}
    lines = []
    for (title, settings, decoder, rank, dataset), row in tables.rows.items():
        if (decoder, rank, dataset) != ("grid", "score", PLAIN) or row.training_minutes is None:
            continue
        name, variant = names.get(title, title), _VARIANTS.get(settings, f", {settings}")
        minutes = row.training_minutes + tables.contents.minutes_before.get(name + variant, 0.0)
        cells = [f"`{name}`{variant}", f"{row.parameters or 0:,}"]
        cells.append(f"*{published[title]:.2f}*" if title in published and not settings else "")
        for where in (PLAIN, f"{PLAIN}-rotated", f"{PLAIN}-rotated-scaled"):
            for kind in ("grid", "polish"):
                found = tables.measured(Pick(title, (settings,), kind), where)
                cells.append(figure(found.cso_map) if found else "")
        order = (published.get(title, 100.0), title, settings)
        lines.append((order, [*cells, f"{minutes:.0f}"]))
    both = ("measured", "`polish`", "`-rotated`", "`polish`", "`-rotated-scaled`", "`polish`")
    head = ("", "parameters", "published", *both, "minutes")
    return markdown_table(head, [cells for _, cells in sorted(lines)])


def _offgrid_ranking(tables: Tables) -> str:
    line, lines = "offgrid-net, 1 frame", []
    for column in ("sigma 2", "sigma 5"):
        found = [tables.find(line, column, rank) for rank in ("score", "precision", "brightness")]
        found.append(tables.find("offgrid-net, polish", column))
        lines.append([column, *(figure(each.cso_map) if each else "" for each in found)])
    return markdown_table(("", "by expected correctness", "by standard errors", "by brightness", "polished"), lines)


def _offgrid_ablations(tables: Tables) -> str:
    scores = ("cso_map_noise_free", "cso_map_sigma_2", "cso_map_sigma_5")
    lines = [
        [row["variant"], f"{_number(row, 'parameters'):,.0f}", row["minutes"],
         *(figure(_number(row, name)) for name in scores)]
        for row in tables.ablations
    ]  # fmt: skip
    return markdown_table(("variant", "parameters", "minutes", "noise-free", "sigma 2", "sigma 5"), lines)


def _published_ablations(tables: Tables) -> str:
    names = ("cso_map", *AP_NAMES)
    lines = [
        [row["experiment"], row["setting"], *(f"*{_number(row, name):.2f}*" for name in names)]
        for row in tables.published_ablations
    ]
    return markdown_table(("experiment", "setting", "CSO-mAP", *AP_TITLES), lines, 2)


def _methods(tables: Tables) -> str:
    papers = {row.method: row.cso_map for row in reversed(tables.published)}
    lines = [
        [f"`{row.name}`", row.family, row.prior_tier, "nodes" if row.output == "grid" else "points", row.context,
         f"`csist-bench train {row.name}`" if row.trainable else "none needed", "yes" if row.title in papers else ""]
        for row in METHODS.values()
    ]  # fmt: skip
    head = ("name", "family", "knows", "answers", "sees a", "training", "in the paper's table")
    return markdown_table(head, lines, len(head))


BUILDERS: dict[str, Callable[[Tables], str]] = {
    "networks": _networks,
    "offgrid-ranking": _offgrid_ranking,
    "offgrid-ablations": _offgrid_ablations,
    "published-ablations": _published_ablations,
    "methods": _methods,
}


def generated(name: str, tables: Tables) -> str:
    """Return a generated table by the name of its region."""
    if name in BUILDERS:
        return BUILDERS[name](tables)
    if name not in tables.contents.tables:
        raise unknown("generated region", name, [*BUILDERS, *tables.contents.tables])
    return score_table(tables.contents.tables[name], tables)
