import gzip
import json
import zipfile

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csist_bench.checks import InputError
from csist_bench.detections import Detections, detections_from_grid
from csist_bench.predictions import (
    FORMAT,
    Header,
    check_against,
    describe,
    read_predictions,
    require_writable,
    write_predictions,
)

N, T = 4, 20
QUIET = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path, **options):
    return read_predictions(path, frames_per_trajectory=T, n_trajectories=N, **options)


def sample(n=30, seed=0, optional=True):
    rng = np.random.default_rng(seed)
    table = [
        np.sort(rng.integers(0, N, n)),
        rng.integers(0, T, n),
        *rng.uniform(-3, 14, (2, n)),
        rng.uniform(0, 300, n),
    ]
    extra = (
        {"intensity": rng.uniform(1, 300, n), "sigma_x": rng.random(n), "sigma_y": rng.random(n)} if optional else {}
    )
    return Detections(*table, **extra)


def same(a, b):
    assert a.columns().keys() == b.columns().keys()
    for name, column in a.ordered().columns().items():
        np.testing.assert_array_equal(column, b.ordered().columns()[name], err_msg=name)


def rows_of(detections):
    columns = detections.columns()
    return [dict(zip(columns, row)) for row in zip(*(column.tolist() for column in columns.values()))]


ROW = {"trajectory": 1, "frame": 2, "x": 5.5, "y": 4.25, "score": 231.5}


def file_of(*rows, **header):
    return {"format": FORMAT, "predictions": list(rows), **header}


def written(tmp_path, content, name="preds.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def refused(tmp_path, content, *parts, name="preds.json", **options):
    """Check that a file is refused in one line that names it and holds all the parts."""
    path = written(tmp_path, content, name)
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in (name, *parts):
        assert part in message, message


# --- what is written is read again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".npz", ".parquet", ".csv"])
@pytest.mark.parametrize("optional", [True, False])
def test_round_trip_in_every_format(tmp_path, suffix, optional):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    detections = sample(optional=optional)
    header = Header({"name": "ISTA", "decoder": "grid"}, "seqcsist", "test", "sha256:00", 64, "2:18")
    write_predictions(tmp_path / f"p{suffix}", detections, header)
    again = read(tmp_path / f"p{suffix}")
    same(again.detections, detections)
    assert again.header == (Header() if suffix == ".csv" else header)
    assert bool(again.warnings) == (suffix == ".csv")


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".npz", ".csv"])
def test_no_detections_is_an_answer(tmp_path, suffix):
    write_predictions(tmp_path / f"p{suffix}", Detections.empty(), Header(n_frames=64))
    assert len(read(tmp_path / f"p{suffix}").detections) == 0


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".csv"])
def test_equal_answers_make_equal_bytes_in_any_order(tmp_path, suffix):
    detections = sample()
    for name, rows in (("a", detections), ("b", detections.select(np.random.default_rng(1).permutation(30)))):
        write_predictions(tmp_path / f"{name}{suffix}", rows, Header())
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_canonical_json_is_plain_and_has_one_row_a_line(tmp_path):
    write_predictions(tmp_path / "p.json", sample(3), Header({"name": "m"}, "seqcsist", "test", "sha256:1", 64))
    text = (tmp_path / "p.json").read_text()
    content = json.loads(text)
    assert content["format"] == FORMAT
    assert content["dataset"] == {"name": "seqcsist", "split": "test", "fingerprint": "sha256:1"}
    assert content["n_frames"] == 64
    assert set(content["predictions"][0]) == {
        "trajectory",
        "frame",
        "x",
        "y",
        "score",
        "intensity",
        "sigma_x",
        "sigma_y",
    }
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2e6])
@pytest.mark.parametrize("column", ["x", "score", "intensity"])
def test_a_file_that_could_not_be_read_is_not_written(tmp_path, column, bad):
    detections = sample()
    detections.columns()[column][4] = bad
    with pytest.raises(InputError, match=f"{column} must be finite .*row 4"):
        write_predictions(tmp_path / "p.json", detections, Header())
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept_if_asked(tmp_path):
    write_predictions(tmp_path / "p.json", sample(), Header())
    with pytest.raises(InputError, match="the file exists"):
        write_predictions(tmp_path / "p.json", sample(5), Header(), overwrite=False)
    write_predictions(tmp_path / "p.json", sample(5), Header())
    assert len(read(tmp_path / "p.json").detections) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_require_writable_speaks_before_the_work(tmp_path):
    assert require_writable(tmp_path / "new" / "folder" / "p.json.gz") == ".json.gz"
    for path, part in (
        (tmp_path / "p.txt", "unknown prediction file suffix"),
        (tmp_path, "suffix"),
        (tmp_path / "file" / "p.json", "not a folder"),
    ):
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match=part):
            require_writable(path)
    (tmp_path / "d.json").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        require_writable(tmp_path / "d.json")


