"""Rows of the leaderboard compared with one another, from what is kept of each trajectory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from csist_bench.conventions import AP_NAMES
from csist_bench.errors import InputError, must, show
from csist_bench.evaluation.comparison import Comparison, Contender, Difference, Pair, linear_difference
from csist_bench.leaderboard.naming import row_label
from csist_bench.leaderboard.rows import Row
from csist_bench.leaderboard.trajectories import Influence, kept_influence
from csist_bench.methods.registry import METHODS

CANDIDATES_SHOWN = 8
_UNKNOWN = float("nan")


def named_row(text: str, rows: Sequence[Row]) -> Row:
    """Return the one row of a table that a text names.

    The text begins with the method, as on the leaderboard or as the command line calls it, and goes on with whatever
    tells its rows apart: a setting (frames=5), the decoder, the ranking, the prior tier, "published". The beginning of
    the digest of the predictions, 8 digits or more, names a row too.

    Raises
    ------
    InputError
        If no row, or more than one, is meant; the candidates are listed.
    """
    if re.fullmatch(r"[0-9a-f]{8,64}", text):
        found = [row for row in rows if row.predictions_sha256.rpartition(":")[2].startswith(text)]
    else:
        found = [row for row in rows if _is_called(text, row)]
        plain = [row for row in found if not _extras(row) - set(_words(text))]
        found = plain if len(plain) == 1 else found
    if len(found) == 1:
        return found[0]
    candidates = "; ".join(full_name(row) for row in (found or rows)[:CANDIDATES_SHOWN])
    more = f"; and {len(found or rows) - CANDIDATES_SHOWN} more" if len(found or rows) > CANDIDATES_SHOWN else ""
    rule = "name one row of the table, by its method and whatever tells its rows apart"
    raise must(show(text), rule, f"{len(found) or 'none'}", f"the rows are: {candidates}{more}")


def full_name(row: Row) -> str:
    """Return a row's label with its decoder and tier, as `named_row` understands it."""
    known = row.decoder if row.measured else "published"
    return f"{row_label(row)}, {known}, {row.prior_tier}"


def _is_called(text: str, row: Row) -> bool:
    words = _words(text)
    registered = next((name for name, method in METHODS.items() if method.title == row.method), "")
    for name in (_words(row.method), [registered]):
        if name and words[: len(name)] == name:
            return set(words[len(name) :]) <= _all_words(row)
    return False


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,()]+", text.lower()) if word and word != "by"]


def _extras(row: Row) -> set[str]:
    """Return the words that depart from what goes without saying."""
    extras = set(_words(row.settings)) | ({row.rank} - {"score"})
    extras |= {"published"} if not row.measured else {row.decoder} - {"own", "grid"}
    return extras


def _all_words(row: Row) -> set[str]:
    known = {row.decoder, row.prior_tier.lower(), row.rank, row.status}
    return set(_words(full_name(row))) | known


def compare_rows(rows: Sequence[Row], leaderboard: str | Path) -> Comparison:
    """Compare rows of one data set with the first of them, to first order in the weights of the trajectories.

    Published rows stand beside the others without an interval.

    Raises
    ------
    InputError
        If there are fewer than two rows, if they are of different data, or if the influences of a measured one are not
        kept.
    """
    if len(rows) < 2:
        raise must("rows", "be at least two", len(rows))
    data = {(row.dataset, row.split) for row in rows}
    if len(data) > 1:
        raise must("rows", "be of one data set and split", sorted(" ".join(place) for place in data))
    kept = [_influence_of(row, leaderboard) for row in rows]
    contenders = tuple(_contender(row) for row in rows)
    pairs = tuple(
        Pair(full_name(rows[0]), full_name(row), _differences((rows[0], kept[0]), (row, influence)))
        for row, influence in zip(rows[1:], kept[1:])
    )
    basis = "infinitesimal jackknife over trajectories, as kept with the rows"
    return Comparison(contenders, pairs, f"{rows[0].dataset}, split {rows[0].split}", basis)


def _influence_of(row: Row, leaderboard: str | Path) -> Influence | None:
    if not row.measured:
        return None
    found = kept_influence(leaderboard, row)
    if found is None:
        raise InputError(
            f"{full_name(row)}: nothing is kept of its trajectories, so that it can't be compared; run and submit it"
            " again, or compare the prediction files themselves"
        )
    return found


def _contender(row: Row) -> Contender:
    low, high = row.cso_map_low, row.cso_map_high
    intervals = () if low is None or high is None else ((low, high),)
    return Contender(full_name(row), (row.cso_map, *row.aps), intervals, row.answers_per_frame, not row.measured)


def _differences(first: tuple[Row, Influence | None], second: tuple[Row, Influence | None]) -> tuple[Difference, ...]:
    scores = [(row.cso_map, *row.aps) for row, _ in (first, second)]
    values = list(zip(*scores))
    names = ("cso_map", *AP_NAMES)
    if first[1] is None or second[1] is None:
        return tuple(Difference(name, pair, _UNKNOWN, _UNKNOWN, _UNKNOWN) for name, pair in zip(names, values))
    if first[1].trajectories.tobytes() != second[1].trajectories.tobytes():
        raise must("rows", "be scored on the same trajectories", "different ones")
    shares = [
        (first[1].cso_map, second[1].cso_map),
        *zip(first[1].values, second[1].values),
    ]
    return tuple(linear_difference(name, pair, share) for name, pair, share in zip(names, values, shares))
