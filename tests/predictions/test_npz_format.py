"""NPZ files that are damaged."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from csist_bench.datasets.array_files import open_npz
from csist_bench.errors import InputError
from csist_bench.predictions import Header, npz_format, write_predictions
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


@pytest.mark.parametrize(
    ("limit", "lengths"),
    [(1, [1] * 5), (719, [1] * 5), (720, [1] * 5), (1439, [1] * 5), (1440, [2, 2, 1]), (3600, [5]), (10**9, [5])],
)
def test_heat_maps_are_read_in_blocks_of_whole_trajectories(tmp_path, monkeypatch, limit, lengths):
    """A trajectory is 2 frames of 9 x 10 numbers of 4 bytes: as many as fit, at least one, each once and in order."""
    monkeypatch.setattr(npz_format, "BLOCK", limit)
    maps = np.arange(5 * 2 * 9 * 10, dtype=np.float32).reshape(5, 2, 9, 10)
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    with open_npz(tmp_path / "maps.npz") as archive:
        found = list(npz_format._PackedMaps(archive, maps.shape, maps.dtype).blocks())
    assert [len(values) for _, _, values in found] == lengths
    assert [first for first, _, _ in found] == np.cumsum([0, *lengths[:-1]]).tolist()
    assert {start for _, start, _ in found} == {0}
    np.testing.assert_array_equal(np.concatenate([values for _, _, values in found]), maps)


def test_maps_without_a_frame_are_no_block_of_many(tmp_path):
    np.savez(tmp_path / "maps.npz", heatmaps=np.zeros((4, 0, 33, 33)), frame=np.zeros(0, np.int64))
    again = read(tmp_path / "maps.npz")
    assert (len(again.detections), again.header.n_frames) == (0, 0)
