"""The texts of cells."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard.columns import count_text


@pytest.mark.parametrize("value, text", [(None, ""), (0, "0"), (15840, "15.8 K"), (2.8e6, "2.8 M"), (3e9, "3 G")])
def test_counts_are_short(value, text):
    assert count_text(value) == text
