"""The texts of cells."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard.board import Entry
from csist_bench.leaderboard.columns import CHOICE_COLUMNS, COLUMNS, DASH, PAGE_COLUMNS, TEXT_COLUMNS, count_text
from tests.helpers.rows import row


@pytest.mark.parametrize("value, text", [(None, ""), (0, "0"), (15840, "15.8 K"), (2.8e6, "2.8 M"), (3e9, "3 G")])
def test_counts_are_short(value, text):
    assert count_text(value) == text


def test_every_column_has_a_description_and_numbers_are_known():
    for column in COLUMNS:
        assert column.description
        assert column.places
    texts = {column.title for column in COLUMNS if not column.number}
    assert texts == {"method", "tier", "knows", "decoder", "family", "date"}
    assert {"rank", "GOSPA", "OSPA(2)", "switches"} < {column.title for column in COLUMNS if column.best == "low"}
    assert len({column.title for column in COLUMNS}) == len(COLUMNS)
    assert {*TEXT_COLUMNS, *PAGE_COLUMNS, *CHOICE_COLUMNS} == set(COLUMNS)
    assert not set(PAGE_COLUMNS) & set(CHOICE_COLUMNS)


def test_the_method_and_its_score_come_first_and_are_kept_longest():
    for columns in (TEXT_COLUMNS, PAGE_COLUMNS):
        assert [column.title for column in columns[:2]] == ["method", "CSO-mAP"]
    assert [column.title for column in sorted(TEXT_COLUMNS, key=lambda c: -c.keep)[:2]] == ["method", "CSO-mAP"]


def test_the_text_of_a_cell_is_that_of_its_value():
    one = row(parameters=15840, frames_per_second=1234.5, training_minutes=None)
    entry = Entry(one, "seqcsist", [one], "ML, so", 3)
    cells = {column.title: column.text(entry) for column in COLUMNS}
    assert (cells["method"], cells["rank"]) == ("ML, so", "3")
    assert (cells["CSO-mAP"], cells["95 %"], cells["AP05"]) == ("60.00", "59.00 to 61.00", "20.00")
    assert (cells["parameters"], cells["frames/s"], cells["training"]) == ("15.8 K", "1,234", "")
    assert (cells["published"], cells["knows"], cells["tier"]) == ("", "B", "reproduced")


def test_what_is_not_known_is_a_dash():
    one = row(parameters=None)
    shown = {column.title: column.shown(Entry(one, "seqcsist", [one])) for column in COLUMNS}
    assert shown["parameters"] == shown["rank"] == shown["published"] == DASH
