import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.errors import (
    OFFENDERS_SHOWN,
    VALUE_LENGTH,
    InputError,
    must,
    offenders,
    printable,
    require_finite,
    require_shape,
    show,
    unknown,
)


def test_an_error_names_the_rule_the_value_and_the_remedy():
    assert str(must("c", "be odd", 4)) == "c must be odd, got 4"
    assert str(must("--part", "be i/n", "5-4", "for example 3/16")) == "--part must be i/n, got 5-4; for example 3/16"
    assert isinstance(must("c", "be odd", 4), ValueError)


@given(st.one_of(st.text(), st.lists(st.integers()), st.binary(), st.floats()))
@settings(max_examples=100, deadline=None)
def test_a_shown_value_is_one_short_line(value):
    shown = show(value)
    assert len(shown) <= VALUE_LENGTH
    assert len(shown.splitlines()) <= 1


def test_long_values_are_cut_and_short_ones_kept():
    assert show("a\n b\t c") == "a b c"
    assert show((1, 2)) == "(1, 2)"
    assert show("x" * VALUE_LENGTH) == "x" * VALUE_LENGTH
    assert show("x" * (VALUE_LENGTH + 1)) == "x" * (VALUE_LENGTH - 3) + "..."


def test_a_mistyped_name_is_answered_with_the_nearest_or_with_all():
    known = ["ista", "ista-net", "bid"]
    assert str(unknown("method", "istanet", known)) == "unknown method 'istanet'; did you mean 'ista-net'?"
    assert str(unknown("method", "ISTA-NET", known)) == "unknown method 'ISTA-NET'; did you mean 'ista-net'?"
    assert str(unknown("method", "zzz", known)) == "unknown method 'zzz'; choose one of: bid, ista, ista-net"
    assert str(unknown("split", "test", [])) == "unknown split 'test'; choose one of: "


@pytest.mark.parametrize(
    ("total", "ending"), [(1, "row 0"), (5, "row 4"), (6, "row 4 and 1 more"), (90, " and 85 more")]
)
def test_the_first_five_offenders_are_listed_and_the_rest_counted(total, ending):
    message = str(offenders("p.csv", "x must be finite", [f"row {i}" for i in range(total)], total))
    assert message.startswith("p.csv: x must be finite; offending: row 0")
    assert message.endswith(ending)
    assert message.count("row ") == min(total, OFFENDERS_SHOWN)


def test_shapes_are_compared_axis_by_axis():
    frames = np.zeros((2, 3, 11, 11))
    require_shape("frames", frames, (None, None, 11, 11), "(B, T, H, W)")
    require_shape("frames", frames, (2, 3, 11, 11), "(B, T, H, W)")
    for wanted in ((None, None, 11, 12), (None, 11, 11), (3, None, 11, 11)):
        with pytest.raises(InputError, match=r"frames must have shape \(B, T, H, W\) = .*, got \(2, 3, 11, 11\)"):
            require_shape("frames", frames, wanted, "(B, T, H, W)")
    with pytest.raises(InputError, match=r"= \(any, any, 11, 12\)"):
        require_shape("frames", frames, (None, None, 11, 12), "(B, T, H, W)")


def test_the_first_value_that_is_not_finite_is_named_and_the_rest_counted():
    frames = np.zeros((2, 3))
    require_finite("frames", frames)
    require_finite("frames", frames[:0])
    frames[1, 0], frames[1, 2] = np.inf, np.nan
    with pytest.raises(
        InputError, match=r"frames must be finite everywhere, got inf at index \(1, 0\) \(2 such values\)"
    ):
        require_finite("frames", frames)


def test_what_a_terminal_acts_on_is_escaped():
    hostile = "a\x1b[31m\u202eb\x7f\x9b\u2066\u200f\udc80"
    for text in (printable(hostile), show(hostile), str(InputError(hostile)), str(must("x", "be y", hostile))):
        assert text.isprintable(), repr(text)
        assert "\\x1b[31m" in text
    assert printable("line\n\tµ 集 é") == "line\n\tµ 集 é"
