"""Text that goes into LaTeX."""

from __future__ import annotations

_ESCAPES = str.maketrans(
    {c: rf"\{c}" for c in "#$%&_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
)


def latex_text(text: str) -> str:
    """Return text that LaTeX sets as it stands."""
    return text.translate(_ESCAPES)
