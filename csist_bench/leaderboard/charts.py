"""Charts of the page: CSO-mAP against a cost, as inline SVG drawn here. Colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape as html_escape

from csist_bench.errors import printable
from csist_bench.leaderboard.columns import count_text, rate_text, row_label, score_text
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 14, 44
RADIUS = 5
# Width of a character of the 11 px labels, and the height of their line.
_CHARACTER, _LINE = 7.4, 13
# Room at the left of a logarithmic axis for rows whose cost is zero.
_ZERO_ROOM = 58
# Reference lines nearer than this (percent) share a label.
_MERGED = 1.5


# Left, top, right, bottom.
Box = tuple[float, float, float, float]


def escape(text: str) -> str:
    """Return a text for HTML: no markup, and no characters that change the order of others."""
    return html_escape(printable(text))


@dataclass(frozen=True)
class Cost:
    """What a chart's horizontal axis shows."""

    title: str
    value: Callable[[Row], float | None]
    text: Callable[[Row], str]


SPEED = Cost("frames/s", lambda row: row.frames_per_second, lambda row: f"{rate_text(row)} frames/s, {row.hardware}")
PARAMETERS = Cost(
    "parameters", lambda row: row.parameters, lambda row: f"{count_text(row.parameters)} parameters".strip()
)


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis over whole decades, with a place for zero at its left where it is needed."""

    low: int
    high: int
    has_zero: bool

    @classmethod
    def over(cls, values: Sequence[float]) -> Scale:
        """Return the decades that hold the values."""
        positive = [value for value in values if value > 0] or [1.0]
        low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
        return cls(low, max(high, low + 1), any(value <= 0 for value in values))

    def place(self, value: float) -> float:
        """Return the horizontal place of a value."""
        start = LEFT + (_ZERO_ROOM if self.has_zero else RADIUS)
        if value <= 0:
            return LEFT + _ZERO_ROOM / 3
        return start + (math.log10(value) - self.low) / (self.high - self.low) * (WIDTH - RIGHT - start)


def height_of(score: float) -> float:
    """Return the vertical place of a score in percent."""
    return TOP + (1 - score / 100) * (HEIGHT - TOP - BOTTOM)


def chart(rows: Sequence[Row], lines: Sequence[Line], cost: Cost, heading: str) -> str:
    """Return one chart as an SVG element; rows without a value of the cost are left out."""
    drawn = [row for row in rows if cost.value(row) is not None]
    scale = Scale.over([cost.value(row) or 0.0 for row in drawn])
    points = [(scale.place(cost.value(row) or 0.0), height_of(row.cso_map), row) for row in drawn]
    reference, taken = _reference(lines, points)
    dots = [_point(x, y, row, cost) for x, y, row in points]
    parts = [*_axes(scale, cost), *reference, *dots, *_labels(points, taken)]
    said = escape(f"{heading}: CSO-mAP against {cost.title}, {len(drawn)} rows")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">\n' + "\n".join(parts) + "\n</svg>"


def _axes(scale: Scale, cost: Cost) -> list[str]:
    parts = []
    for score in range(0, 101, 20):
        y = height_of(score)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{score}</text>')
    floor = height_of(0)
    step = max(1, math.ceil((scale.high - scale.low) / 8))
    marks = [(scale.place(10.0**power), _power_text(power)) for power in range(scale.low, scale.high + 1, step)]
    marks += [(scale.place(0), "none")] if scale.has_zero else []
    for x, text in marks:
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{floor:.1f}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{floor + 17:.1f}" text-anchor="middle">{text}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="axis" x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{cost.title}</text>')
    across = (TOP + floor) / 2
    turned = f'transform="rotate(-90 12 {across:.1f})"'
    parts.append(f'<text class="axis" x="12" y="{across:.1f}" text-anchor="middle" {turned}>CSO-mAP, %</text>')
    return parts


def _power_text(power: int) -> str:
    for least, letter in ((9, " G"), (6, " M"), (3, " K")):
        if power >= least:
            return f"{10 ** (power - least)}{letter}"
    return f"{10.0**power:g}"


def _reference(lines: Sequence[Line], points: Sequence[tuple[float, float, Row]]) -> tuple[list[str], list[Box]]:
    """Return the reference lines, those that lie together with one label, and the boxes of the labels."""
    parts, boxes = [], []
    for group in _together(lines):
        y = height_of(group[0].cso_map)
        parts.append(f'<line class="{group[0].kind}" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        text = _shared_label(group)
        box = _emptier_end(y, len(text) * _CHARACTER, points)
        boxes.append(box)
        parts.append(f'<text class="reference" x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{escape(text)}</text>')
    return parts, boxes


def _emptier_end(y: float, width: float, points: Sequence[tuple[float, float, Row]]) -> Box:
    """Return the place of a line's label: at its left or right end, above or below it, where it covers least."""
    places = [
        (left, top, left + width, top + _LINE)
        for top in (y - _LINE - 1, y + 1)
        for left in (WIDTH - RIGHT - width, LEFT + 4)
        if top >= 0
    ]
    dots = [(px - RADIUS, py - RADIUS, px + RADIUS, py + RADIUS) for px, py, _ in points]
    return min(places, key=lambda box: sum(_overlap(box, dot) for dot in dots))


