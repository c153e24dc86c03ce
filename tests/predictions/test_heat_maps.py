"""Heat maps in NPZ files."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.detections import detections_from_grid
from csist_bench.errors import InputError
from csist_bench.predictions import Decoding
from tests.helpers.prediction_files import N, T, read, same


def heat_maps(n=N, t=T, seed=2):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, t, 33, 33)) < 0.003, rng.uniform(40, 250, (n, t, 33, 33)), 0.0).astype(np.float32)


def test_heat_maps_are_decoded_as_published(tmp_path):
    maps = heat_maps()
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    again = read(tmp_path / "maps.npz")
    same(again.detections, detections_from_grid(maps, 3, 70.0))
    assert again.header.n_frames == N * T
    low = read(tmp_path / "maps.npz", decoding=Decoding(threshold=50.0))
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
        ({"heatmaps": np.array([None])}, "objects, which are never unpickled"),
    ],
)
def test_bad_arrays(tmp_path, arrays, part):
    np.savez(tmp_path / "maps.npz", **arrays)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "maps.npz")
    assert part in str(caught.value)
