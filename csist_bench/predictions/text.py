"""What the text forms share: decoding, and parsing tables of numbers."""

from __future__ import annotations

import warnings as python_warnings

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError


def decoded(data: bytes, where: str) -> str:
    """Return the text of a file, or say that it is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not a prediction file (byte {error.start} is not text)") from None
    if "\0" in text:
        raise InputError(f"{where}: not a prediction file (byte {text.index(chr(0))} is not text)")
    return text


def table_of_numbers(
    lines: list[str], delimiter: str | None, chosen: list[int] | None, width: int
) -> NDArray[np.float64]:
    """Parse the chosen columns (None: all, which must be equally many in every line) of a table of `width` columns."""
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore", UserWarning)  # a table without rows is no detections
        values = np.loadtxt(lines, delimiter=delimiter, usecols=chosen, ndmin=2, comments=None, quotechar='"')
    return values if values.size else np.zeros((0, width if chosen is None else len(chosen)))


def is_number(text: str) -> bool:
    """Tell whether a cell is a number as a table writes one."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
