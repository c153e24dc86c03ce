"""Rows of the leaderboard: types, the file, appending, and which stand."""

from __future__ import annotations

import contextlib
import csv
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.conventions import FAMILIES
from csist_bench.errors import InputError
from csist_bench.leaderboard import append_row, read_rows, standing
from csist_bench.leaderboard.rows import COLUMNS, FIRST_COLUMNS, Row, checked_row
from tests.helpers.rows import edited, row, written

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)


percents = st.floats(0, 100)


@settings(max_examples=100, deadline=None)
@given(
    note=texts,
    name=texts.filter(bool),
    scores=st.lists(percents, min_size=6, max_size=6),
    rate=st.none() | st.floats(1e-6, 1e12),
    seed=st.none() | st.integers(0, 2**40),
)
def test_a_row_is_read_back_as_it_was_written(tmp_path_factory, note, name, scores, rate, seed):
    path = tmp_path_factory.mktemp("rows") / "leaderboard.csv"
    names = ("cso_map", "ap05", "ap10", "ap15", "ap20", "ap25")
    one = row(method=name, note=note, frames_per_second=rate, seed=seed, **dict(zip(names, scores)))
    two = row(note="second")
    assert read_rows(written(path, one, two)) == [one, two]


def test_appending_keeps_the_earlier_lines_byte_for_byte(tmp_path):
    path = written(tmp_path / "leaderboard.csv", row(note='a, quoted "note"'))
    before = path.read_bytes()
    append_row(path, row(note="b"))
    assert path.read_bytes().startswith(before)
    assert [r.note for r in read_rows(path)] == ['a, quoted "note"', "b"]


def test_submissions_at_the_same_time_lose_no_row(tmp_path):
    path = tmp_path / "deep" / "leaderboard.csv"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: append_row(path, row(note=str(i))), range(24)))
    assert sorted(int(r.note) for r in read_rows(path)) == list(range(24))
    assert not list(path.parent.glob("*.partial"))


@pytest.mark.parametrize(
    "column, text, message",
    [
        ("cso_map", "many", "cso_map must be a number, got many"),
        ("cso_map", "100.1", "cso_map must be a number <= 100.0, got 100.1"),
        ("ap10", "nan", "ap10 must be a number >= 0.0, got nan"),
        ("ap10", "", "ap10 must be given, got nothing"),
        ("frames_per_second", "1e999", "frames_per_second must be a finite number, got 1e999"),
        ("seed", "1.5", "seed must be a whole number, got 1.5"),
        ("parameters", "-1", "parameters must be a whole number >= 0, got -1"),
        ("family", "magic", f"family must be one of {', '.join(FAMILIES)}, got magic"),
        ("tier", "published", "tier must be submitted or reproduced, got published"),
        ("dataset_fingerprint", "abc", "dataset_fingerprint must be sha256: and 64 hexadecimal digits, got abc"),
        ("dataset_fingerprint", "", "dataset_fingerprint must be given for a measured row, got nothing"),
        ("predictions_sha256", "", "predictions_sha256 must be given for a measured row, got nothing"),
        ("paper", "javascript:alert(1)", "paper must be a link that starts with http:// or https://"),
        ("date", "2026-02-30", "date must be a day as YYYY-MM-DD, got 2026-02-30"),
        ("cso_map_low", "", "cso_map_low and cso_map_high must be given together"),
        ("gospa", "0.1", "gospa, gospa_localisation, gospa_missed and gospa_false must be given together"),
        ("id_switches", "1.5", "id_switches must be a whole number, got 1.5"),
        ("hota", "101", "hota must be a number <= 100.0, got 101"),
        ("answers_per_frame", "-1", "answers_per_frame must be a number >= 0.0, got -1"),
    ],
)
def test_an_invalid_row_names_its_line_and_column(tmp_path, column, text, message):
    path = written(tmp_path / "leaderboard.csv", row(), row(note="b"))
    edited(path, 3, column, text)
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}:3: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "must begin with a line of column names (method, family, dataset, ...)"),
        (b"method,score\n", "columns must be those of the leaderboard"),
        (b"\xff\xfe\x00", "not a text file"),
        ((",".join(reversed(COLUMNS)) + "\n").encode(), "they are in another order"),
        ((",".join(COLUMNS) + "\na,b\n").encode(), f":2: row must have {len(COLUMNS)} cells, got 2"),
        ((",".join(COLUMNS) + '\n"a').encode(), "line 2: a quote is not closed"),
    ],
)
def test_a_file_that_is_no_leaderboard_is_one_clear_error(tmp_path, content, message):
    path = tmp_path / "leaderboard.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert message in str(caught.value)


