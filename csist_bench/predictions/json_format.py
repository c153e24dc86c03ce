"""The JSON forms: canonical object of rows, columns, a bare COCO-style list, and lines with a row each.

Files are decoded straight into typed rows, or without rows where all are written alike (`json_uniform.py`). Only when
that fails are they decoded a second time, slowly, to name every offending row instead of the first (`json_faults.py`).
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, offenders, show
from csist_bench.files.text import utf8_of
from csist_bench.predictions.header import Header, header_from_table
from csist_bench.predictions.json_faults import LONGEST_HEAD, explained, nan_taken, require_keys_once
from csist_bench.predictions.json_rows import ROW_FORM, Columns, File, Row
from csist_bench.predictions.json_uniform import uniform_columns
from csist_bench.predictions.table import COLUMNS, STANDARD_ERRORS, WHOLE, IndexBounds, detections_from_columns

Form = Literal["object", "list", "lines"]
_FIRST_LINE = 1 << 16  # bytes; a row is shorter
_LARGE = 1 << 16  # bytes, from which on it pays to look whether all rows are written alike
_LIST = re.compile(rb'"predictions"\s*:\s*\[\s*')


def read_json(data: bytes, where: str, bounds: IndexBounds, warnings: list[str]) -> tuple[Detections, Header]:
    """Decode a JSON file of any of the forms."""
    data = utf8_of(data, where)
    form = _form(data)
    with _collection_paused():
        if len(data) >= _LARGE and (read := _read_uniform(data, form, where, bounds, warnings)):
            return read
        file = _decoded(data, form, where)
        if form != "object":
            warnings.append(_no_header(form, where))
            path = "$" if form == "list" else "line "
            return _from_rows(file, data, path, where, bounds), Header()
        header = header_from_table(msgspec.structs.asdict(file), where, warnings)
        if isinstance(file.predictions, list):
            return _from_rows(file.predictions, data, "$.predictions", where, bounds), header
        require_keys_once(data, 0, where)
        if file.predictions is None and file.x is None:
            raise InputError(
                f"{where}: $.predictions must be a list of {ROW_FORM} or an object of columns; it is missing"
            )
        path = "$.predictions" if file.predictions is not None else "$"
        return _from_column_lists(file.predictions or file, path, where, bounds), header


def _no_header(form: Form, where: str) -> str:
    what = "a bare list" if form == "list" else "lines of rows"
    return f"{where}: {what} without a header; data set and coverage are not verified"


def _read_uniform(
    data: bytes, form: Form, where: str, bounds: IndexBounds, warnings: list[str]
) -> tuple[Detections, Header] | None:
    """Read a file whose rows are all written alike and without a fault; None for any other, warning of nothing."""
    begin = _LIST.search(data, 0, LONGEST_HEAD) if form == "object" else re.match(rb"\s*\[?\s*", data)
    start, stop = begin.end() if begin else 0, data.rfind(b"}", 0, None if form == "lines" else data.rfind(b"]")) + 1
    columns = uniform_columns(data, start, stop, form == "lines") if begin else None
    if columns is None:
        return None
    rest = data[:start] + data[stop:]  # the file without its rows
    told: list[str] = []
    try:
        header = Header()
        if form != "object":
            if b"".join(rest.split()) != (b"[]" if form == "list" else b""):
                return None
            told.append(_no_header(form, where))
        else:
            file = msgspec.json.decode(rest, type=File)
            if file.predictions != [] or rest.count(b'"predictions"') != 1:
                return None
            require_keys_once(rest, 0, where)
            header = header_from_table(msgspec.structs.asdict(file), where, told)
        bounds.require_rows(len(next(iter(columns.values()))), where)
        detections = detections_from_columns(columns, where, lambda row, name: f"row {row}", bounds)
    except (InputError, msgspec.DecodeError, UnicodeError, RecursionError):
        return None  # read again, row by row, to say what is wrong and where
    warnings += told
    return detections, header


def _form(data: bytes) -> Form:
    """Tell a bare list, an object, and lines, whose first one is an object but no file."""
    begin = data[:_FIRST_LINE].lstrip()
    if begin.startswith(b"["):
        return "list"
    first, _, rest = begin.partition(b"\n")
    try:
        object_ = msgspec.json.decode(first, type=dict[str, msgspec.Raw])
        msgspec.json.decode(object_.get("x", b'""'), type=float)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        more = rest.lstrip()[:1] == b"{"
        is_row = more and first.rstrip().endswith(b"}") and b'"predictions"' not in first and b'"format"' not in first
        return "lines" if is_row else "object"
    return "lines"


def _decoded(data: bytes, form: Form, where: str) -> Any:
    """Return the typed content; where it is not valid only for standard errors that are NaN, it is taken so."""
    try:
        if form == "lines":
            return msgspec.json.Decoder(Row).decode_lines(data)
        return msgspec.json.decode(data, type=list[Row] if form == "list" else File)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        message = str(error)
    taken = nan_taken(data, form)
    if taken is None:
        raise explained(data, form, where, message)
    return taken


@contextlib.contextmanager
def _collection_paused() -> Iterator[None]:
    """Keep the cyclic collector from walking a million new rows again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _from_rows(rows: list[Row], data: bytes, path: str, where: str, bounds: IndexBounds) -> Detections:
    bounds.require_rows(len(rows), where)
    columns: dict[str, NDArray[Any]] = {}
    keys = 0

    def label(row: int, name: str) -> str:
        return f"{path}{row + 1}" if path == "line " else f"{path}[{row}]"

    for name in COLUMNS:
        values = list(map(attrgetter(name), rows))
        absent = values.count(None)
        keys += len(values) - absent
        if absent and absent < len(values):
            if name not in STANDARD_ERRORS:
                found = [label(i, name) for i, value in enumerate(values) if value is None]
                raise offenders(where, f"{name} must be given in every row or in none; missing in", found, absent)
            values = [np.nan if value is None else value for value in values]
        if absent < len(values) or not rows:
            columns[name] = _array(values, name, label, where)
    require_keys_once(data, keys, where)
    return detections_from_columns(columns, where, label, bounds)


