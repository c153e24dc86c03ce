"""Dialects of tables: one table, however it is written."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.files.numbers import is_number, number_columns, parsed_lines, with_point
from csist_bench.files.tables import read_table, require_different, unread
from csist_bench.files.text import text_of

KNOWN = ("trajectory", "x", "y", "sigma")
PLAIN = "trajectory,x,y\n0,0.8061,-5.25\n3,1.037e1,7\n"
EXPECTED = {"trajectory": [0, 3], "x": [0.8061, 10.37], "y": [-5.25, 7]}


def columns(data, wanted=("trajectory", "x", "y"), optional=()):
    text = text_of(data if isinstance(data, bytes) else data.encode(), "t.csv")
    return number_columns(read_table(text, "t.csv", KNOWN, "trajectory, x, y"), wanted, optional)


def rewritten(delimiter, decimal="."):
    return PLAIN.replace(",", delimiter).replace(".", decimal)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        rewritten(";"),
        rewritten("\t"),
        rewritten(";", ","),
        rewritten("\t", ","),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        "# " + PLAIN,
        "# made by mytool 1.2\n#\n" + PLAIN,
        "# x of the first file, y too\n" + PLAIN,
        "\n\n" + PLAIN.replace("\n", "\n\n"),
        "sep=,\n" + PLAIN,
        "sep=;\n" + rewritten(";", ","),
        '"SEP=\t"\n' + rewritten("\t"),
        PLAIN.upper(),
        PLAIN.replace("trajectory,x,y", ' "Trajectory" , X ,"y"'),
        ",trajectory,x,y\n0,0,0.8061,-5.25\n1,3,1.037e1,7\n",
        "Unnamed: 0,note,trajectory,x,y\n0,a,0,0.8061,-5.25\n1,b;c,3,1.037e1,7\n",
        'y,trajectory,x\n"-5.25","0","0.8061"\n"7","3","1.037e1"\n',
        'y,trajectory,x\n"-5,25",0.0,"0,8061"\n7, 3.0 , "1,037e1"\n',
        PLAIN.replace("0,0.8061", "0.0,0.8061"),
    ],
)
def test_one_table_in_every_dialect(data):
    found = columns(data)
    for name, values in EXPECTED.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ("", "must begin with a line of column names (trajectory, x, y), got nothing"),
        ("0,1,2\n", "must begin with a line of column names"),
        ("trajectory x y\n0 1 2\n", "separate the columns by comma, semicolon, tab"),
        ("trajectory|x|y\n0|1|2\n", "separate the columns by comma, semicolon, tab"),
        ("sep=|\ntrajectory|x|y\n", "sep must be one of comma, semicolon, tab, got '|'"),
        ("trajectory,x,y,X\n0,1,2,3\n", "name each column once, got x"),
        ("trajectory,x,y,note,Note\n0,1,2,3,4\n", "name each column once, got note"),
        (PLAIN + "1,2_30,4\n", "line 4: x '2_30' is not a number"),
        (PLAIN + "1,٣,4\n", "line 4: x '٣' is not a number"),
        (PLAIN + "1,0x10,4\n", "line 4: x '0x10' is not a number"),
        (PLAIN + "1,1 2,4\n", "line 4: x '1 2' is not a number"),
        (PLAIN + "1,,4\n", "line 4: x is blank"),
        (PLAIN + "\n1,2\n", "line 5 has 2 fields instead of 3"),
        (PLAIN + "1,2,3,4\n", "line 4 has 4 fields instead of 3"),
        (PLAIN + "1,2,31,2,3\n", "line 4 has 5 fields instead of 3"),
        (PLAIN + '1,"2,3\n1,4",5\n', "line 4: a quote is not closed"),
        (PLAIN + '1,"2,3\n', "line 4: a quote is not closed"),
        (PLAIN + '1,"2"3,4\n', "line 4:"),
        (
            'trajectory,x,y\n0,"1,234",5\n0,"12,345",5\n',
            "a comma must tell decimals from thousands; write a decimal point",
        ),
        ('trajectory,x,y\n0,"1,234",5,\n', "line 2 has 4 fields"),
        ('trajectory,x,y\n0,"1,234","5,1"\n', "line 2: x = 1,234"),
        ("trajectory;x;y\n0;1,234;5\n", "a comma must tell decimals from thousands"),
        ("trajectory;x;y\n0;1,234,567;5,1\n", "must not have thousands separators; offending: line 2: x = 1,234,567"),
        ("trajectory;x;y\n0;1.234,5;5,1\n", "a point or a comma, not both"),
        (
            "trajectory;x;y\n0;1.234;5,1\n",
            "a point or a comma, not both; offending: line 2: y = 5,1, line 2: x = 1.234",
        ),
        ('trajectory,x,y\n0,"5,1",1\n0,5.2,1\n', "a point or a comma, not both"),
        (b"trajectory,x,y\n0,1,\xb5\n", "byte 19 is not text in UTF-8); save the table as UTF-8"),
        (PLAIN.encode("utf-16-le"), "needs its byte-order mark"),
        (PLAIN.encode("utf-16")[:-1], "not text in UTF-16-LE"),
    ],
)
def test_what_is_wrong_or_ambiguous_is_refused_by_name(data, part):
    with pytest.raises(InputError) as caught:
        columns(data)
    assert str(caught.value).startswith("t.csv")
    assert part in str(caught.value)


def test_a_comma_is_a_decimal_mark_where_the_column_or_the_table_says_so():
    assert columns('trajectory,x,y\n0,"1,234",1\n1,"0,5",2\n')["x"].tolist() == [1.234, 0.5]
    assert columns("trajectory;x;y\n0;1,234;7,5\n")["x"].tolist() == [1.234]


def test_the_first_five_are_named_and_the_others_counted():
    with pytest.raises(InputError) as caught:
        columns("trajectory,x,y\n" + "0,one,2\n" * 7)
    assert "line 6" in str(caught.value)
    assert "line 7" not in str(caught.value)
    assert str(caught.value).endswith(" and 2 more")


@pytest.mark.parametrize("word", ["", "NA", "nan", "NaN", "null", "None", "N/A", "<NA>"])
def test_a_blank_is_taken_in_an_optional_column_alone(word):
    data = f"trajectory,x,y,sigma\n0,1,2,{word}\n0,1,2,0.5\n"
    assert np.isnan(columns(data, ("x", "sigma"), ("sigma",))["sigma"]).tolist() == [True, False]
    if word.casefold() != "nan":
        with pytest.raises(InputError, match="line 2: sigma"):
            columns(data, ("x", "sigma"))


def test_both_parsers_read_the_same():
    rng = np.random.default_rng(5)
    rows = rng.normal(0, 1000, (200, 3)) * 10.0 ** rng.integers(-8, 8, (200, 3))
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    plain = columns("\n".join(["x,y,sigma", *lines]), ("x", "y", "sigma"))
    quoted = columns(
        "\n".join(["x,y,sigma", *(f'"{line}"'.replace(",", '","') for line in lines)]), ("x", "y", "sigma")
    )
    assert parsed_lines(lines, ",", 3).tolist() == rows.tolist()
    for place, name in enumerate(("x", "y", "sigma")):
        assert plain[name].tolist() == quoted[name].tolist() == rows[:, place].tolist()


def test_numbers_and_names():
    assert [is_number(text) for text in ("1", "-.5e-3", "5.", "nan", "+Infinity")] == [True] * 5
    assert [is_number(text) for text in ("", "1_0", "1e", "0x1", " 1", "1d5", ".")] == [False] * 7
    assert with_point("5,1", "here") == "5.1"
    assert with_point("text, more", "here") == "text, more"
    with pytest.raises(InputError, match="here must tell decimals from thousands, got 1,234"):
        with_point("1,234", "here")
    require_different(["", "", "a"], "here")
    assert unread(["", "x", "a", "unnamed: 0", *map(str, range(30))], ("x",)).endswith("8 and 21 more")
