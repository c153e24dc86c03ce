"""Charts of the page: CSO-mAP against a cost, as inline SVG drawn here. Colours come from the page's style sheet.

Reference lines end in a number at the right, and a list beneath the chart says what each is; so any number of lines
fits, and no text lies over a line. A point that has no room for its name is named by hover and by keyboard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape as html_escape

from csist_bench.errors import printable
from csist_bench.leaderboard.board import Entry
from csist_bench.leaderboard.columns import score_text
from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import Row

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 44, 34, 12, 44
RADIUS = 5
# Width of a character of the 11 px labels, and the height of their line.
_CHARACTER, _LINE = 6.9, 13
# Room at the left of a logarithmic axis for rows whose cost is zero.
_ZERO_ROOM = 64
# Least distance of two numbers at the ends of reference lines.
_NUMBER = 12
# The axis of scores begins at a multiple of this, percent, and spans at least four.
_STEP = 10

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


SPEED = Cost("frames/s", lambda row: row.frames_per_second)
PARAMETERS = Cost("parameters", lambda row: row.parameters)


@dataclass(frozen=True)
class Point:
    """A row in a chart: its number on the page, and where it is drawn."""

    number: int
    entry: Entry
    x: float
    y: float

    @property
    def box(self) -> Box:
        """What the dot covers."""
        return self.x - RADIUS, self.y - RADIUS, self.x + RADIUS, self.y + RADIUS

    @property
    def look(self) -> str:
        """The classes of the dot: its family, and whether it was measured."""
        row = self.entry.row
        return f"{row.family} {'measured' if row.measured else 'published'}"


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
        start = LEFT + (_ZERO_ROOM if self.has_zero else 2 * RADIUS)
        if value <= 0:
            return LEFT + _ZERO_ROOM / 2
        return start + (math.log10(value) - self.low) / (self.high - self.low) * (WIDTH - RIGHT - 2 * RADIUS - start)


@dataclass(frozen=True)
class Heights:
    """The axis of scores, percent: from a multiple of 10, at most 60, to 100."""

    low: int

    @classmethod
    def over(cls, scores: Sequence[float]) -> Heights:
        """Return the axis that holds the scores."""
        return cls(min(100 - 4 * _STEP, int(min(scores, default=0) // _STEP) * _STEP))

    def place(self, score: float) -> float:
        """Return the vertical place of a score."""
        return TOP + (100 - score) / (100 - self.low) * (HEIGHT - TOP - BOTTOM)

    @property
    def marks(self) -> range:
        """The scores that are marked: every tenth, or every twentieth of a long axis."""
        step = _STEP if self.low >= 100 - 6 * _STEP else 2 * _STEP
        return range(-(-self.low // step) * step, 101, step)


def chart(entries: dict[int, Entry], lines: Sequence[Line], cost: Cost, heading: str) -> str:
    """Return one chart as an SVG element, of rows by their number on the page; rows without the cost are left out."""
    drawn = {number: value for number, entry in entries.items() if (value := cost.value(entry.row)) is not None}
    scale = Scale.over(list(drawn.values()))
    heights = Heights.over([*(entries[number].row.cso_map for number in drawn), *(line.cso_map for line in lines)])
    points = [
        Point(number, entries[number], scale.place(value), heights.place(entries[number].row.cso_map))
        for number, value in drawn.items()
    ]
    said = escape(f"{heading}: CSO-mAP against {cost.title}, {len(drawn)} rows")
    parts = [*_axes(scale, heights, cost), *_reference(lines, heights), *_dots(points)]
    parts += _names(points, [heights.place(line.cso_map) for line in lines], heights)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{said}">\n' + "\n".join(parts) + "\n</svg>"


def line_list(lines: Sequence[Line]) -> str:
    """Return what the numbers at the ends of the reference lines mean, as a list; nothing where there is no line."""
    items = "".join(
        f'<li value="{number}"><span class="stroke {line.kind}"></span>{escape(line.label)}: {_value(line)}</li>'
        for number, line in enumerate(_sorted(lines), start=1)
    )
    return f'<ol class="lines">{items}</ol>' if items else ""


def _value(line: Line) -> str:
    return line.value_text.replace("+-", "±")


def _sorted(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.cso_map, line.label))


def _axes(scale: Scale, heights: Heights, cost: Cost) -> Iterator[str]:
    for score in heights.marks:
        y = heights.place(score)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{score}</text>'
    floor = heights.place(heights.low)
    step = max(1, math.ceil((scale.high - scale.low) / 8))
    marks = [(scale.place(10.0**power), _power_text(power)) for power in range(scale.low, scale.high + 1, step)]
    marks += [(scale.place(0), "none")] if scale.has_zero else []
    for x, text in marks:
        yield f'<path class="grid" d="M{x:.1f} {floor:.1f}v5"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{floor + 18:.1f}" text-anchor="middle">{text}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="axis" x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{cost.title}</text>'
    across = (TOP + floor) / 2
    turned = f'transform="rotate(-90 11 {across:.1f})"'
    yield f'<text class="axis" x="11" y="{across:.1f}" text-anchor="middle" {turned}>CSO-mAP, %</text>'


def _power_text(power: int) -> str:
    for least, letter in ((9, " G"), (6, " M"), (3, " K")):
        if power >= least:
            return f"{10 ** (power - least)}{letter}"
    return f"{10.0**power:g}"


def _reference(lines: Sequence[Line], heights: Heights) -> Iterator[str]:
    """Yield the reference lines, each with its number at the right; numbers of near lines are moved apart."""
    ordered = _sorted(lines)
    ys = [heights.place(line.cso_map) for line in ordered]
    end = WIDTH - RIGHT
    for number, (line, y, at) in enumerate(zip(ordered, ys, spread(ys, TOP, HEIGHT - BOTTOM)), start=1):
        yield f'<path class="{line.kind}" d="M{LEFT} {y:.1f}H{end}"/>'
        yield f'<path class="lead" d="M{end} {y:.1f}L{end + 12} {at:.1f}"/>'
        yield f'<text class="tick" x="{end + 15}" y="{at + 4:.1f}">{number}</text>'


def spread(places: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return ascending places moved apart to the distance of two numbers, within top and bottom where they fit."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, top, moved[-1] + _NUMBER if moved else top))
    limit = max(bottom, top + _NUMBER * (len(moved) - 1))
    for index in range(len(moved) - 1, -1, -1):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - _NUMBER
    return moved


def _dots(points: Sequence[Point]) -> Iterator[str]:
    """Yield the dots in groups of one look."""
    for look in dict.fromkeys(point.look for point in points):
        dots = "".join(_dot(point) for point in points if point.look == look)
        yield f'<g class="dots {look}">{dots}</g>'


def _dot(point: Point) -> str:
    said = escape(f"{full_label(point.entry)}: {score_text(point.entry.row.cso_map)}")
    return (
        f'<circle data-r="{point.number}" cx="{point.x:.0f}" cy="{point.y:.0f}" r="{RADIUS}">'
        f"<title>{said}</title></circle>"
    )


def full_label(entry: Entry) -> str:
    """Return a row's name with its decoder, or that it was published."""
    return f"{entry.label}, {entry.row.decoder if entry.row.measured else 'published'}"