def _from_column_lists(table: Columns, path: str, where: str, bounds: IndexBounds) -> Detections:
    given = {name: getattr(table, name) for name in COLUMNS if getattr(table, name) is not None}
    lists = _aligned({name: values for name, values in given.items() if isinstance(values, dict)}, path, where)

    def label(row: int, name: str) -> str:
        return f"{path}.{name}[{row}]"

    columns = {}
    for name, values in given.items():
        values = lists.get(name, values)
        if name in STANDARD_ERRORS:
            values = [np.nan if value is None else value for value in values]
        columns[name] = _array(values, name, label, where)
    return detections_from_columns(columns, where, label, bounds)


def _aligned(columns: dict[str, dict[str, Any]], path: str, where: str) -> dict[str, list[Any]]:
    """Return pandas' columns of {row: value} as lists; every column must have the same rows."""
    rows = next((list(values) for values in columns.values()), [])
    for name, values in columns.items():
        if list(values) != rows:
            first = next(iter(columns))
            raise must(f"{where}: {path}.{name}", f"have the rows of {path}.{first}, in its order", "other ones")
    return {name: list(values.values()) for name, values in columns.items()}


def _array(values: list[Any], name: str, label: Any, where: str) -> NDArray[Any]:
    if name not in WHOLE:
        return np.array(values, dtype=np.float64)
    array = np.array(values) if values else np.zeros(0, np.int64)
    if array.dtype == object or array.dtype == np.uint64:
        row = next(i for i, value in enumerate(values) if abs(value) >= 2**63)
        raise must(f"{where}: {label(row, name)}.{name}", "be an index", show(str(values[row])[:40]))
    return array


def encode_json(detections: Detections, header: Header) -> bytes:
    """One row a line, so that files can be read, searched and compared; a missing standard error is left out."""
    columns = detections.columns()
    names = list(columns)
    rows = [Row(**dict(zip(names, values))) for values in zip(*(map(_listed, columns.values())))]
    head = msgspec.json.encode(header.to_table())[:-1]
    lines = msgspec.json.encode(rows).replace(b"},{", b"},\n{")
    return head + b',"predictions":[\n' + lines[1:-1] + b"\n]}\n"


def _listed(column: NDArray[Any]) -> list[Any]:
    values = column.tolist()
    return [None if value != value else value for value in values] if np.isnan(column).any() else values
