"""What is wrong with a JSON file of predictions: every offending row, in words."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders, show
from csist_bench.predictions.json_rows import ROW_FORM, File, Index, Row
from csist_bench.predictions.table import COLUMNS, SNIFFED, STANDARD_ERRORS, WHOLE

# Python's own decoder takes NaN and shows all of a file, but 30 times its size in memory.
LARGEST_EXPLAINED = 1 << 24  # bytes
_FINITE = tuple(name for name in COLUMNS if name not in STANDARD_ERRORS)
_HEADER = ("format", "dataset", "method", "n_frames", "misfit", "digest")
LONGEST_HEAD = 1 << 23  # bytes; a header holds the misfit of every frame
_BLANK = re.compile(r"\s*")


def nan_taken(data: bytes, form: str) -> Any:
    """Return the content of a file whose only fault is NaN or infinity as a standard error, else None.

    JSON has no such numbers, but Python and others write them.
    """
    if len(data) > LARGEST_EXPLAINED or not any(word in data for word in (b"NaN", b"Infinity")):
        return None
    try:
        content = _lines(data) if form == "lines" else json.loads(data)
        kind: Any = File if form == "object" else list[Row]
        file: Any = msgspec.convert(content, kind)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    rows = file if isinstance(file, list) else file.predictions
    if isinstance(rows, list):
        named = [getattr(row, name) for name in _FINITE for row in rows]
        return None if any(map(_not_finite, named)) else file
    columns = [getattr(rows or file, name) for name in _FINITE]
    lists = [values.values() if isinstance(values, dict) else values or () for values in columns]
    return None if any(_not_finite(value) for values in lists for value in values) else file


def require_keys_once(data: bytes, keys: int, where: str) -> None:
    """Raise if an object names a field twice, of which a decoder keeps the last.

    Parameters
    ----------
    keys : int
        How many fields were read after the word "predictions". Rows hold numbers, so that twice as many quotes stand
        there; only where there are more is the file looked at closely.
    """
    head = data.find(b'"predictions"', 0, LONGEST_HEAD) + len(b'"predictions"')
    head = head if head >= len(b'"predictions"') else 0
    once = all(data.count(b'"%s"' % name.encode(), 0, head) <= 1 for name in _HEADER)
    if once and data.count(b'"') - data.count(b'"', 0, head) <= 2 * keys:
        return
    text = data.decode("utf-8", "replace")
    decoder = json.JSONDecoder(object_pairs_hook=lambda pairs: _require_once(pairs, where))
    place = 0
    with contextlib.suppress(json.JSONDecodeError, RecursionError):
        while place < len(text):
            _, place = decoder.raw_decode(text, place)
            place = _BLANK.match(text, place).end()  # type: ignore[union-attr]


def _require_once(pairs: list[tuple[str, Any]], where: str) -> None:
    """Raise for a name that stands twice; nothing is kept, so that a large file takes little memory."""
    counts = Counter(name for name, _ in pairs)
    if len(counts) < len(pairs):
        twice = next(name for name, count in counts.items() if count > 1)
        raise must(where, "name each field of an object once", f"{show(repr(twice))} twice")


# --- naming what is wrong ---------------------------------------------------------------------------------------------


def explained(data: bytes, form: str, where: str, message: str) -> InputError:
    """Return the error of a file that did not decode, with every offending row if the text is JSON at all."""
    if len(data) > LARGEST_EXPLAINED:
        return InputError(
            f"{where}: {_reworded(message, '$')} (the first fault; a large file is not searched for more)"
        )
    try:
        content = _lines(data) if form == "lines" else json.loads(data)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return InputError(f"{where}: not valid JSON at {place}: {_cause(data, error.msg)}")
    except (ValueError, RecursionError):
        return InputError(f"{where}: not valid JSON: {show(message)}")
    if form == "object" and not isinstance(content, dict):
        return must(where, "hold a JSON object or list", content)
    path, rows = _rows_of(content, form)
    if isinstance(rows, list):
        found, total = _row_faults(rows, path)
        if total:
            return offenders(where, f"predictions must be {ROW_FORM}, all numbers finite", found, total)
    if form == "object":
        columns: Any = rows if isinstance(rows, Mapping) else content
        path = path if columns is rows else "$"
        fault = next(filter(None, (_column_fault(columns.get(name), name, path) for name in COLUMNS)), None)
        if fault:
            return InputError(f"{where}: {fault}")
    return InputError(f"{where}: {_reworded(message, '$')}")


def _rows_of(content: Any, form: str) -> tuple[str, Any]:
    if form == "object":
        return "$.predictions", content.get("predictions")
    return ("$" if form == "list" else "line "), content


def _lines(data: bytes) -> list[Any]:
    """Return the objects of JSON lines; an error counts the lines of the file."""
    rows = []
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise json.JSONDecodeError(error.msg, "\n" * (number - 1) + error.doc, error.pos + number - 1) from None
    return rows


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
            not_finite = next((name for name in _FINITE if _not_finite(row.get(name))), None)
            if not_finite is None:
                continue
            fault = f"{_row_path(path, index)}.{not_finite} must be finite, got {row[not_finite]}"
        except (msgspec.ValidationError, UnicodeError) as error:  # UnicodeError: half of a surrogate pair in a name
            fault = _reworded(str(error), _row_path(path, index))
        total += 1
        if len(found) < OFFENDERS_SHOWN:
            found.append(fault)
    return found, total


def _row_path(path: str, row: int) -> str:
    return f"{path}{row + 1}" if path == "line " else f"{path}[{row}]"


def _column_fault(values: Any, name: str, path: str) -> str | None:
    if values is None:
        return None
    value_kind: Any = float if name not in WHOLE else Index
    value_kind = value_kind | None if name in STANDARD_ERRORS else value_kind
    is_object = isinstance(values, dict)
    try:
        msgspec.convert(values, dict[str, value_kind] if is_object else list[value_kind])
    except (msgspec.ValidationError, UnicodeError) as error:
        return _reworded(str(error), f"{path}.{name}")
    if name in STANDARD_ERRORS:
        return None
    places = values.items() if is_object else enumerate(values)
    row = next((place for place, value in places if _not_finite(value)), None)
    return None if row is None else f"{path}.{name}[{show(str(row))}] must be finite, got {values[row]}"


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
