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


def test_heat_maps_in_half_precision_are_those_of_their_values(tmp_path):
    maps = heat_maps().astype(np.float16)
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    same(read(tmp_path / "maps.npz").detections, detections_from_grid(maps.astype(np.float32), 3, 70.0))
    maps[1, 2, 3, 4] = -np.inf
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    with pytest.raises(InputError, match=r"finite and at most 1e\+06 in size; offending: \(1, 2, 3, 4\): -inf"):
        read(tmp_path / "maps.npz")


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


@pytest.mark.parametrize(
    ("shape", "decoding", "taken"),
    [
        ((33, 33), Decoding(), True),
        ((33, 36), Decoding(), False),
        ((36, 33), Decoding(), False),
        ((34, 34), Decoding(), False),
        ((0, 0), Decoding(), False),
        ((1, 1), Decoding(c=1), True),
        ((512, 512), Decoding(c=1), True),
        ((513, 513), Decoding(c=1), False),
        ((33, 33), Decoding(size=11), True),
        ((36, 36), Decoding(size=11), False),
    ],
)
def test_sizes_that_are_read(tmp_path, shape, decoding, taken):
    maps = np.zeros((1, 1, *shape), np.uint8)
    np.savez(tmp_path / "maps.npz", heatmaps=maps, trajectory=np.array([2]), frame=np.array([7]))
    if taken:
        again = read(tmp_path / "maps.npz", decoding=decoding)
        assert (len(again.detections), again.header.n_frames, again.header.frames) == (0, 1, "7:8")
    else:
        side = "33" if decoding.size else rf"{decoding.c} \* size"
        with pytest.raises(
            InputError, match=rf"heatmaps must be numbers of shape \(trajectory, frame, {side}, {side}\)"
        ):
            read(tmp_path / "maps.npz", decoding=decoding)


def test_frames_are_told_where_they_are_a_range(tmp_path):
    for frame, told in (([4, 5, 6], "4:7"), ([4, 6, 5], None), ([4, 6, 8], None), ([], None), ([19], "19:20")):
        maps = np.zeros((N, len(frame), 33, 33), np.float32)
        np.savez(tmp_path / "maps.npz", heatmaps=maps, frame=np.array(frame, dtype=np.int64))
        header = read(tmp_path / "maps.npz").header
        assert (header.frames, header.n_frames) == (told, N * len(frame))


def test_places_that_are_not_finite_are_those_of_the_whole_file(tmp_path):
    maps = heat_maps()
    maps[3, 19, 32, 31], maps[0, 1, 2, 3], maps[1, 1, 1, 1] = np.inf, 1.1e6, 1e6
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    with pytest.raises(
        InputError, match=r"heatmaps must be finite and at most 1e\+06 in size.*\(0, 1, 2, 3\): 1100000"
    ):
        read(tmp_path / "maps.npz")
    maps[0, 1, 2, 3] = 0
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    with pytest.raises(InputError, match=r"\(3, 19, 32, 31\): inf"):
        read(tmp_path / "maps.npz")
    maps[3, 19, 32, 31] = 0
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    assert read(tmp_path / "maps.npz").detections.score.max() == 1e6