def _names(points: Sequence[Point], lines: Sequence[float], heights: Heights) -> Iterator[str]:
    """Yield names beside points wherever one covers no dot, no line and no other name.

    The best row of each method comes first, measured ones before published ones, then its other variants.
    """
    across = [*lines, *map(heights.place, heights.marks)]
    taken = [(LEFT, y - 1, WIDTH - RIGHT, y + 1) for y in across] + [point.box for point in points]
    best_first = sorted(points, key=lambda point: (not point.entry.row.measured, -point.entry.row.cso_map))
    named: set[tuple[str, bool]] = set()
    for of_method in (True, False):
        for point in best_first:
            row = point.entry.row
            name = (row.method if of_method else point.entry.label, row.measured)
            if name in named or (point.entry.label, row.measured) in named:
                continue
            found = _free_box(point, len(point.entry.label) * _CHARACTER, taken)
            if found:
                named |= {name, (point.entry.label, row.measured)}
                taken.append(found[0])
                yield _name(point, *found)


def _name(point: Point, box: Box, anchor: str) -> str:
    x = {"": box[0], " end": box[2], " middle": (box[0] + box[2]) / 2}[anchor]
    text = escape(point.entry.label)
    return f'<text class="name{anchor}" data-r="{point.number}" x="{x:.0f}" y="{box[3] - 3:.0f}">{text}</text>'


def _free_box(point: Point, width: float, taken: Sequence[Box]) -> tuple[Box, str] | None:
    """Return the first free place for a name around a point, and the end of the name that is nearest to it."""
    x, y, gap, half = point.x, point.y, RADIUS + 2, _LINE / 2
    corners = (
        (x + gap, y - half, ""), (x - gap - width, y - half, " end"),
        (x - width / 2, y - gap - _LINE, " middle"), (x - width / 2, y + gap, " middle"),
        (x + gap - 3, y + 2, ""), (x + gap - 3, y - _LINE - 2, ""),
        (x - gap + 3 - width, y + 2, " end"), (x - gap + 3 - width, y - _LINE - 2, " end"),
    )  # fmt: skip
    for left, top, anchor in corners:
        box = (left, top, left + width, top + _LINE)
        inside = left >= LEFT + 2 and box[2] <= WIDTH - RIGHT and top >= 0 and box[3] <= HEIGHT - BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            return box, anchor
    return None


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
