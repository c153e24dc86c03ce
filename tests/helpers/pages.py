"""The pages of the documentation: their code blocks, and whether and how each is run.

A block is run unless a comment stands above it, alone on its line: `<!-- not run: REASON -->`. A Python block or a TOML
block that begins with `# NAME.py` or `# NAME.toml` is that file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "data" / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"(?:^<!-- not run: (?P<reason>.*?) -->\n)?^```(?P<language>.*?)\n(?P<text>.*?)^```$", re.M | re.S)
RUN = ("python", "sh", "toml", "json")
SHOWN = ("text", "{eval-rst}")  # output, and what only the site shows


class Block(NamedTuple):
    """A fenced block: where it stands, its language, its text, why it is not run ("" where it is)."""

    where: str
    language: str
    text: str
    reason: str

    @property
    def file(self) -> str:
        """The name of the file that the block is, "" where it is none."""
        first = self.text.partition("\n")[0]
        return first[2:] if re.fullmatch(r"# [\w.-]+\.(py|toml)", first) else ""


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix()
    found = [
        Block(f"{name}:{text.count(chr(10), 0, m.start('text'))}", m["language"], m["text"], m["reason"] or "")
        for m in FENCE.finditer(text)
    ]
    assert 2 * len(found) == len(re.findall(r"^```", text, re.M)), f"{name}: a fence is not closed"
    return found