def test_a_missing_leaderboard_says_how_to_make_it(tmp_path):
    with pytest.raises(InputError, match="not found; csist-bench submit makes it"):
        read_rows(tmp_path / "none.csv")
    assert read_rows(tmp_path / "none.csv", missing_ok=True) == []


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300) | texts.map(lambda t: (",".join(COLUMNS) + "\n" + t).encode()))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "leaderboard.csv"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert all(isinstance(r, Row) for r in read_rows(path))


def test_control_characters_cannot_enter_a_row():
    with pytest.raises(InputError, match="note must be one line of text"):
        row(note="two\nlines")


def test_standing_rows_are_those_that_no_later_row_supersedes():
    old, other = row(note="old"), row(note="other", method="BID", family="traditional")
    by_brightness = checked_row({**old.values(), "rank": "brightness", "note": "same file, other ranking"}, "row")
    new = row(note="new", supersedes=old.predictions_sha256)
    assert standing([old, other, by_brightness, new]) == [other, by_brightness, new]


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-a", "@SUM(A1)", "'=x", " leading", "-5"])
def test_a_formula_is_marked_in_the_file_and_read_back_as_it_was(tmp_path, text):
    path = written(tmp_path / "leaderboard.csv", row(note=text, cso_map_low=None, cso_map_high=None))
    assert read_rows(path)[0].note == text
    cells = path.read_text().splitlines()[1].split(",")
    assert not any(cell.startswith(("=", "+", "@")) for cell in cells)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_spreadsheet_may_have_saved_the_table(tmp_path, encoding, delimiter):
    path = written(tmp_path / "leaderboard.csv", row(), row(note="b"))
    true, text = read_rows(path), path.read_text()
    if delimiter == ";":
        cells = [line.split(",") for line in text.splitlines()]
        text = "\r\n".join(delimiter.join(re.sub(r"^(\d+)\.(\d+)$", r"\1,\2", cell) for cell in line) for line in cells)
    path.write_bytes(text.encode(encoding))
    kept = read_rows(path)
    assert [r.cso_map for r in kept] == [r.cso_map for r in true]
    assert kept[1].note == "b"


def _narrowed(path, columns):
    """Cut a leaderboard file down to its first columns."""
    with path.open(newline="") as file:
        table = [line[:columns] for line in csv.reader(file)]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)


def test_the_columns_of_evaluator_1_1_stand_at_the_end():
    assert COLUMNS[len(FIRST_COLUMNS) :] == (
        "answers_per_frame", "cso_f1", "gospa", "gospa_localisation", "gospa_missed", "gospa_false", "hota", "idf1",
        "ospa2", "id_switches",
    )  # fmt: skip
    assert FIRST_COLUMNS[-1] == "supersedes"


@pytest.mark.parametrize("more", [0, 1, 9])
def test_a_table_from_before_the_newer_columns_is_read_and_gets_them_with_the_next_row(tmp_path, more):
    path = written(tmp_path / "leaderboard.csv", row(note="old"))
    _narrowed(path, len(FIRST_COLUMNS) + more)
    assert read_rows(path) == [row(note="old")]
    append_row(path, row(note="new", cso_f1=55.0))
    assert [(r.note, r.cso_f1) for r in read_rows(path)] == [("old", None), ("new", 55.0)]
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)


def test_a_table_without_an_older_column_is_refused(tmp_path):
    path = written(tmp_path / "leaderboard.csv", row())
    _narrowed(path, len(FIRST_COLUMNS) - 1)
    with pytest.raises(InputError, match="missing supersedes"):
        read_rows(path)
