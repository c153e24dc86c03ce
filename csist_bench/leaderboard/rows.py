"""Rows of the leaderboard: their columns and types, strict reading, and appending under a lock."""

from __future__ import annotations

import csv
import datetime
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from csist_bench.conventions import AP_NAMES, Family, PriorTier, Ranking, RowDecoder, Status
from csist_bench.errors import InputError, must, show
from csist_bench.files import locked, packaged, replace_file
from csist_bench.files.numbers import with_point
from csist_bench.files.sources import file_bytes
from csist_bench.files.spreadsheets import guarded, unguarded
from csist_bench.files.tables import Table, read_table
from csist_bench.files.text import text_of

FILE = "leaderboard.csv"
DEFAULT_PATH = f"leaderboard/{FILE}"
LOCK_WAIT_S = 60.0
_OF_FILE, _OF_DETECTIONS = "sha256:", "detections-sha256:"

Percent = Annotated[float, Meta(ge=0, le=100)]
Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
Digest = Annotated[str, Meta(pattern=r"^(sha256:[0-9a-f]{64})?$")]
PredictionsDigest = Annotated[str, Meta(pattern=r"^((detections-)?sha256:[0-9a-f]{64})?$")]
Link = Annotated[str, Meta(pattern=r"^(https?://[^\s\x00-\x1f\x7f]+)?$")]
Whole = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]

