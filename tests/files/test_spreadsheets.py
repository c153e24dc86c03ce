"""Formulas in text cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csist_bench.files.spreadsheets import guarded, unguarded


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "'=1", "''@a"])
def test_a_formula_is_marked(text):
    assert guarded(text) == "'" + text


@pytest.mark.parametrize("text", ["", "ISTA", "it's", "'quoted'", "-5", "+1.5e-3", "a=b"])
def test_numbers_and_other_text_stay(text):
    assert guarded(text) == text


@given(st.text(alphabet="'=+-@a1.e", max_size=6))
def test_reading_gives_back_what_was_written(text):
    assert unguarded(guarded(text)) == text
