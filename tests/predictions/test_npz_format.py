"""NPZ files that are damaged."""

from __future__ import annotations

import zipfile

import numpy as np
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


def test_scalars_and_bombs_are_refused_by_name(tmp_path):
    np.savez(tmp_path / "scalar.npz", x=np.float64(1), y=np.float64(1), score=np.float64(1))
    with pytest.raises(InputError, match=r"scalar\.npz: x must hold one number per row, got shape \(\)"):
        read(tmp_path / "scalar.npz")
    zeros = np.zeros(10**7)
    np.savez_compressed(tmp_path / "bomb.npz", **dict.fromkeys(("trajectory", "frame", "x", "y", "score"), zeros))
    with pytest.raises(InputError, match=r"bomb\.npz must not unpack to over 50 times its size"):
        read(tmp_path / "bomb.npz")
    with zipfile.ZipFile(tmp_path / "token.npz", "w") as file:
        file.writestr("x.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '(((  \n")
    with pytest.raises(InputError, match=r"token\.npz: x: not a plain"):
        read(tmp_path / "token.npz")
