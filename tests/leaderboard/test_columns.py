"""The texts of cells."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard.columns import COLUMNS, PAGE_COLUMNS, TEXT_COLUMNS, Entry, count_text
from tests.helpers.rows import row


@pytest.mark.parametrize("value, text", [(None, ""), (0, "0"), (15840, "15.8 K"), (2.8e6, "2.8 M"), (3e9, "3 G")])
def test_counts_are_short(value, text):
    assert count_text(value) == text


def test_a_column_of_numbers_is_aligned_to_the_right_and_none_is_without_a_description():
    for column in COLUMNS:
        assert column.description
        assert column.places
        assert (column.value is None) == (column.align == "left") or column.title == "95 %"
    assert len({column.title for column in COLUMNS}) == len(COLUMNS)
    assert set(TEXT_COLUMNS) | set(PAGE_COLUMNS) == set(COLUMNS)


def test_the_text_of_a_cell_is_that_of_its_value():
    one = row(parameters=15840, frames_per_second=1234.5, training_minutes=None)
    cells = {column.title: column.text(Entry(one, "seqcsist", [one])) for column in COLUMNS}
    assert (cells["CSO-mAP"], cells["95 %"], cells["AP05"]) == ("60.00", "59.00 to 61.00", "20.00")
    assert (cells["parameters"], cells["frames/s"], cells["training"]) == ("15.8 K", "1,234", "")
    assert (cells["published"], cells["knows"], cells["tier"]) == ("", "B", "reproduced")
