"""The optional column `track`, in every form."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections, concatenate
from csist_bench.errors import InputError
from csist_bench.predictions import read_predictions, write_predictions
from csist_bench.predictions.header import Header

TRACKS = [-7, 2**40, 3]
FORMS = ["csv", "json", "npz", "parquet"]


def read(path):
    return read_predictions(path, frames_per_trajectory=2, n_trajectories=2)


def found(track=TRACKS):
    index = np.array([0, 0, 1])
    one = Detections(index, index, np.arange(3.0), np.ones(3), np.ones(3))
    return replace(one, track=None if track is None else np.array(track))


@pytest.mark.parametrize("suffix", ["json", "json.gz", "csv", "npz", "parquet"])
def test_it_is_written_and_read_back(tmp_path, suffix):
    path = tmp_path / f"p.{suffix}"
    write_predictions(path, found(), Header(method={"name": "X"}))
    back = read(path).detections
    assert back.track.dtype == np.int64
    assert back.track.tolist() == TRACKS
    write_predictions(path, found(None), Header(method={"name": "X"}))
    assert read(path).detections.track is None
    assert suffix == "parquet" or b"track" not in path.read_bytes()


def written(path, form, values, frames=(0, 0)):
    """Write two rows with tracks, unchecked."""
    rows = {"trajectory": [0, 0], "frame": list(frames), "x": [1.0, 2.0], "y": [1.0, 1.0], "score": [1.0, 1.0]}
    rows["track"] = values
    if form == "csv":
        lines = [",".join(rows), *(",".join(map(str, row)) for row in zip(*rows.values()))]
        path.write_text("\n".join(lines))
    elif form == "json":
        path.write_text(json.dumps({"predictions": [dict(zip(rows, row)) for row in zip(*rows.values())]}))
    elif form == "npz":
        np.savez(path, **{name: np.array(column) for name, column in rows.items()})
    else:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.table(rows), path)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_whole_number_is_refused(tmp_path, form):
    path = tmp_path / f"p.{form}"
    written(path, form, [1.0, 1.5])
    with pytest.raises(InputError, match=r"track must be a whole number.*track = 1\.5"):
        read(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_track_of_two_rows_of_a_frame_is_refused(tmp_path, form):
    path = tmp_path / f"p.{form}"
    written(path, form, [5, 5])
    places = {"csv": "line 3", "json": r"\$\.predictions\[1\]", "npz": "row 1", "parquet": "row 1"}
    with pytest.raises(InputError, match=f"two rows of one frame must not have the same track.*{places[form]}"):
        read(path)
    written(path, form, [5, 5], frames=(0, 1))
    assert read(path).detections.track.tolist() == [5, 5]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("form", FORMS)
def test_the_largest_in_size_are_the_same_in_every_form(tmp_path, form, sign):
    path = tmp_path / f"p.{form}"
    written(path, form, [1, sign * (2**53 - 1)])
    assert read(path).detections.track.tolist() == [1, sign * (2**53 - 1)]
    for value in (2**53, 2**53 + 1):
        written(path, form, [1, sign * value])
        with pytest.raises(InputError, match=r"track must be in \[-9007199254740991, 9007199254740992\)"):
            read(path)


@pytest.mark.parametrize("value", [2**53 + 2, -(2**53) - 2, 2**63])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_number_beyond_those_that_files_keep_is_refused(tmp_path, form, value):
    path = tmp_path / f"p.{form}"
    written(path, form, [1, value])
    with pytest.raises(InputError, match="track"):
        read(path)


def test_a_row_without_one_among_others_is_refused(tmp_path):
    path = tmp_path / "p.json"
    write_predictions(path, found(), Header())
    path.write_text(path.read_text().replace(',"track":3', ""))
    with pytest.raises(InputError, match="track must be given in every row or in none"):
        read(path)


def test_none_is_written_that_would_be_refused(tmp_path):
    with pytest.raises(InputError, match="must not have the same track"):
        write_predictions(tmp_path / "p.json", found([1, 1, 1]), Header())
    assert not (tmp_path / "p.json").exists()


def test_it_is_part_of_the_digest(tmp_path):
    path = tmp_path / "p.json"
    write_predictions(path, found(), Header())
    path.write_text(path.read_text().replace('"track":3', '"track":4'))
    with pytest.raises(InputError, match="content must be what the digest in its header says"):
        read(path)


def test_columns_of_json_may_hold_it(tmp_path):
    path = tmp_path / "p.json"
    path.write_text('{"trajectory": [0], "frame": [0], "x": [1], "y": [1], "score": [1], "track": [-2]}')
    assert read(path).detections.track.tolist() == [-2]


def test_it_goes_through_tables_and_joins():
    table = found().to_pandas()
    assert Detections.from_pandas(table).track.tolist() == TRACKS
    assert concatenate([found(), found(None)]).track is None
    assert concatenate([found(), found()]).track.tolist() == TRACKS * 2