def _together(lines: Sequence[Line]) -> list[list[Line]]:
    groups: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.kind, line.cso_map)):
        last = groups[-1][-1] if groups else None
        if last and last.kind == line.kind and line.cso_map - last.cso_map < _MERGED:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _shared_label(group: Sequence[Line]) -> str:
    if len(group) == 1:
        return f"{group[0].label}: {group[0].cso_map:.1f}"
    low, high = group[0].cso_map, group[-1].cso_map
    values = f"{low:.1f}" if high - low < 0.05 else f"{low:.1f} to {high:.1f}"
    name = "Cramer-Rao limits" if group[0].kind == "limit" else "ceilings"
    return f"{len(group)} {name}: {values}"


def _point(x: float, y: float, row: Row, cost: Cost) -> str:
    said = escape(f"{row_label(row)}, {row.status}: {score_text(row.cso_map)}; {cost.text(row)}")
    look = "measured" if row.measured else "published"
    return (
        f'<circle class="point {look} {row.family}" data-family="{row.family}" data-tier="{row.status}"'
        f' cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"><title>{said}</title></circle>'
    )


def _labels(points: Sequence[tuple[float, float, Row]], reserved: Sequence[Box]) -> list[str]:
    """Return names beside the points, best measured first, wherever one fits without covering another."""
    taken = [*reserved, *((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y, _ in points)]
    parts, named = [], set()
    for x, y, row in sorted(points, key=lambda point: (not point[2].measured, -point[2].cso_map)):
        if (row.method, row.measured) in named:
            continue
        box = _free_box(x, y, len(row.method) * _CHARACTER, taken)
        if box:
            named.add((row.method, row.measured))
            taken.append(box)
            about = f'data-family="{row.family}" data-tier="{row.status}"'
            text = escape(row.method)
            parts.append(f'<text class="name" {about} x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{text}</text>')
    return parts


def _free_box(x: float, y: float, width: float, taken: Sequence[Box]) -> Box | None:
    """Return the first free place for a label right of, left of, above or below a point."""
    gap, half = RADIUS + 3, _LINE / 2
    corners = (
        (x + gap, y - half), (x - gap - width, y - half), (x - width / 2, y - gap - _LINE), (x - width / 2, y + gap),
    )  # fmt: skip
    for left, top in corners:
        box = (left, top, left + width, top + _LINE)
        inside = left >= LEFT and box[2] <= WIDTH - RIGHT and top >= 0 and box[3] <= HEIGHT - BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            return box
    return None


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
