from __future__ import annotations

import tomllib

import pytest

from csist_bench.errors import InputError
from csist_bench.files.toml import toml_table, toml_value


@pytest.mark.parametrize(
    "value",
    [
        True,
        3,
        -(2**62),
        0.1,
        1e-300,
        1e22,
        "",
        'a "b" \\ c',
        "line\nend\x7f\u202e",
        "µ 漢",
        [1, [2.5, "x"]],
        ("a", False),
    ],
)
def test_what_is_written_is_read_as_it_was(value):
    read = tomllib.loads(f"value = {toml_value(value)}\n")["value"]
    assert read == (list(value) if isinstance(value, tuple) else value)
    assert type(read) is (list if isinstance(value, tuple) else type(value))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a = ", "not a TOML row"),
        (b"a = '\xff'", "not a TOML row"),
        (b"a = " + b"[" * 5000, "nested too deeply or a number too long"),
        (b"a = " + b"9" * 5000, "nested too deeply or a number too long"),
    ],
)
def test_every_fault_is_one_line_that_names_the_file(data, said):
    with pytest.raises(InputError, match=said) as caught:
        toml_table(data, "row.toml", "row")
    assert str(caught.value).startswith("row.toml: ")
    assert "\n" not in str(caught.value)
