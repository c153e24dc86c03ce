"""The columns of the leaderboard, each written once: for the terminal, for Markdown and for the HTML page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from csist_bench.conventions import AP_NAMES
from csist_bench.leaderboard.board import Entry
from csist_bench.leaderboard.rows import Row

# Where a column is shown: in text (terminal and Markdown), on the page, and on the page by choice.
Place = Literal["text", "page", "choice"]
DASH = "–"


@dataclass(frozen=True)
class Column:
    """One column. Those of numbers are aligned to the right, and sorted from the best: the highest, mostly.

    `keep` says how long a terminal keeps the column: the narrower it is, the greater a column's number must be.
    `emphasis` is the Markdown mark of a cell. An empty text is shown as a dash.
    """

    title: str
    description: str
    text: Callable[[Entry], str]
    number: bool = False
    best: Literal["high", "low"] = "high"
    emphasis: Callable[[Row], str] = lambda row: ""
    places: tuple[Place, ...] = ("text", "page")
    keep: int = 0

    @property
    def heading(self) -> str:
        """The title as it begins a column of the page."""
        return self.title[0].upper() + self.title[1:]

    def shown(self, entry: Entry) -> str:
        """Return the cell's text, a dash where there is none."""
        return self.text(entry) or DASH


def _number(title: str, description: str, text: Callable[[Entry], str], **more: Any) -> Column:
    return Column(title, description, text, number=True, **more)


def _average_precision(name: str) -> Column:
    description = f"Average precision within 0.{name[2:]} px, percent"
    return _number(name.upper(), description, lambda entry: score_text(getattr(entry.row, name)), keep=40)


def _beside(name: str, title: str, description: str, digits: int, **more: Any) -> Column:
    return _number(title, description, lambda entry: figure_text(getattr(entry.row, name), digits), **more)


# --- texts ----------------------------------------------------------------------------------------------------------


def score_text(value: float | None) -> str:
    """Return a score in percent with the protocol's two decimals."""
    return "" if value is None else f"{value:.2f}"


def figure_text(value: float | None, digits: int) -> str:
    """Return a figure that stands beside the score."""
    return "" if value is None else f"{value:.{digits}f}"


def interval_text(row: Row) -> str:
    """Return the 95 % interval of CSO-mAP."""
    low, high = row.cso_map_low, row.cso_map_high
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def count_text(value: float | None) -> str:
    """Return a number of parameters or operations with its multiple: 22730 -> 22.7 K."""
    if value is None:
        return ""
    for multiple, letter in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= multiple:
            return f"{value / multiple:.3g} {letter}"
    return f"{value:g}"


def rate_text(row: Row) -> str:
    """Return frames per second."""
    rate = row.frames_per_second
    return "" if rate is None else f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _training_text(row: Row) -> str:
    return "" if row.training_minutes is None else f"{row.training_minutes:,.0f} min"


_CHOICE: tuple[Place, ...] = ("choice",)
_LESS: dict[str, Any] = {"best": "low", "places": _CHOICE}
COLUMNS = (
    Column(
        "method",
        "Method and variant; its settings to the letter stand in the row's details",
        lambda entry: entry.label,
        keep=100,
    ),
    _number(
        "CSO-mAP",
        "Mean of AP05 to AP25, percent",
        lambda entry: score_text(entry.row.cso_map),
        emphasis=lambda row: "**" if row.measured else "",
        keep=99,
    ),
    _number(
        "95 %",
        "Bootstrap interval of CSO-mAP over trajectories",
        lambda entry: interval_text(entry.row),
        keep=60,
    ),
    _number(
        "rank",
        "1 + the number of rows of this table that are significantly better (5 %, Holm); a dash where it is not known",
        lambda entry: "" if entry.rank is None else str(entry.rank),
        best="low",
        keep=90,
    ),
    _beside(
        "cso_f1",
        "CSO-F1",
        "Mean F1 at 0.05 to 0.25 px at one score threshold, the best, percent: extra answers can't raise it",
        2,
        keep=72,
    ),
    _beside("answers_per_frame", "answers", "Answers per scored frame; CSO-mAP pays for more of them", 2, keep=71),
    Column(
        "tier",
        "Where the figure comes from",
        lambda entry: entry.row.status,
        emphasis=lambda row: "" if row.measured else "*",
        places=("text", "choice"),
        keep=55,
    ),
    Column("knows", "What the method was told of the scenes, from A to D", lambda entry: entry.row.prior_tier, keep=70),
    Column(
        "decoder",
        "How a heat map becomes detections: the nodes of the grid, or a fit that starts from them (polish); own: the"
        " method answers positions itself",
        lambda entry: entry.row.decoder if entry.row.measured else "",
        keep=75,
    ),
    *map(_average_precision, AP_NAMES),
    _beside("gospa", "GOSPA", "Mean GOSPA of a frame (c = 0.25 px, p = 2, alpha = 2), px", 4, **_LESS),
    _beside("gospa_localisation", "GOSPA, localisation", "Share of pairs' distances in GOSPA, px", 4, **_LESS),
    _beside("gospa_missed", "GOSPA, missed", "Share of missed targets in GOSPA, px", 4, **_LESS),
    _beside("gospa_false", "GOSPA, false", "Share of false answers in GOSPA, px", 4, **_LESS),
    _beside("hota", "HOTA", "Higher order tracking accuracy, percent", 2, places=_CHOICE),
    _beside("idf1", "IDF1", "F1 of identities, percent", 2, places=_CHOICE),
    _beside("ospa2", "OSPA(2)", "Distance of sets of tracks, px", 4, **_LESS),
    _beside("id_switches", "switches", "Identity switches", 0, **_LESS),
    _number(
        "published",
        "The paper's CSO-mAP of the same method on the same data",
        lambda entry: score_text(entry.published),
        places=("text", "choice"),
        keep=50,
    ),
    _number(
        "parameters",
        "Number of parameters",
        lambda entry: count_text(entry.row.parameters),
        keep=20,
    ),
    _number(
        "frames/s",
        "Frames per second on the hardware named in the row's details",
        lambda entry: rate_text(entry.row),
        keep=30,
    ),
    Column("family", "Family of methods", lambda entry: entry.row.family, places=("text", "choice"), keep=10),
    _number(
        "MACs",
        "Multiply-accumulates per frame",
        lambda entry: count_text(entry.row.macs_per_frame),
        places=("choice",),
    ),
    _number(
        "training",
        "Minutes of training",
        lambda entry: _training_text(entry.row),
        places=("choice",),
    ),
    Column("date", "Day of the submission", lambda entry: entry.row.date, places=("choice",)),
)
TEXT_COLUMNS = tuple(column for column in COLUMNS if "text" in column.places)
PAGE_COLUMNS = tuple(column for column in COLUMNS if "page" in column.places)
CHOICE_COLUMNS = tuple(column for column in COLUMNS if "choice" in column.places)
