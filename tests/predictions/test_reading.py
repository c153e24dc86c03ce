import json

import numpy as np
import pytest

from csist_bench.detections import Detections, detections_from_grid
from csist_bench.errors import InputError
from csist_bench.predictions import FORMAT, Header, require_writable, write_predictions
from tests.helpers.prediction_files import ROW, N, T, file_of, read, refused, same, sample, written

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


# --- the header against the data -------------------------------------------------------------------------------------


def test_mismatch_is_of_fingerprint_or_split():
    header = Header(fingerprint="sha256:1", split="val")
    assert "fingerprint" in header.mismatch("sha256:2", "val")
    assert "split must be 'test'" in header.mismatch("sha256:1", "test")
    assert header.mismatch("sha256:1", "val") is None
    assert Header().mismatch("sha256:1", "test") is None
