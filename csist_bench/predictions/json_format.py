"""The JSON forms: canonical object of rows, columns, and the bare COCO-style list.

Files are decoded straight into typed rows. Only when that fails are they decoded a second time, slowly, to name every
offending row instead of the first.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders, show
from csist_bench.predictions.header import Header, header_from_table
from csist_bench.predictions.table import COLUMNS, SNIFFED, IndexBounds, detections_from_columns

ROW_FORM = "rows like {'trajectory': 0, 'frame': 2, 'x': 5.31, 'y': 4.02, 'score': 231.2}"


class Row(msgspec.Struct, gc=False, omit_defaults=True):
    """One detection; `image_id` may stand for trajectory and frame. Other fields of a row are not read."""

    x: float
    y: float
    score: float
    trajectory: int | None = None
    frame: int | None = None
    image_id: int | None = None
    intensity: float | None = None
    sigma_x: float | None = None
    sigma_y: float | None = None
    sigma_intensity: float | None = None


class Columns(msgspec.Struct):
    """The column form: one list per field."""

    x: list[float] | None = None
    y: list[float] | None = None
    score: list[float] | None = None
    trajectory: list[int] | None = None
    frame: list[int] | None = None
    image_id: list[int] | None = None
    intensity: list[float] | None = None
    sigma_x: list[float] | None = None
    sigma_y: list[float] | None = None
    sigma_intensity: list[float] | None = None


class File(Columns):
    """A whole file: the header fields and the predictions, as rows or as columns, or the columns beside the header."""

    format: Any = None
    dataset: Any = None
    method: Any = None
    n_frames: Any = None
    frames: Any = None
    predictions: list[Row] | Columns | None = None


def read_json(data: bytes, where: str, bounds: IndexBounds, warnings: list[str]) -> tuple[Detections, Header]:
    """Decode a JSON file of any of the three forms."""
    bare = data[:SNIFFED].lstrip().startswith(b"[")
    with _collection_paused():
        try:
            file: Any = msgspec.json.decode(data, type=list[Row] if bare else File)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _explained(data, bare, where, str(error)) from None
        if bare:
            warnings.append(f"{where}: a bare list without a header; data set and coverage are not verified")
            return _from_rows(file, "$", where, bounds), Header()
        header = header_from_table(msgspec.structs.asdict(file), where, warnings)
        if isinstance(file.predictions, list):
            return _from_rows(file.predictions, "$.predictions", where, bounds), header
        if file.predictions is None and file.x is None:
            raise InputError(
                f"{where}: $.predictions must be a list of {ROW_FORM} or an object of columns; it is missing"
            )
        path = "$.predictions" if file.predictions is not None else "$"
        return _from_column_lists(file.predictions or file, path, where, bounds), header


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


def _from_rows(rows: list[Row], path: str, where: str, bounds: IndexBounds) -> Detections:
    columns: dict[str, NDArray[Any]] = {}
    for name in COLUMNS:
        values = list(map(attrgetter(name), rows))
        absent = values.count(None)
        if absent and absent < len(values):
            found = [f"{path}[{i}]" for i, value in enumerate(values) if value is None]
            raise offenders(where, f"{name} must be given in every row or in none; missing in", found, absent)
        if not absent:
            columns[name] = _array(values, name, path, where)
    return detections_from_columns(columns, where, lambda row, name: f"{path}[{row}]", bounds)


def _from_column_lists(table: Columns, path: str, where: str, bounds: IndexBounds) -> Detections:
    given = {name: getattr(table, name) for name in COLUMNS if getattr(table, name) is not None}
    columns = {name: _array(values, name, path, where) for name, values in given.items()}
    return detections_from_columns(columns, where, lambda row, name: f"{path}.{name}[{row}]", bounds)


def _array(values: list[Any], name: str, path: str, where: str) -> NDArray[Any]:
    try:
        return np.array(values, dtype=np.int64 if name in ("trajectory", "frame", "image_id") else np.float64)
    except OverflowError:
        row = next(i for i, value in enumerate(values) if abs(value) >= 2**63)
        raise must(
            f"{where}: {path}[{row}].{name}", "be an index", f"a number of {values[row].bit_length()} bits"
        ) from None


def encode_json(detections: Detections, header: Header) -> bytes:
    """One row a line, so that files can be read, searched and compared."""
    columns = detections.columns()
    names = list(columns)
    rows = [Row(**dict(zip(names, values))) for values in zip(*(column.tolist() for column in columns.values()))]
    head = msgspec.json.encode(header.to_table())[:-1]
    lines = msgspec.json.encode(rows).replace(b"},{", b"},\n{")
    return head + b',"predictions":[\n' + lines[1:-1] + b"\n]}\n"


# --- naming what is wrong ---------------------------------------------------------------------------------------------


def _explained(data: bytes, bare: bool, where: str, message: str) -> InputError:
    """Return the error of a file that did not decode, with every offending row if the text is JSON at all."""
    try:
        content = json.loads(data)
    except json.JSONDecodeError as error:
        return InputError(
            f"{where}: not valid JSON at line {error.lineno}, column {error.colno}: {_cause(data, error.msg)}"
        )
    except (ValueError, RecursionError):
        return InputError(f"{where}: not valid JSON: {show(message)}")
    path, rows = "$", content
    if not bare:
        if not isinstance(content, dict):
            return must(where, "hold a JSON object or list", content)
        path, rows = "$.predictions", content.get("predictions")
    if isinstance(rows, list):
        found, total = _row_faults(rows, path)
        if total:
            return offenders(where, f"predictions must be {ROW_FORM}, all numbers finite", found, total)
    if isinstance(rows, Mapping) or not bare:
        columns = rows if isinstance(rows, Mapping) else content
        for name in COLUMNS:
            fault = _column_fault(columns.get(name), f"{path if columns is rows else '$'}.{name}")
            if fault:
                return InputError(f"{where}: {fault}")
    return InputError(f"{where}: {_reworded(message, '$')}")


def _cause(data: bytes, message: str) -> str:
    """Say what the decoder's word means; a file that ends too early is the common case."""
    tail = data[-SNIFFED:].rstrip()[-1:]
    truncated = tail not in (b"]", b"}")
    return f"{message} (the file seems to be cut short)" if truncated else message