# --- the other forms -------------------------------------------------------------------------------------------------


def test_image_id_stands_for_the_pair(tmp_path):
    row = {"image_id": 45, "x": 1, "y": 2, "score": 3}
    found = read(written(tmp_path, file_of(row))).detections
    assert (found.trajectory.tolist(), found.frame.tolist()) == ([2], [5])
    refused(tmp_path, file_of({**row, "image_id": 80}), "image_id must be in [0, 80)", "$.predictions[0]")
    refused(tmp_path, file_of({**row, "trajectory": 2, "frame": 4}), "image_id must be trajectory * 20 + frame")


def test_bare_coco_list_is_taken_with_a_warning(tmp_path):
    rows = [{"image_id": 45, "x": 1, "y": 2, "score": 3, "category_id": 1, "bbox": [0, 0, 1, 1]}]
    again = read(written(tmp_path, rows))
    assert again.detections.frame.tolist() == [5]
    assert "bare list" in again.warnings[0]


@pytest.mark.parametrize("nested", [True, False])
def test_column_form(tmp_path, nested):
    detections = sample()
    columns = {name: values.tolist() for name, values in detections.columns().items()}
    content = {"format": FORMAT, **({"predictions": columns} if nested else columns)}
    same(read(written(tmp_path, content)).detections, detections)
    path = "$.predictions" if nested else "$"
    columns["y"][7] = "7"  # the list is shared with the content
    refused(tmp_path, content, f"{path}.y[7] must be float, got str")
    (columns if nested else content)["y"] = columns["x"][:-1]
    refused(tmp_path, content, "columns must be equally long")


def test_header_with_names_alone(tmp_path):
    header = read(written(tmp_path, file_of(ROW, method="ISTA", dataset="seqcsist"))).header
    assert (header.method, header.dataset, header.fingerprint) == ({"name": "ISTA"}, "seqcsist", None)


def heat_maps(n=N, t=T, seed=2):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, t, 33, 33)) < 0.003, rng.uniform(40, 250, (n, t, 33, 33)), 0.0).astype(np.float32)


def test_heat_maps_are_decoded_as_published(tmp_path):
    maps = heat_maps()
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    again = read(tmp_path / "maps.npz")
    same(again.detections, detections_from_grid(maps, 3, 70.0))
    assert again.header.n_frames == N * T
    low = read(tmp_path / "maps.npz", threshold=50.0)
    same(low.detections, detections_from_grid(maps, 3, 50.0))


def test_heat_maps_of_some_frames_name_them(tmp_path):
    maps = heat_maps(2, 16)
    index = {"trajectory": np.array([3, 1]), "frame": np.arange(2, 18)}
    np.savez(tmp_path / "maps.npz", heatmaps=maps, **index)
    expected = detections_from_grid(maps, 3, 70.0)
    again = read(tmp_path / "maps.npz").detections
    np.testing.assert_array_equal(again.trajectory, index["trajectory"][expected.trajectory])
    np.testing.assert_array_equal(again.frame, expected.frame + 2)
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    with pytest.raises(InputError, match="axis trajectory of heatmaps must have length 4, got 2; add an index array"):
        read(tmp_path / "maps.npz")


