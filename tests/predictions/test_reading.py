"""Files that are no predictions: told apart by content and suffix."""

from __future__ import annotations

import gzip
import json

import pytest

from csist_bench.errors import InputError
from tests.helpers.prediction_files import ROW, file_of, read, refused, written


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


def test_missing_files_and_names_that_lie(tmp_path):
    with pytest.raises(InputError, match="not found"):
        read(tmp_path / "absent.json")
    refused(tmp_path, b"x,y,score\n", "be a npz file", name="p.npz")
    whole = gzip.compress(json.dumps(file_of(ROW)).encode())
    refused(tmp_path, whole[:-9], "damaged gzip", name="p.json.gz")
    assert len(read(written(tmp_path, whole, "p.json")).detections) == 1


def test_why_a_folder_cannot_be_read_is_said(tmp_path):
    with pytest.raises(InputError, match=r"null"):
        read(f"{tmp_path}/a\0b")
    with pytest.raises(InputError, match=r": File name too long$"):
        read(tmp_path / ("n" * 300) / "x")
