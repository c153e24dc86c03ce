"""Text of strangers in Markdown."""

from __future__ import annotations

import re

from csist_bench.errors import printable


def plain_markdown(text: str) -> str:
    """Return text that Markdown shows as it stands: no markup, no HTML, no entities, nothing invisible."""
    return re.sub(r"([\\|<>*_`\[\]&!~#])", r"\\\1", printable(" ".join(text.split())))
