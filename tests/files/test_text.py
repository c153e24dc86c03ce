"""Encodings and lines."""

from __future__ import annotations

import pytest

from csist_bench.errors import InputError
from csist_bench.files.text import beginning_of, lines_of, text_of, utf8_of


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_marked_text_is_decoded(encoding):
    data = ' [1, "µ\U0001f4a1"]'.encode(encoding)
    assert text_of(data, "t") == ' [1, "µ\U0001f4a1"]'
    assert utf8_of(data, "t") == ' [1, "µ\U0001f4a1"]'.encode()
    assert beginning_of(data) == '[1, "µ\U0001f4a1"]'


def test_what_is_no_text_is_refused_with_the_byte():
    with pytest.raises(InputError, match=r"t: not a text file \(byte 2 is not text in UTF-8\)"):
        text_of(b"ab\xff", "t")
    with pytest.raises(InputError, match=r"byte 1 is not text\); a table in UTF-16 needs its byte-order mark"):
        text_of(b"a\0b\0", "t")


def test_lines_end_in_any_of_three_ways():
    assert lines_of("a\r\nb\rc\nd") == ["a", "b", "c", "d"]
    assert lines_of("a\x0bb\u2028c") == ["a\x0bb\u2028c"]
