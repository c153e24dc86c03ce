"""Rows of JSON that are all written alike, read as numbers without an object a row.

A program writes the same fields in every row, in the same order, with the same text between the numbers. That text is
found in the first row, held against every other row byte by byte, and blanked but for a comma: what is left is one list
of numbers for the decoder. Whatever departs from this is not read here at all, but row by row with an error for each
fault (`json_format.py`), so that nothing is decided twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.predictions.table import COLUMNS, WHOLE

BLOCK = 1 << 18  # bytes worked on at a time, so that they stay in the processor's cache
_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")
_FIELD = rb'"[a-z_]+"\s*:\s*-?[0-9][0-9.eE+-]*\s*'
_ROW = re.compile(rb"\{\s*(?:" + _FIELD + rb",\s*)*" + _FIELD + rb"\}")
_GAP = re.compile(rb"\s*,?\s*\{")
_QUOTE = ord('"')
_LARGEST_WHOLE = 2.0**53  # from here on not every whole number is a float


@dataclass(frozen=True)
class _Form:
    """How rows are written: the names, the text before each number, after the last one, and between two rows.

    Each text before a number holds the two quotes of its name and no others.
    """

    names: tuple[str, ...]
    before: tuple[bytes, ...]
    end: bytes
    gap: bytes


def uniform_columns(data: bytes, start: int, stop: int, lines: bool) -> dict[str, NDArray[Any]] | None:
    """Return the columns of the rows in `data[start:stop]`, in the order of `COLUMNS`; None where rows differ in form.

    Rows stand on `lines` of their own or with commas between them. Whole numbers come as int64, however they are
    written. Numbers are those that the typed decoder reads.
    """
    form = _form(data, start)
    if form is None or not (form.gap == b"\n" if lines else b"," in form.gap):
        return None
    blocks = []
    decoder = msgspec.json.Decoder(list[float])
    for low, high in _blocks(data, form, start, stop):
        text = _numbers_alone(bytearray(data[low:high]), form)
        try:
            numbers = None if text is None else decoder.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        # Each text before a number is there, so that no number is missing; their count tells whether there are more.
        if numbers is None or 2 * len(numbers) != data.count(b'"', low, high):
            return None
        blocks.append(np.fromiter(numbers, np.float64, len(numbers)).reshape(-1, len(form.names)))
    table = np.concatenate(blocks)
    given = {name: np.ascontiguousarray(table[:, form.names.index(name)]) for name in COLUMNS if name in form.names}
    if any(not (np.abs(given[name]) < _LARGEST_WHOLE).all() for name in WHOLE if name in given):
        return None
    whole = {name: given[name].astype(np.int64) for name in WHOLE if name in given}
    return None if any((whole[name] != given[name]).any() for name in whole) else given | whole


def _form(data: bytes, start: int) -> _Form | None:
    """Return the form of the first row, if it is one of numbers alone, each of another field that is known."""
    row = _ROW.match(data, start)
    if row is None:
        return None
    *before, end = _NUMBER.split(row[0])
    names = tuple(text.split(b'"')[1].decode() for text in before)
    gap = _GAP.match(data, row.end())
    known = len(set(names)) == len(names) and set(names) <= set(COLUMNS)
    return _Form(names, tuple(before), end, gap[0][:-1]) if known and gap else None


def _blocks(data: bytes, form: _Form, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of runs of whole rows."""
    between = b"}" + form.gap + b"{"
    while stop - start > BLOCK and (cut := data.rfind(between, start, start + BLOCK)) >= 0:
        yield start, cut + 1
        start = cut + len(between) - 1
    yield start, stop


def _numbers_alone(text: bytearray, form: _Form) -> bytearray | None:
    """Return rows as a list of their numbers, in place; None unless all that stands between those is the form's."""
    quotes = np.flatnonzero(np.frombuffer(text, np.uint8) == _QUOTE)
    fields = len(form.names)
    if len(quotes) % (2 * fields) or not text.startswith(form.before[0]) or not text.endswith(form.end):
        return None
    opening = quotes.reshape(-1, 2 * fields)[:, ::2]
    joint = form.end + form.gap + form.before[0]
    for field, literal in enumerate((joint, *form.before[1:])):
        rows = opening[1:, field] if field == 0 else opening[:, field]
        if not _blanked(text, rows - literal.index(b'"'), literal):
            return None
    first, last = len(form.before[0]), len(form.end)
    text[:first] = b"[".ljust(first)
    text[-last:] = b"]".rjust(last)
    return text


def _blanked(text: bytearray, places: NDArray[np.int64], literal: bytes) -> bool:
    """Put a comma and blanks in the place of a literal; False where another text stands at one of the rising places."""
    size = len(literal)
    if len(places) and not (places[0] >= 0 and places[-1] + size <= len(text)):
        return False
    window: NDArray[Any] = np.ndarray((len(text) - size + 1,), f"S{size}", text, strides=(1,))
    if not (window[places] == literal).all():
        return False
    window[places] = b",".ljust(size)
    return True
