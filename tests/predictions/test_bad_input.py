import gzip
import json
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csist_bench.errors import InputError
from csist_bench.predictions import FORMAT, Header, write_predictions
from tests.helpers.prediction_files import ROW, file_of, read, refused, rows_of, sample, written

QUIET = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# --- bad input -------------------------------------------------------------------------------------------------------


def test_rows_of_the_wrong_kind_are_all_named(tmp_path):
    bad = [{**ROW, "x": "5"} for _ in range(7)]
    five = [f"$.predictions[{i}].x must be float, got str" for i in range(1, 6)]
    refused(tmp_path, file_of(ROW, *bad), *five, "and 2 more")
    refused(tmp_path, [ROW, {**ROW, "frame": 1.5}], "$[1].frame must be int")
    refused(
        tmp_path, file_of({k: v for k, v in ROW.items() if k != "score"}), "$.predictions[0] must have the field score"
    )
    refused(tmp_path, file_of(ROW, 7), "$.predictions[1] must be object, got int")
    refused(tmp_path, file_of({**ROW, "x": None}), "$.predictions[0].x must be float, got null")
    refused(tmp_path, file_of({**ROW, "x": True}), "$.predictions[0].x must be float, got bool")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_named_by_their_path(tmp_path, word):
    text = json.dumps(file_of(ROW, ROW | {"y": "HERE"})).replace('"HERE"', word)
    refused(tmp_path, text.encode(), "all numbers finite", "$.predictions[1].y must be finite")
    columns = {name: [value, value + 1] for name, value in ROW.items()} | {"y": [1.0, "HERE"]}
    refused(tmp_path, json.dumps(columns).replace('"HERE"', word).encode(), "$.y[1] must be finite")


@pytest.mark.parametrize("value", [1000001, -2e6, 1e300])
@pytest.mark.parametrize("column", ["x", "y", "score", "intensity"])
def test_absurd_values_are_refused(tmp_path, column, value):
    refused(tmp_path, file_of(ROW | {column: value}), f"{column} must be finite and at most 1e+06", "$.predictions[0]")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"trajectory": 4}, "trajectory must be in [0, 4)"),
        ({"trajectory": -1}, "trajectory must be in [0, 4)"),
        ({"frame": 20}, "frame must be in [0, 20)"),
        ({"frame": 10**18}, "frame must be in [0, 20)"),
        ({"frame": 10**25}, "must be an index"),
        ({"frame": 10**400}, "frame"),
        ({"x": 10**30}, "x must be finite and at most 1e+06"),
        ({"x": 10**400}, "x"),
        ({"sigma_x": -0.1}, "sigma_x must be at least 0"),
    ],
)
def test_indices_and_errors_out_of_range(tmp_path, change, part):
    refused(tmp_path, file_of(ROW | change), part, "$.predictions[0]")


def test_columns_beside_a_header_that_is_wrong(tmp_path):
    refused(tmp_path, {"x": [10**30], "predictions": False}, "$.predictions must be")


def test_duplicate_rows_are_refused_in_any_order(tmp_path):
    rows = [ROW | {"x": float(i % 10), "score": i} for i in range(18)]
    refused(tmp_path, file_of(*rows), "must not have equal trajectory", "$.predictions[10]", "and 3 more")
    rows = rows_of(sample())
    assert len(read(written(tmp_path, file_of(*rows))).detections) == 30
    refused(tmp_path, file_of(*rows, rows[3]), "$.predictions[30]")


def test_a_column_given_in_some_rows_only(tmp_path):
    refused(
        tmp_path, file_of(ROW, ROW | {"x": 1.0, "intensity": 2.0}), "intensity must be given in every row or in none"
    )
    refused(tmp_path, file_of({"x": 1, "y": 2, "score": 3}), "missing: trajectory, frame")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"{}", "$.predictions must be a list"),
        (b'{"predictions": 7}', "$.predictions must be"),
        (b"7", "must begin with '{' or '['"),
        (b"[7]", "$[0] must be object"),
        (b'{"format": "other@2", "predictions": []}', "$.format must be"),
        (b'{"predictions": [], "n_frames": -1}', "$.n_frames must be"),
        (b'{"predictions": [], "n_frames": "x"}', "$.n_frames must be a whole number"),
        (b'{"predictions": [], "method": [1]}', "$.method must be an object"),
        (b'{"predictions": [], "dataset": {"fingerprint": 3}}', "$.dataset.fingerprint must be text"),
        (b'{"predictions": [{"x": 1', "cut short"),
        (b'{"predictions": []} trailing', "not valid JSON at line 1, column 21"),
        (b"[" * 100_000, "preds.json"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "must begin with"),
        (b"\x1f\x8bgarbage", "damaged gzip"),
        (b"PK\x03\x04garbage", "not a readable NPZ"),
        (b"PAR1garbage", "not a readable Parquet"),
        (b'[{"x": 1' + b"1" * 3_000_000 + b"}]", "not valid JSON"),
    ],
)
def test_files_that_are_no_predictions(tmp_path, content, part):
    refused(tmp_path, content, part)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"a,b\n1,2\n", "begin with a line of column names"),
        (b"\xff\xfe\x00", "not text"),
        (b"x,y\n1,2\n", "missing: score, trajectory, frame"),
        (b"x,y,score,trajectory,frame\n1,2,3,0,0\n1,2,3,0\n", "line 3 has 4 fields instead of 5"),
        (b"x,y,score,trajectory,frame\n1,2,3,0,0,9\n", "line 2 has 6 fields instead of 5"),
        (b"x,y,score,trajectory,frame\n\n1,two,3,0,0\n", "line 3: 'two' is not a number"),
        (b"x,y,score,trajectory,frame\n1,nan,3,0,0\n", "line 2: y = nan"),
        (b"x,y,score,trajectory,frame\n\n1,2,3,0,20\n", "line 3: frame = 20"),
        (b"x,y,score,trajectory,frame\n1,2,3,0.5,0\n", "trajectory must be a whole number"),
        (b"x,x,y,score,trajectory,frame\n1,1,2,3,0,0\n", "name each column once"),
        (b"x,y,score,trajectory,frame\n1,2,3,0,0\n1,2,4,0,0\n", "line 3"),
    ],
)
def test_bad_tables(tmp_path, content, part):
    refused(tmp_path, content, part, name="preds.csv")


def test_missing_files_and_names_that_lie(tmp_path):
    with pytest.raises(InputError, match="not found"):
        read(tmp_path / "absent.json")
    refused(tmp_path, b"x,y,score\n", "be a npz file", name="p.npz")
    whole = gzip.compress(json.dumps(file_of(ROW)).encode())
    refused(tmp_path, whole[:-9], "damaged gzip", name="p.json.gz")
    assert len(read(written(tmp_path, whole, "p.json")).detections) == 1


def test_truncated_npz(tmp_path):
    write_predictions(tmp_path / "p.npz", sample(), Header())
    data = (tmp_path / "p.npz").read_bytes()
    for cut in range(4, len(data) - 1, 97):
        refused(tmp_path, data[:cut], "not a readable NPZ", name="cut.npz")
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as file:
        file.writestr("heatmaps.npy", b"not an array")
    with pytest.raises(InputError, match="heatmaps must be numbers"):
        read(tmp_path / "odd.npz")


# --- anything at all -------------------------------------------------------------------------------------------------


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
