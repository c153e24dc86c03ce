"""The columns of the leaderboard, each written once: for the terminal, for Markdown and for the HTML page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from csist_bench.conventions import AP_NAMES
from csist_bench.leaderboard.rows import Row


@dataclass(frozen=True)
class Entry:
    """A row in its place: the table that it stands in, and all rows of that table."""

    row: Row
    table: str
    rows: Sequence[Row]

    @property
    def published(self) -> float | None:
        """The published CSO-mAP of a measured row's method, among the rows of its table."""
        if not self.row.measured:
            return None
        of_method = (other for other in self.rows if other.method == self.row.method)
        return next((other.cso_map for other in of_method if not other.measured), None)


@dataclass(frozen=True)
class Column:
    """One column. A column of numbers has the `value` that its cells are sorted by, and is aligned to the right.

    `emphasis` is the Markdown mark of a cell; `places` says where the column is shown: in text (terminal and Markdown),
    on the page, or in both.
    """

    title: str
    description: str
    text: Callable[[Entry], str]
    value: Callable[[Entry], float | None] | None = None
    align: Literal["left", "right"] = "left"
    emphasis: Callable[[Row], str] = lambda row: ""
    places: tuple[str, ...] = ("text", "page")

    @property
    def heading(self) -> str:
        """The title as it begins a column of the page."""
        return self.title[0].upper() + self.title[1:]


def _number(
    title: str,
    description: str,
    value: Callable[[Entry], float | None],
    text: Callable[[Entry], str],
    emphasis: Callable[[Row], str] = lambda row: "",
    places: tuple[str, ...] = ("text", "page"),
) -> Column:
    return Column(title, description, text, value, "right", emphasis, places)


def _average_precision(name: str) -> Column:
    return _number(
        name.upper(),
        f"Average precision within 0.{name[2:]} px, percent",
        lambda entry: float(getattr(entry.row, name)),
        lambda entry: score_text(getattr(entry.row, name)),
    )


def _beside(name: str, title: str, description: str, digits: int, places: tuple[str, ...] = ("text", "page")) -> Column:
    return _number(
        title,
        description,
        lambda entry: getattr(entry.row, name),
        lambda entry: figure_text(getattr(entry.row, name), digits),
        places=places,
    )


# --- texts ----------------------------------------------------------------------------------------------------------


def row_label(row: Row) -> str:
    """Return the method with whatever tells its rows apart."""
    details = [row.settings] if row.settings else []
    details += [f"by {row.rank}"] if row.rank != "score" else []
    details += [f"seed {row.seed}"] if row.seed else []
    details += [f"data seed {row.data_seed}"] if row.data_seed else []
    return row.method + (f" ({', '.join(details)})" if details else "")


def score_text(value: float | None) -> str:
    """Return a score in percent with the protocol's two decimals."""
    return "" if value is None else f"{value:.2f}"


def figure_text(value: float | None, digits: int) -> str:
    """Return a figure that stands beside the score; a dash where it is not known."""
    return "-" if value is None else f"{value:.{digits}f}"


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


COLUMNS = (
    Column("method", "Method, and whatever tells its rows apart", lambda entry: row_label(entry.row)),
    Column("data set", "Data recipe and what departs from it", lambda entry: entry.table, places=("page",)),
    Column("family", "Family of methods", lambda entry: entry.row.family),
    Column(
        "tier",
        "Where the figure comes from",
        lambda entry: entry.row.status,
        emphasis=lambda row: "" if row.measured else "*",
    ),
    Column("knows", "What the method knows of the scene, A to D", lambda entry: entry.row.prior_tier),
    Column(
        "decoder",
        "How a heat map becomes detections",
        lambda entry: entry.row.decoder if entry.row.measured else "",
    ),
    _number(
        "CSO-mAP",
        "Mean of AP05 to AP25, percent, with its 95 % interval",
        lambda entry: entry.row.cso_map,
        lambda entry: score_text(entry.row.cso_map),
        emphasis=lambda row: "**" if row.measured else "",
    ),
    Column(
        "95 %",
        "95 % interval of CSO-mAP",
        lambda entry: interval_text(entry.row),
        align="right",
        places=("text",),
    ),
    _number(
        "published",
        "The paper's CSO-mAP of the same method on the same data",
        lambda entry: entry.published,
        lambda entry: score_text(entry.published),
    ),
    *map(_average_precision, AP_NAMES),
    _beside("answers_per_frame", "answers/frame", "Detections in scored frames, by scored frames", 2),
    _beside("cso_f1", "CSO-F1", "Mean F1 at 0.05 to 0.25 px at one score threshold, the best; percent", 2),
    _beside("gospa", "GOSPA", "Mean GOSPA of a frame (c = 0.25 px, p = 2, alpha = 2), px", 4),
    _beside("gospa_localisation", "GOSPA, localisation", "Share of pairs' distances in GOSPA, px", 4, ("page",)),
    _beside("gospa_missed", "GOSPA, missed", "Share of missed targets in GOSPA, px", 4, ("page",)),
    _beside("gospa_false", "GOSPA, false", "Share of false answers in GOSPA, px", 4, ("page",)),
    _beside("hota", "HOTA", "Higher order tracking accuracy, percent", 2, ("page",)),
    _beside("idf1", "IDF1", "F1 of identities, percent", 2, ("page",)),
    _beside("ospa2", "OSPA(2)", "Distance of sets of tracks, px", 4, ("page",)),
    _beside("id_switches", "switches", "Identity switches", 0, ("page",)),
    _number(
        "parameters",
        "Number of parameters",
        lambda entry: entry.row.parameters,
        lambda entry: count_text(entry.row.parameters),
    ),
    _number(
        "MACs",
        "Multiply-accumulates per frame",
        lambda entry: entry.row.macs_per_frame,
        lambda entry: count_text(entry.row.macs_per_frame),
        places=("page",),
    ),
    _number(
        "frames/s",
        "Frames per second on the hardware named in the row's details",
        lambda entry: entry.row.frames_per_second,
        lambda entry: rate_text(entry.row),
    ),
    _number(
        "training",
        "Minutes of training",
        lambda entry: entry.row.training_minutes,
        lambda entry: _training_text(entry.row),
        places=("page",),
    ),
    Column("date", "Day of the submission", lambda entry: entry.row.date, places=("page",)),
)
TEXT_COLUMNS = tuple(column for column in COLUMNS if "text" in column.places)
PAGE_COLUMNS = tuple(column for column in COLUMNS if "page" in column.places)