def test_zarr_heat_maps(tmp_path):
    import zarr

    maps = heat_maps(2, 16)
    group = zarr.create_group(tmp_path / "maps.zarr")
    for name, values in (("heatmaps", maps), ("trajectory", np.array([0, 2])), ("frame", np.arange(2, 18))):
        group.create_array(name, data=values)
    np.savez(tmp_path / "maps.npz", heatmaps=maps, trajectory=np.array([0, 2]), frame=np.arange(2, 18))
    same(read(tmp_path / "maps.zarr").detections, read(tmp_path / "maps.npz").detections)
    zarr.create_array(tmp_path / "bare.zarr", data=heat_maps())
    same(read(tmp_path / "bare.zarr").detections, detections_from_grid(heat_maps(), 3, 70.0))
    zarr.create_group(tmp_path / "other.zarr").create_array("frames", data=maps)
    with pytest.raises(InputError, match="must hold an array 'heatmaps'"):
        read(tmp_path / "other.zarr")
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr" / "zarr.json").write_text("cut sh")
    with pytest.raises(InputError, match="not a readable Zarr store"):
        read(tmp_path / "broken.zarr")


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"heatmaps": np.zeros((N, T, 32, 32))}, "must be numbers of shape"),
        ({"heatmaps": np.zeros((N, T, 33))}, "must be numbers of shape"),
        ({"heatmaps": np.full((N, T, 33, 33), "a")}, "must be numbers of shape"),
        ({"heatmaps": np.full((N, T, 33, 33), np.nan)}, "finite"),
        ({"heatmaps": np.zeros((2, T, 33, 33)), "trajectory": np.array([0, 4])}, "trajectory must be in [0, 4)"),
        ({"heatmaps": np.zeros((2, T, 33, 33)), "trajectory": np.array([1, 1])}, "different whole numbers"),
        ({"other": np.zeros(3)}, "must hold an array 'heatmaps'"),
        ({"x": np.zeros(3), "y": np.zeros(3)}, "missing: score, trajectory, frame"),
        ({"heatmaps": np.array([None])}, "not a readable NPZ"),
    ],
)
def test_bad_arrays(tmp_path, arrays, part):
    np.savez(tmp_path / "maps.npz", **arrays)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "maps.npz")
    assert part in str(caught.value)


def test_folder_of_text_files(tmp_path):
    for name, text in (("image_45", "5.5 4.25 231.5\n6 7 8\n"), ("0", ""), ("image_21", "1 2 3")):
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "notes.md").write_text("not read")
    again = read(tmp_path)
    found = again.detections
    rows = sorted(zip(found.trajectory.tolist(), found.frame.tolist(), found.x, found.y, found.score))
    assert rows == [(1, 1, 1, 2, 3), (2, 5, 5.5, 4.25, 231.5), (2, 5, 6, 7, 8)]
    assert again.header.n_frames == 3
    assert any("1 other files" in warning for warning in again.warnings)


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ({"image_3.txt": "1 2"}, "image_3.txt:1: '1 2'"),
        ({"image_3.txt": "1 2 3\n\n1 two 3"}, "image_3.txt:3: '1 two 3'"),
        ({"image_3.txt": "1 2 3 4"}, "every line must be 'x y score'"),
        ({"image_3.txt": "nan 2 3"}, "image_3.txt:1: x = nan"),
        ({"image_3.txt": "1 2 3", "3.txt": "1 2 3"}, "name the same frame"),
        ({"image_80.txt": ""}, "image_id must be in [0, 80)"),
        ({"frame7.txt": "1 2 3"}, "frame7.txt"),
        ({"readme.md": "1 2 3"}, "must hold text files"),
        ({"image_3.txt": "1 2 3\n1 2 4"}, "image_3.txt:2"),
    ],
)
def test_bad_folders(tmp_path, files, part):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert part in str(caught.value)


