"""The phrasing of every bad-input error: `<name> must <rule>, got <value>; <remedy>`.

Every module raises `InputError` (a ValueError) through these helpers, and the command line turns it into one
line and exit code 2. So a message is worded once, and always names what, where, expected, got and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OFFENDERS_SHOWN = 5
VALUE_LENGTH = 80


class InputError(ValueError):
    """Something the user handed over is wrong; the message says what, where, and what to do.

    A message often quotes a file: whatever in it a terminal would act on is escaped.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Return a text without characters that a terminal acts on or that change the order of others, as escapes.

    Control characters and those for the direction of writing become `\\x1b` or `\\u202e`; line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def show(value: object) -> str:
    """Return a short one-line form of a value for an error message."""
    text = value if isinstance(value, str) else repr(value)
    text = printable(" ".join(text[: 100 * VALUE_LENGTH].split()))
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 3] + "..."


def must(name: str, rule: str, got: object, remedy: str = "") -> InputError:
    """Return the error `<name> must <rule>, got <got>[; <remedy>]` (the caller raises it)."""
    return InputError(f"{name} must {rule}, got {show(got)}" + (f"; {remedy}" if remedy else ""))


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that is not one of `known`, with the nearest spelling or the full list."""
    names = sorted(known)
    folded = {known_name.casefold(): known_name for known_name in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    hint = f"did you mean {folded[near[0]]!r}?" if near else f"choose one of: {', '.join(names)}"
    return InputError(f"unknown {kind} {name!r}; {hint}")


def offenders(where: str, rule: str, found: Sequence[str], total: int) -> InputError:
    """Return the error for many bad rows: the first five and how many more there are."""
    listed = ", ".join(found[:OFFENDERS_SHOWN])
    more = f" and {total - OFFENDERS_SHOWN} more" if total > OFFENDERS_SHOWN else ""
    return InputError(f"{where}: {rule}; offending: {listed}{more}")


def require_shape(name: str, array: NDArray[Any], shape: tuple[int | None, ...], legend: str) -> None:
    """Raise unless `array.shape` matches `shape` (None = any length); `legend` shows the axes, e.g. (B, T, H, W)."""
    matches = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape))
    if not matches:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise must(name, f"have shape {legend} = ({wanted})", array.shape)


def require_finite(name: str, array: NDArray[Any]) -> None:
    """Raise unless every value of a float array is finite, naming the first index that is not."""
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise must(name, "be finite everywhere", f"{array[first]} at index {first} ({int(bad.sum())} such values)")