def _row_faults(rows: list[Any], path: str) -> tuple[list[str], int]:
    found: list[str] = []
    total = 0
    for index, row in enumerate(rows):
        try:
            msgspec.convert(row, Row)
            not_finite = next((name for name in COLUMNS if _not_finite(row.get(name))), None)
            if not_finite is None:
                continue
            fault = f"{path}[{index}].{not_finite} must be finite, got {row[not_finite]}"
        except msgspec.ValidationError as error:
            fault = _reworded(str(error), f"{path}[{index}]")
        total += 1
        if len(found) < OFFENDERS_SHOWN:
            found.append(fault)
    return found, total


def _column_fault(values: Any, path: str) -> str | None:
    if values is None:
        return None
    kind = list[int] if path.rpartition(".")[2] in ("trajectory", "frame", "image_id") else list[float]
    try:
        msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        return _reworded(str(error), path)
    row = next((i for i, value in enumerate(values) if _not_finite(value)), None)
    return None if row is None else f"{path}[{row}] must be finite, got {values[row]}"


def _not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _reworded(message: str, prefix: str) -> str:
    """Turn msgspec's `Expected X, got Y - at `$.a`` into `<prefix>.a must be X, got Y`."""
    what, _, at = message.partition(" - at `$")
    place = prefix + at.rstrip("`")
    if what.startswith("Expected "):
        wanted, _, got = what.removeprefix("Expected ").replace("`", "").partition(", got ")
        return f"{place} must be {wanted}, got {got or 'something else'}"
    if what.startswith("Object missing required field"):
        return f"{place} must have the field {what.split('`')[1]}"
    return f"{place}: {what}"