_WORDS = {"float": "a number", "int": "a whole number", "Number out of range": "a finite number"}
_PATTERN_RULES = {
    Text: "one line of text",
    Name: "one line of text",
    Digest: "sha256: and 64 hexadecimal digits",
    PredictionsDigest: "sha256: or detections-sha256: and 64 hexadecimal digits",
    Link: "a link that starts with http:// or https://",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One submission: the columns of leaderboard.csv, in order.

    The comment of a field is its line in docs/leaderboard-columns.md (docs/make_reference.py). A row that an evaluator
    before 1.1 scored has none of `answers_per_frame` to `id_switches`.
    """

    method: Name  # title
    family: Family  # family of methods
    dataset: Name  # the recipe's name and what departs from it
    split: Name = "test"  # what was answered
    decoder: RowDecoder = "grid"  # how a heat map became detections; own: the method answers positions itself
    prior_tier: PriorTier = "D"  # what the method was told of the scenes
    status: Status = msgspec.field(name="tier")  # where the figures come from
    cso_map: Percent  # mean of AP05 to AP25, percent, unrounded
    ap05: Percent  # within 0.05 px, percent
    ap10: Percent  # within 0.10 px, percent
    ap15: Percent  # within 0.15 px, percent
    ap20: Percent  # within 0.20 px, percent
    ap25: Percent  # within 0.25 px, percent
    cso_map_low: Percent | None = None  # lower end of the 95 % interval over trajectories
    cso_map_high: Percent | None = None  # upper end
    rank: Ranking = "score"  # by which detections were ordered; precision: least standard errors first
    parameters: Whole | None = None  # of a network
    macs_per_frame: NonNegative | None = None  # multiply-accumulates
    frames_per_second: Positive | None = None  # on `hardware`
    hardware: Text = ""  # what the method ran on
    training_minutes: NonNegative | None = None  # wall-clock
    training_device: Text = ""  # what it was trained on
    recipe_hash: Digest = ""  # of the method's training
    settings: Text = ""  # name=value, that depart from the defaults
    seed: Whole | None = None  # of the training
    dataset_recipe: Text = ""  # every departure of the data recipe
    data_seed: Whole | None = None  # of the data set
    noise_sigma: NonNegative | None = None  # read noise, grey levels
    dataset_fingerprint: Digest = ""  # of the data
    evaluator: Text = ""  # version that scored the row
    predictions_sha256: PredictionsDigest = ""  # of the detections ('detections-sha256:'), in rows of 0.1.0 of the file
    date: Text = ""  # of the submission
    paper: Link = ""  # address
    code: Link = ""  # address
    note: Text = ""  # anything else
    supersedes: PredictionsDigest = ""  # predictions_sha256 of the row that this one takes the place of
    answers_per_frame: NonNegative | None = None  # detections by scored frames
    cso_f1: Percent | None = None  # mean F1 at the five thresholds at one score threshold, the best, percent
    gospa: NonNegative | None = None  # mean over frames, px
    gospa_localisation: NonNegative | None = None  # share of distances, px
    gospa_missed: NonNegative | None = None  # share of missed targets, px
    gospa_false: NonNegative | None = None  # share of false answers, px
    hota: Percent | None = None  # of files with tracks, percent
    idf1: Percent | None = None  # of files with tracks, percent
    ospa2: NonNegative | None = None  # of files with tracks, px
    id_switches: Whole | None = None  # of files with tracks

    @property
    def aps(self) -> tuple[float, ...]:
        """AP05..AP25, percent."""
        return tuple(getattr(self, name) for name in AP_NAMES)

    @property
    def measured(self) -> bool:
        """Whether this evaluator scored the row (a paper did otherwise)."""
        return self.status != "published"

    def values(self) -> dict[str, Any]:
        """Return the values by column."""
        return {column: getattr(self, field.name) for column, field in _FIELDS.items()}

    @property
    def slot(self) -> tuple[object, ...]:
        """What a row is of: two standing rows of one slot would answer the same question twice."""
        return (
            self.method, self.dataset, self.split, self.decoder, self.prior_tier, self.status, self.rank,
            self.settings, self.seed, self.data_seed,
        )  # fmt: skip


_FIELDS = {field.encode_name: field for field in msgspec.structs.fields(Row)}
COLUMNS = tuple(_FIELDS)
FIRST_COLUMNS = COLUMNS[: COLUMNS.index("answers_per_frame")]  # those of tables that evaluator 1.0 wrote
_HEADER = ", ".join((*COLUMNS[:3], "..."))
_NUMBERS = frozenset(
    name for name, field in _FIELDS.items() if "float" in repr(field.type) or "int" in repr(field.type)
)
# The distance, and the parts that add up to it.
TRACK_COLUMNS = ("hota", "idf1", "ospa2", "id_switches")
GOSPA_COLUMNS = ("gospa", "gospa_localisation", "gospa_missed", "gospa_false")
# Every measured row has these; a published one has not.
PROVENANCE = ("dataset_fingerprint", "evaluator", "predictions_sha256", "date")


def checked_row(values: Mapping[str, Any], where: str) -> Row:
    """Return a typed row from values by column; a bad one is named by its column. Text is read as the column's type."""
    row = Row(**{_FIELDS[name].name: _checked_value(name, value, where) for name, value in values.items()})
    problem = first_problem(row)
    if problem:
        raise InputError(f"{where}: {problem}")
    return row


def _checked_value(name: str, value: object, where: str) -> Any:
    try:
        checked = msgspec.convert(value, _FIELDS[name].type, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {must(name, _rule(name, str(error)), value)}") from None
    if isinstance(checked, float) and not math.isfinite(checked):
        raise InputError(f"{where}: {must(name, 'be finite', value)}")
    return checked


def _rule(name: str, message: str) -> str:
    """Return what a column must be, from msgspec's message or from the column's type."""
    declared = _FIELDS[name].type
    choices = get_args(declared)
    if choices and all(isinstance(choice, str) for choice in choices):
        return f"be one of {', '.join(choices)}"
    if "matching regex" in message:
        return f"be {_PATTERN_RULES[declared]}"
    rule = message.removeprefix("Expected ").split(", got")[0].replace(" | null", "").replace("`", "")
    kind, space, bound = rule.partition(" ")
    return f"be {_WORDS.get(rule) or _WORDS.get(kind, kind) + space + bound}"


def first_problem(row: Row) -> str:
    """Return what is wrong with a row in itself, or nothing."""
    if row.measured:
        missing = [name for name in PROVENANCE if not getattr(row, name)]
        if missing:
            return str(must(missing[0], "be given for a measured row", "nothing"))
    if row.date and not _is_date(row.date):
        return str(must("date", "be a day as YYYY-MM-DD", row.date))
    for together in (("cso_map_low", "cso_map_high"), GOSPA_COLUMNS):
        if len({getattr(row, name) is None for name in together}) > 1:
            return f"{', '.join(together[:-1])} and {together[-1]} must be given together"
    return ""


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


# --- the file -------------------------------------------------------------------------------------------------------


def path_to_show(path: str | Path) -> Path:
    """Return the leaderboard that is meant: where the default one is not in this folder, that of the package."""
    path = Path(path)
    if path == Path(DEFAULT_PATH) and not path.is_file():
        return packaged("leaderboard") / FILE
    return path


def read_rows(path: str | Path, missing_ok: bool = False) -> list[Row]:
    """Read the measured rows of a leaderboard, in the order they were added.

    Raises
    ------
    InputError
        If the file is missing or not a table of these columns, or a value is invalid: its line and column are named.
    """
    path = Path(path)
    if missing_ok and not path.is_file():
        return []
    numbered, problems = read_numbered(path)
    if problems:
        more = f" (and {len(problems) - 1} more invalid rows)" if len(problems) > 1 else ""
        raise InputError(problems[0] + more)
    return [row for _, row in numbered]


def read_numbered(path: Path) -> tuple[list[tuple[int, Row]], list[str]]:
    """Read the rows that are well with their line numbers, and what is wrong with the others, one line each."""
    if not path.is_file():
        raise InputError(f"leaderboard {path} not found; csist-bench submit makes it")
    rows, problems = [], []
    table, header = _table(path)
    index = len(table.names) - len(header)
    columns = COLUMNS[: len(header)]
    for line, text in enumerate(table.lines, start=table.first):
        if not text.strip():
            continue
        try:
            cells = [unguarded(cell) for cell in table.cells(line, text, keep_blanks=True)]
            rows.append((line, _parsed(cells, columns, index, f"{path}:{line}", table.delimiter)))
        except InputError as error:
            problems.append(str(error))
    return rows, problems


def _table(path: Path) -> tuple[Table, list[str]]:
    """Return the table of a leaderboard and the columns of its rows, without pandas' unnamed index."""
    table = read_table(text_of(file_bytes(path, "leaderboard"), str(path)), str(path), frozenset(COLUMNS), _HEADER)
    header = table.names[1:] if table.names[0] in ("", "unnamed: 0") else table.names
    _require_columns(header, path)
    return table, header


def _require_columns(header: Sequence[str], path: Path) -> None:
    # Columns are only ever appended: a table that ends before the newer ones was written before there were any.
    if tuple(header) == COLUMNS[: max(len(header), len(FIRST_COLUMNS))]:
        return
    missing = [name for name in FIRST_COLUMNS if name not in header]
    extra = [name for name in header if name not in COLUMNS]
    wrong = [f"missing {', '.join(missing)}"] * bool(missing) + [f"unknown {', '.join(extra)}"] * bool(extra)
    raise InputError(
        f"{path}:1: columns must be those of the leaderboard: {show('; '.join(wrong) or 'they are in another order')}"
    )


def _parsed(cells: Sequence[str], columns: Sequence[str], index: int, where: str, delimiter: str) -> Row:
    """Return the row of cells, of which the first `index` number the rows."""
    if len(cells) != index + len(columns):
        raise InputError(f"{where}: row must have {index + len(columns)} cells, got {len(cells)}")
    given = {name: text for name, text in zip(columns, cells[index:]) if text}
    if delimiter != ",":
        # A spreadsheet that parts cells by semicolons writes decimal commas.
        given = {n: with_point(text, f"{where}: {n}") if n in _NUMBERS else text for n, text in given.items()}
    for name in COLUMNS:
        if name not in given and _FIELDS[name].required:
            raise InputError(f"{where}: {must(name, 'be given', 'nothing')}")
    row = checked_row(given, where)
    if not row.measured:
        raise InputError(
            f"{where}: tier must be submitted or reproduced, got published; published.csv holds those rows"
        )
    return row


def append_row(path: str | Path, row: Row) -> None:
    """Add a row at the end of a leaderboard: under a lock, and by rename, so that readers see whole tables only."""
    path = Path(path)
    with board_lock(path):
        write_rows(path, [*read_rows(path, missing_ok=True), row])


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a whole leaderboard by rename; the caller holds the lock."""
    write_table(path, COLUMNS, [list(row.values().values()) for row in rows])


def write_table(path: Path, columns: Sequence[str], cells: Iterable[Sequence[object]]) -> None:
    """Write a CSV table by rename; text that a spreadsheet would run as a formula is marked."""
    text = io.StringIO()
    rows = [[_cell(value) for value in row] for row in cells]
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    replace_file(path, text.getvalue().encode())


def _cell(value: object) -> str:
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def board_lock(path: Path) -> AbstractContextManager[None]:
    """Hold the lock of a leaderboard; two submissions at a time are added one after the other."""
    busy = f"{path}: another submission is being added; try again when it is done"
    return locked(path.with_name(f".{path.name}.lock"), busy, LOCK_WAIT_S)


def standing(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that no later row supersedes."""
    kept = []
    for place, row in enumerate(rows):
        mark = (row.predictions_sha256, row.slot)
        if not any((later.supersedes, later.slot) == mark for later in rows[place + 1 :]):
            kept.append(row)
    return kept


def same_answers(row: Row, old: Row) -> bool:
    """Whether a row scores the answers that an older row scored already.

    Equal detections are the same answers under whatever name; one method may give them under two settings, as where
    both are exact. A row of version 0.1.0 knows the bytes of its file alone: it is met again by its scores.
    """
    if row.rank != old.rank:
        return False
    alike = (row.method, row.settings, row.decoder) == (old.method, old.settings, old.decoder)
    if row.predictions_sha256 == old.predictions_sha256:
        return alike or row.method != old.method or not row.predictions_sha256.startswith(_OF_DETECTIONS)
    by_file = old.predictions_sha256.startswith(_OF_FILE) and row.predictions_sha256.startswith(_OF_DETECTIONS)
    same_data = (row.dataset_fingerprint, row.split) == (old.dataset_fingerprint, old.split)
    scores = zip((row.cso_map, *row.aps), (old.cso_map, *old.aps))
    return by_file and alike and same_data and all(math.isclose(new, before, rel_tol=1e-12) for new, before in scores)
