"""The header against the data."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.predictions import Header
from tests.helpers.prediction_files import ROW, N, T, file_of, read, refused, written


def test_header_with_names_alone(tmp_path):
    header = read(written(tmp_path, file_of(ROW, method="ISTA", dataset="seqcsist"))).header
    assert (header.method, header.dataset, header.fingerprint) == ({"name": "ISTA"}, "seqcsist", None)


def test_mismatch_is_of_fingerprint_or_split():
    header = Header(fingerprint="sha256:1", split="val")
    assert "fingerprint" in header.mismatch("sha256:2", "val")
    assert "split must be 'test'" in header.mismatch("sha256:1", "test")
    assert header.mismatch("sha256:1", "val") is None
    assert Header().mismatch("sha256:1", "test") is None


@pytest.mark.parametrize("form", ["npz", "parquet", "zarr"])
def test_a_file_without_a_header_says_what_is_not_verified(tmp_path, form):
    path = tmp_path / f"p.{form}"
    if form == "npz":
        np.savez(path, **{name: np.array([value]) for name, value in ROW.items()})
    elif form == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pytest.importorskip("pyarrow").table({name: [value] for name, value in ROW.items()}), path)
    else:
        pytest.importorskip("zarr").create_array(path, data=np.ones((N, T, 33, 33), np.uint8))
    again = read(path)
    assert [warning.partition(": ")[2] for warning in again.warnings] == [
        "no header; data set and coverage are not verified"
    ]
    assert not again.header.names_data


def test_fingerprints_of_both_kinds():
    both = Header(fingerprint="sha256:1", fingerprint_v2="sha256-v2:1")
    assert both.names_data
    assert Header(fingerprint_v2="sha256-v2:1").names_data
    assert both.mismatch("sha256:1", "test", lambda: "sha256-v2:1") is None
    assert both.mismatch("sha256:1", "test") is None  # data of the first version know no second
    assert "sha256-v2:2" in both.mismatch("sha256:1", "test", lambda: "sha256-v2:2")
    assert "sha256:2" in both.mismatch("sha256:2", "test", lambda: "sha256-v2:1")
    assert "None" in Header(fingerprint_v2="sha256-v2:1").mismatch("sha256:1", "test")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"format": "other@2"}, "$.format must be"),
        ({"n_frames": -1}, "$.n_frames must be a number of frames"),
        ({"n_frames": 1.5}, "$.n_frames must be a whole number"),
        ({"n_frames": True}, "$.n_frames must be a whole number"),
        ({"frames": 3}, "$.frames must be text"),
        ({"dataset": {"split": 3}}, "$.dataset.split must be text"),
        ({"method": [1]}, "$.method must be an object"),
    ],
)
def test_a_header_that_is_wrong(tmp_path, change, part):
    refused(tmp_path, file_of(ROW, **change), part)


def test_a_header_may_leave_out_anything(tmp_path):
    again = read(written(tmp_path, {"predictions": [ROW], "n_frames": 0}))
    assert again.header == Header(n_frames=0)
    assert "no 'format' field" in again.warnings[0]
    assert read(written(tmp_path, file_of(ROW))).warnings == []