def test_thunderstorm_table(tmp_path):
    head = '"id","frame","x [nm]","y [nm]","sigma [nm]","intensity [photon]","uncertainty_xy [nm]"\n'
    path = written(tmp_path, (head + "1,46,600.0,475.0,50,231.5,5\n").encode(), "storm.csv")
    again = read(path, pixel_size_nm=100.0)
    found = again.detections
    assert (found.trajectory[0], found.frame[0]) == (2, 5)
    values = (found.x[0], found.y[0], found.score[0], found.intensity[0], found.sigma_x[0], found.sigma_y[0])
    assert values == pytest.approx((5.5, 4.25, 231.5, 231.5, 0.05, 0.05))
    assert "count from 1" in again.warnings[0]
    refused(tmp_path, path.read_bytes(), "--pixel-size-nm", name="storm.csv")
    refused(tmp_path, path.read_bytes(), "nm > 0", name="storm.csv", pixel_size_nm=-1.0)
    zero = (head + "1,0,600.0,475.0,50,231.5,5\n").encode()
    refused(tmp_path, zero, "frame must be at least 1", "line 2", name="storm.csv", pixel_size_nm=100.0)
    part = b"frame,x [nm],y [nm]\n1,2,3\n"
    refused(tmp_path, part, "intensity [photon]", name="storm.csv", pixel_size_nm=100.0)


def test_csv_columns_in_any_order_quoted_with_blank_lines_and_a_byte_order_mark(tmp_path):
    text = '\ufeffscore,"x",y,note,frame,trajectory\n"3",1,2,7,5,2\n\n4,1.5,2,8,5,2\n'
    again = read(written(tmp_path, text.encode(), "p.csv"))
    assert again.detections.x.tolist() == [1, 1.5]
    assert again.detections.score.tolist() == [3, 4]
    assert any("note" in warning for warning in again.warnings)


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
    refused(tmp_path, text.encode(), "$.predictions[1].y must be finite")
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
        ({"sigma_x": -0.1}, "sigma_x must be at least 0"),
    ],
)
def test_indices_and_errors_out_of_range(tmp_path, change, part):
    refused(tmp_path, file_of(ROW | change), part, "$.predictions[0]")


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


# --- info and validate -----------------------------------------------------------------------------------------------


class FakeRun:
    n_frames, frames, method = 64, range(2, 18), {"name": "m"}


def test_describe_and_header_of_a_run(tmp_path):
    class Recipe:
        name = "seqcsist"

    class Source:
        name, recipe, fingerprint = "test", Recipe, "sha256:1"

    header = Header.of_run(Source, FakeRun)
    assert header == Header({"name": "m"}, "seqcsist", "test", "sha256:1", 64, "2:18")
    write_predictions(tmp_path / "p.json", sample(), header)
    told = describe(tmp_path / "p.json")
    assert (told["detections"], told["split"], told["frames_answered"]) == (30, "test", 64)
    assert told["optional_columns"] == ["intensity", "sigma_x", "sigma_y"]
    assert msgspec.json.decode(msgspec.json.encode(told)) == told


def test_mismatch_is_of_fingerprint_or_split():
    header = Header(fingerprint="sha256:1", split="val")
    assert "fingerprint" in header.mismatch("sha256:2", "val")
    assert "split must be 'test'" in header.mismatch("sha256:1", "test")
    assert header.mismatch("sha256:1", "val") is None
    assert Header().mismatch("sha256:1", "test") is None


def test_check_against_a_store(tmp_path):
    class Recipe:
        frames, c = T, 3

    class Part:
        n_frames, n_trajectories = T, N

    class Store:
        recipe, fingerprint = Recipe, "sha256:1"

        @staticmethod
        def split(name):
            return Part

    write_predictions(tmp_path / "p.json", sample(), Header(fingerprint="sha256:1", split="test"))
    assert check_against(tmp_path / "p.json", Store) == []
    write_predictions(tmp_path / "p.json", sample(), Header(fingerprint="sha256:2"))
    assert "fingerprint" in check_against(tmp_path / "p.json", Store)[0]
    refused_file = written(tmp_path, file_of(ROW | {"trajectory": 9}))
    assert "trajectory must be in [0, 4)" in check_against(refused_file, Store)[0]
