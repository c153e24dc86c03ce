"""Anything at all: what is read or refused, and raises nothing else."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csist_bench.errors import InputError
from csist_bench.predictions import FORMAT, Header, write_predictions
from tests.helpers.prediction_files import ROW, file_of, read, sample, written

QUIET = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def reads_or_refuses(path):
    message = path.name
    try:
        read(path, pixel_size_nm=100.0)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert path.name in message


@QUIET
@given(st.binary(max_size=200), st.sampled_from([".json", ".csv", ".npz", ".json.gz", ".txt", ""]))
def test_random_bytes_never_raise_anything_else(tmp_path, data, suffix):
    reads_or_refuses(written(tmp_path, data, f"p{suffix}"))


@QUIET
@given(
    st.binary(max_size=60),
    st.sampled_from([b"{", b"[", b"PK\x03\x04", b"\x1f\x8b\x08", b"x,y,score\n", b"x [nm],frame\n"]),
)
def test_random_bytes_after_a_true_beginning(tmp_path, data, start):
    reads_or_refuses(written(tmp_path, start + data, "p"))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


KEYS = st.sampled_from(["trajectory", "frame", "image_id", "x", "y", "score", "intensity", "sigma_x", "extra"])


@QUIET
@given(st.lists(st.one_of(JUNK, st.dictionaries(KEYS, JUNK | st.integers(0, 3))), max_size=4), st.integers(0, 3))
def test_json_with_junk_in_its_rows(tmp_path, rows, form):
    columns = {name: [row.get(name) for row in rows if isinstance(row, dict)] for name in ROW}
    content = [rows, file_of(*rows), columns, {"format": FORMAT, "predictions": columns}][form]
    reads_or_refuses(written(tmp_path, content))


@QUIET
@given(
    st.dictionaries(st.sampled_from(["format", "dataset", "method", "n_frames", "frames", "predictions", "x"]), JUNK)
)
def test_json_with_junk_in_its_header(tmp_path, content):
    reads_or_refuses(written(tmp_path, content))


@QUIET
@given(st.data())
def test_a_true_file_with_bytes_changed(tmp_path, data):
    suffix = data.draw(st.sampled_from([".json", ".csv", ".npz", ".json.gz"]))
    write_predictions(tmp_path / f"true{suffix}", sample(4), Header({"name": "m"}))
    content = bytearray((tmp_path / f"true{suffix}").read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    reads_or_refuses(written(tmp_path, bytes(content[: data.draw(st.integers(0, len(content)))]), f"p{suffix}"))


@QUIET
@given(st.text(alphabet="0123456789.,-+eEnai \n\"';xy_", max_size=80))
def test_tables_and_folders_of_junk(tmp_path, text):
    reads_or_refuses(written(tmp_path, b"x,y,score,trajectory,frame\n" + text.encode(), "p.csv"))
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "image_3.txt").write_text(text)
    reads_or_refuses(folder)
