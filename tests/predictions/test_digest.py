"""The digest in the header of files written here."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.files.convention import Convention
from csist_bench.predictions import Header, write_predictions
from tests.helpers.prediction_files import read, same, sample, written

HEADER = Header({"name": "ISTA", "settings": {"a": 1, "b": (2.5, None)}}, "seqcsist", "test", "sha256:00", 64, "2:18")


@pytest.fixture
def content(tmp_path):
    write_predictions(tmp_path / "true.json", sample(), HEADER)
    return json.loads((tmp_path / "true.json").read_bytes())


def test_a_file_may_be_packed_sorted_and_formatted_anew(tmp_path, content):
    assert content["digest"].startswith("sha256:")
    same(read(written(tmp_path, content)).detections, sample())
    content["predictions"].reverse()
    for data in (json.dumps(content, indent=1).encode(), gzip.compress(json.dumps(content, sort_keys=True).encode())):
        same(read(written(tmp_path, data)).detections, sample())
    asked = Convention(first_frame=0, origin="corner", axes="yx")
    assert read(written(tmp_path, content), convention=asked).convention == asked


@pytest.mark.parametrize("change", ["score", "row", "name", "fingerprint", "n_frames", "setting", "column"])
def test_any_change_of_what_it_says_is_refused(tmp_path, content, change):
    if change == "score":
        content["predictions"][3]["score"] = np.nextafter(content["predictions"][3]["score"], 0)
    elif change == "row":
        del content["predictions"][3]
    elif change == "name":
        content["method"]["name"] = "ISTa"
    elif change == "fingerprint":
        content["dataset"]["fingerprint"] = "sha256:01"
    elif change == "n_frames":
        content["n_frames"] = 65
    elif change == "setting":
        content["method"]["settings"]["b"][0] = 2.6
    else:
        for row in content["predictions"]:
            del row["sigma_x"]
    with pytest.raises(InputError, match="content must be what the digest in its header says") as caught:
        read(written(tmp_path, content))
    assert "take 'digest' out of its header" in str(caught.value)
    del content["digest"]
    assert len(read(written(tmp_path, content)).detections) == 30 - (change == "row")


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".npz", ".parquet"])
def test_every_flipped_bit_is_found_or_changes_nothing(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"true{suffix}"
    write_predictions(path, sample(), HEADER)
    true = read(path)
    data = path.read_bytes()
    rng = np.random.default_rng(7)
    for bit in rng.choice(8 * len(data), 150, replace=False).tolist():
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            again = read(written(tmp_path, bytes(flipped), f"flipped{suffix}"))
        except InputError:
            continue
        same(again.detections, true.detections)
        # The name under which NPZ and Parquet keep the header may be what was hit: that is said.
        assert again.header == true.header or "no header" in again.warnings[-1]
