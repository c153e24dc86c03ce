"""Text cells of CSV files that a spreadsheet would run as formulas: marked when written, as they were when read."""

from __future__ import annotations

import re

MARK = "'"
_FORMULA = re.compile(r"'*[=+\-@]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def guarded(text: str) -> str:
    """Return a text cell that no spreadsheet takes for a formula; a number stays as it is."""
    return MARK + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(cell: str) -> str:
    """Return the text that `guarded` was given."""
    return cell[1:] if cell.startswith(MARK) and _FORMULA.match(cell) else cell
