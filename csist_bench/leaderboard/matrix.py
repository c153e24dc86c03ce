"""The overview: methods by data sets, in sections by what a method was told.

A line is a method in one variant, a cell the better of its decoders. Lines are ordered by the mean over the three
noise levels; where one of the three is missing there is no mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csist_bench.conventions import PriorTier, Status
from csist_bench.leaderboard.board import Board, own_rankings
from csist_bench.leaderboard.rows import Row
from csist_bench.methods.knowledge import ORDER

# Heading = table.
NOISE_SETS = {
    "noise 0": "seqcsist",
    "noise 2": "seqcsist-noise sigma=2",
    "noise 5": "seqcsist-noise sigma=5",
}
SETS = {**NOISE_SETS, "rotated": "seqcsist-rotated", "dense": "seqcsist-dense"}
NOISE_FREE = "noise 0"
# What stands for the mean of a line that was measured (of the three) without noise alone.
ALONE = "noise 0 only"


@dataclass(frozen=True)
class MatrixLine:
    """A method in one variant: its cells by heading, each with the best row and those of its other decoders."""

    name: str
    cells: Mapping[str, tuple[Row, ...]]

    @property
    def first(self) -> Row:
        """The best row of the first data set that the line stands in."""
        return next(iter(self.cells.values()))[0]

    def score(self, heading: str) -> float | None:
        """Return CSO-mAP in percent; None where the line does not stand in that data set."""
        return self.cells[heading][0].cso_map if heading in self.cells else None

    @property
    def mean(self) -> float | None:
        """Mean CSO-mAP over the three noise levels; None unless all three stand."""
        scores = [score for heading in NOISE_SETS if (score := self.score(heading)) is not None]
        return sum(scores) / len(scores) if len(scores) == len(NOISE_SETS) else None

    @property
    def alone(self) -> bool:
        """Whether the line stands at noise 0, but not at all three levels."""
        return self.mean is None and NOISE_FREE in self.cells

    @property
    def order(self) -> tuple[int, float, str]:
        """Lines with a mean first, then those with noise 0 alone, then the rest."""
        if self.mean is not None:
            return 0, -self.mean, self.name
        if self.alone:
            return 1, -self.cells[NOISE_FREE][0].cso_map, self.name
        return 2, -max(rows[0].cso_map for rows in self.cells.values()), self.name


@dataclass(frozen=True)
class Section:
    """The lines of one prior tier."""

    tier: PriorTier
    lines: tuple[MatrixLine, ...]


def matrix(board: Board) -> list[Section]:
    """Return the sections of the overview; none where the board shows none of its data sets.

    Unverified rows are left out, and rankings other than the method's own where the variant has its own one.
    """
    gathered: dict[tuple[str, Status, PriorTier], dict[str, list[Row]]] = {}
    for heading, table in SETS.items():
        for row in own_rankings(row for row in board.tables.get(table, ()) if row.status != "unverified"):
            key = (board.names.get(row, row.method), row.status, row.prior_tier)
            gathered.setdefault(key, {}).setdefault(heading, []).append(row)
    lines: dict[PriorTier, list[MatrixLine]] = {}
    for (name, _status, tier), cells in gathered.items():
        best_first = {heading: tuple(sorted(rows, key=lambda row: -row.cso_map)) for heading, rows in cells.items()}
        lines.setdefault(tier, []).append(MatrixLine(name, best_first))
    tiers = [tier for tier in ORDER if tier in lines]
    return [Section(tier, tuple(sorted(lines[tier], key=lambda line: line.order))) for tier in tiers]
