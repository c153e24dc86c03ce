"""Rows of the table: what was measured on which camera, the figure, the aim, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Met = Literal["yes", "no"]

PARTS = ("calibrate", "methods", "background", "errors", "misfit")


@dataclass(frozen=True)
class Row:
    part: str
    what: str
    camera: str
    figure: str
    aim: str
    met: Met

    def text(self) -> str:
        return f"| {self.what} | {self.camera} | {self.figure} | {self.aim} | {self.met} |"


HEAD = "| what | camera | figure | aim | met |\n|---|---|---|---|---|"


def met(is_met: bool) -> Met:
    return "yes" if is_met else "no"


def markdown(rows: Iterable[Row]) -> str:
    """Return a table for each part."""
    rows = list(rows)
    tables = []
    for part in PARTS:
        own = [row.text() for row in rows if row.part == part]
        if own:
            tables.append("\n".join([f"## {TITLES[part]}", "", HEAD, *own]))
    return "\n\n".join(tables) + "\n"


TITLES = {
    "calibrate": "Calibration",
    "methods": "The calibrated camera against the exact one",
    "background": "A fitted plane",
    "errors": "Errors over predicted errors",
    "misfit": "What is said of a wrong camera",
}

BEGIN, END = "<!-- begin measured -->", "<!-- end measured -->"


def into_page(page: str, rows: Iterable[Row]) -> str:
    """Return a page with the tables between its two marks, and how many aims are met."""
    rows = list(rows)
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    summary = f"{sum(row.met == 'yes' for row in rows)} of {len(rows)} figures meet their aim."
    return f"{before}{BEGIN}\n\n{summary}\n\n{markdown(rows)}\n{END}{after}"
