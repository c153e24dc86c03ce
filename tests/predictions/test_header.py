"""The header against the data."""

from __future__ import annotations

from csist_bench.predictions import Header
from tests.helpers.prediction_files import ROW, file_of, read, written


def test_header_with_names_alone(tmp_path):
    header = read(written(tmp_path, file_of(ROW, method="ISTA", dataset="seqcsist"))).header
    assert (header.method, header.dataset, header.fingerprint) == ({"name": "ISTA"}, "seqcsist", None)


def test_mismatch_is_of_fingerprint_or_split():
    header = Header(fingerprint="sha256:1", split="val")
    assert "fingerprint" in header.mismatch("sha256:2", "val")
    assert "split must be 'test'" in header.mismatch("sha256:1", "test")
    assert header.mismatch("sha256:1", "val") is None
    assert Header().mismatch("sha256:1", "test") is None
