"""NPZ files that are damaged."""

from __future__ import annotations

import zipfile

import pytest

from csist_bench.errors import InputError
from csist_bench.predictions import Header, write_predictions
from tests.helpers.prediction_files import read, refused, sample


def test_truncated_npz(tmp_path):
    write_predictions(tmp_path / "p.npz", sample(), Header())
    data = (tmp_path / "p.npz").read_bytes()
    for cut in range(4, len(data) - 1, 97):
        refused(tmp_path, data[:cut], "not a readable NPZ", name="cut.npz")
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as file:
        file.writestr("heatmaps.npy", b"not an array")
    with pytest.raises(InputError, match=r"heatmaps: not a plain \.npy array"):
        read(tmp_path / "odd.npz")
