"""The chart of the overview: CSO-mAP against the noise of the frames, a line for each method, named at its end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from csist_bench.leaderboard.board import Entry, own_rankings
from csist_bench.leaderboard.charts import BOTTOM, HEIGHT, LEFT, RADIUS, Heights, escape, full_label, spread
from csist_bench.leaderboard.columns import score_text
from csist_bench.leaderboard.matrix import NOISE_FREE, NOISE_SETS, SETS, MatrixLine
from csist_bench.leaderboard.repeat import trained_there
from csist_bench.leaderboard.table import ADAPTED

WIDTH = 900
# Room for the names at the right.
_NAMES = 280
_NOISE_SET = re.compile(r"seqcsist-noise sigma=(\d+(?:\.\d+)?)")
_MOST_NOISE = 5.0


@dataclass(frozen=True)
class Series:
    """A line of the overview over the noise of the frames: by noise in grey levels, the number of its best row."""

    line: MatrixLine
    points: Mapping[float, int]


def noise_series(tables: Mapping[str, Mapping[int, Entry]], lines: Sequence[MatrixLine]) -> list[Series]:
    """Return the lines that stand at all three noise levels of the overview, with what stands between them."""
    found = []
    for line in lines:
        if line.mean is None:
            continue
        points = {}
        for table, entries in tables.items():
            noise = _noise(table)
            numbers = _of(line, entries) if noise is not None else []
            if numbers and noise is not None:
                points[noise] = max(numbers, key=lambda number: entries[number].row.cso_map)
        found.append(Series(line, dict(sorted(points.items()))))
    return sorted(found, key=lambda series: -series.line.cells[list(NOISE_SETS)[-1]][0].cso_map)


def _noise(table: str) -> float | None:
    if table == SETS[NOISE_FREE]:
        return 0.0
    given = _NOISE_SET.fullmatch(table)
    return float(given[1]) if given and float(given[1]) <= _MOST_NOISE else None


def _of(line: MatrixLine, entries: Mapping[int, Entry]) -> list[int]:
    """Return the numbers of the rows of a line in a table."""
    alike = {
        entry.row: number
        for number, entry in entries.items()
        if (entry.label, entry.row.status, entry.row.prior_tier)
        == (line.name, line.first.status, line.first.prior_tier)
    }
    return [alike[row] for row in own_rankings(alike)]


def noise_chart(tables: Mapping[str, Mapping[int, Entry]], lines: Sequence[MatrixLine]) -> str:
    """Return the chart as an SVG element; nothing where no method stands at all three noise levels."""
    series = noise_series(tables, lines)
    if not series:
        return ""
    rows = {number: entry for entries in tables.values() for number, entry in entries.items()}
    heights = Heights.over([rows[number].row.cso_map for one in series for number in one.points.values()])
    said = f"CSO-mAP against noise, {len(series)} methods"
    ends = [heights.place(rows[one.points[_MOST_NOISE]].row.cso_map) for one in series]
    labels = spread(ends, 8, HEIGHT - BOTTOM + 10)
    parts = [*_axes(heights)]
    for index, (one, end, label) in enumerate(zip(series, ends, labels)):
        parts += _series(index, one, rows, heights)
        parts += _name(index, one, end, label)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{said}">\n' + "\n".join(parts) + "\n</svg>"


def _place(noise: float) -> float:
    return LEFT + 12 + noise / _MOST_NOISE * (WIDTH - _NAMES - LEFT - 12)


def _axes(heights: Heights) -> Iterator[str]:
    end, floor = WIDTH - _NAMES, heights.place(heights.low)
    for score in heights.marks:
        y = heights.place(score)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{end}"/>'
        yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{score}</text>'
    for noise in range(int(_MOST_NOISE) + 1):
        x = _place(noise)
        yield f'<path class="grid" d="M{x:.1f} {floor:.1f}v5"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{floor + 18:.1f}" text-anchor="middle">{noise}</text>'
    middle, across = (LEFT + end) / 2, (heights.place(100) + floor) / 2
    yield (
        f'<text class="axis" x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">read noise, grey levels</text>'
        f'<text class="axis" x="11" y="{across:.1f}" text-anchor="middle"'
        f' transform="rotate(-90 11 {across:.1f})">CSO-mAP, %</text>'
    )


def _series(index: int, one: Series, rows: Mapping[int, Entry], heights: Heights) -> Iterator[str]:
    places = [(_place(noise), heights.place(rows[n].row.cso_map), n) for noise, n in one.points.items()]
    path = "L".join(f"{x:.0f} {y:.1f}" for x, y, _ in places)
    look = f"{one.line.first.family} {'measured' if one.line.first.measured else 'published'}"
    first = next(iter(one.points.values()))
    yield f'<path class="curve {look}" data-r="{first}" data-line="{index}" d="M{path}"/>'
    dots = "".join(
        f'<circle data-r="{n}" data-line="{index}" cx="{x:.0f}" cy="{y:.0f}" r="{RADIUS - 1}">'
        f"<title>{escape(full_label(rows[n]))}: {score_text(rows[n].row.cso_map)}</title></circle>"
        for x, y, n in places
    )
    yield f'<g class="dots {look}">{dots}</g>'


def _name(index: int, one: Series, end: float, label: float) -> Iterator[str]:
    left = WIDTH - _NAMES + RADIUS + 2
    first = next(iter(one.points.values()))
    adapted = any(trained_there(row) for cells in one.line.cells.values() for row in cells)
    text = escape(one.line.name) + f" {ADAPTED}" * adapted + ", published" * (not one.line.first.measured)
    about = f'data-r="{first}" data-line="{index}"'
    yield f'<path class="lead" {about} d="M{left} {end:.1f}L{left + 14} {label:.1f}"/>'
    yield f'<text class="name" {about} x="{left + 18}" y="{label + 4:.1f}">{text}</text>'
