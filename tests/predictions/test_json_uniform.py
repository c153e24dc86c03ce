"""Rows that are all written alike are read as they are row by row; any other file is left to that."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.predictions import FORMAT, Header, json_format, json_uniform
from csist_bench.predictions.json_format import encode_json, read_json
from csist_bench.predictions.table import IndexBounds
from tests.helpers.prediction_files import N, T, rows_of, same, sample

NEVER = 1 << 60
PIECES = [b'"x":', b'"y":', b"},\n{", b",", b'"', b" ", b"\n", b"{", b"}", b"[", b"]", b"-", b".", b"e", b"null", b"7"]
PIECES += [b"1e999", b"NaN", b"9007199254740993", b"2.0", b'"track":1,', b'"n_frames":3,', b"\\u0078", b"\0", b"\xff"]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(json_uniform, "BLOCK", 400)


def outcome(data, large, monkeypatch):
    """Return what reading gives, NaN as text, where files of `large` bytes or more are looked at as a whole."""
    monkeypatch.setattr(json_format, "_LARGE", large)
    warnings: list[str] = []
    try:
        detections, header = read_json(data, "p.json", IndexBounds(T, N), warnings)
    except InputError as error:
        return str(error)
    return {name: (str(c.dtype), repr(c.tolist())) for name, c in detections.columns().items()}, header, warnings


def forms():
    detections = sample(40)
    rows = rows_of(detections)
    lines = "\n".join(map(json.dumps, rows))
    return {
        "own": encode_json(detections, Header({"name": "m"}, "seqcsist", "test")),
        "python": json.dumps({"format": FORMAT, "predictions": rows, "method": {"name": "m"}}).encode(),
        "indented": json.dumps(rows, indent=4).encode(),
        "compact": json.dumps(rows, separators=(",", ":")).encode(),
        "lines": lines.encode(),
        "lines with an end": f"{lines}\n".encode(),
    }


@pytest.mark.parametrize("name", forms())
def test_each_form_is_read_without_rows(name, monkeypatch):
    data = forms()[name]
    slow = outcome(data, NEVER, monkeypatch)
    monkeypatch.setattr(json_format, "_decoded", None)  # what reads row by row
    assert outcome(data, 0, monkeypatch) == slow
    same(read_json(data, "p.json", IndexBounds(T, N), [])[0], sample(40))


def test_every_number_is_the_nearest_float(monkeypatch):
    rng = np.random.default_rng(1)
    score = np.concatenate([rng.random(500), 10.0 ** rng.uniform(-300, 5, 500), [0.0, 5e-324, 1e6, 2.0**-1022]])
    rows = [{"trajectory": 0, "frame": 1, "x": i / 64, "y": 1, "score": s} for i, s in enumerate(score.tolist())]
    monkeypatch.setattr(json_format, "_LARGE", 0)
    monkeypatch.setattr(json_format, "_decoded", None)
    read = read_json(json.dumps(rows).encode(), "p.json", IndexBounds(T, N), [])[0]
    np.testing.assert_array_equal(read.score, score)


def mutated(data, rng):
    """Return a file with one to three places changed: bytes put in, taken out, or exchanged with others."""
    for _ in range(rng.integers(1, 4)):
        at, size = int(rng.integers(len(data))), int(rng.integers(0, 12))
        to = int(rng.integers(len(data)))
        piece = [PIECES[rng.integers(len(PIECES))], b"", data[to : to + size]][rng.integers(3)]
        data = data[:at] + piece + data[at + size * int(rng.integers(2)) :]
    return data


@pytest.mark.parametrize("name", ["own", "python", "compact", "lines"])
def test_what_is_damaged_is_told_as_row_by_row(name, monkeypatch):
    data, rng = forms()[name], np.random.default_rng(len(name))
    good = 0
    for _ in range(300):
        text = mutated(data, rng)
        quick = outcome(text, 0, monkeypatch)
        assert quick == outcome(text, NEVER, monkeypatch), text
        good += not isinstance(quick, str)
    assert 5 < good < 295


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"y":', b'"x":'),  # a field twice, another missing
        (b'"x":', b'"x":1,"x":'),
        (b'"score":', b'"score":1,'),
        (b'"score":', b'"score":1 '),
        (b"},{", b"}{"),
        (b"},{", b"},,{"),
        (b'"frame":', b'"Frame":'),
        (b'"frame":', b'"frame":-'),
    ],
)
def test_a_row_that_differs_is_left_to_the_rows(old, new):
    data = forms()["compact"]
    assert json_uniform.uniform_columns(data, 1, len(data) - 1, lines=False)
    places = [at for at in range(len(data)) if data.startswith(old, at)]
    for place in (places[5], places[-1]):
        bad = data[:place] + new + data[place + len(old) :]
        read = json_uniform.uniform_columns(bad, 1, len(bad) - 1, lines=False)
        if new == b'"frame":-' and read:  # a fault for those who know what a frame is
            assert read["frame"].min() < 0
        else:
            assert read is None


def test_what_stands_between_rows_is_json(monkeypatch):
    compact, lines = forms()["compact"], forms()["lines"]
    assert json_uniform.uniform_columns(compact.replace(b"},{", b"}{"), 1, len(compact) - 1, lines=False) is None
    for wrong in (lines.replace(b"}\n{", b"},{"), lines.replace(b"}\n{", b"},\n{"), lines.replace(b"}\n{", b"} {")):
        assert json_uniform.uniform_columns(wrong, 0, wrong.rfind(b"}") + 1, lines=True) is None


def test_a_whole_number_that_no_float_holds_is_left_to_the_rows():
    rows = [{"trajectory": 0, "frame": 0, "x": x, "y": 1.5, "score": 1, "track": 2**53 - 1 + x} for x in range(2)]
    bad = json.dumps(rows).encode()
    assert json_uniform.uniform_columns(bad, 1, len(bad) - 1, lines=False) is None
    good = json.dumps([rows[0], {**rows[0], "x": 5}]).encode()
    columns = json_uniform.uniform_columns(good, 1, len(good) - 1, lines=False)
    assert columns is not None
    assert columns["track"].tolist() == [2**53 - 1] * 2


def test_one_index_that_is_not_whole_is_left_to_the_rows():
    data = forms()["compact"]
    for number in (b"0.5", b"9007199254740992", b"-9007199254740993"):
        bad = re.sub(rb'"frame":\d+', b'"frame":' + number, data, count=1)
        assert json_uniform.uniform_columns(bad, 1, len(bad) - 1, lines=False) is None
