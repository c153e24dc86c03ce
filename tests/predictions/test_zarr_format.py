"""Heat maps in Zarr stores."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.detections import detections_from_grid
from csist_bench.errors import InputError
from tests.helpers.prediction_files import N, T, read, same


def heat_maps(n=N, t=T, seed=2):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, t, 33, 33)) < 0.003, rng.uniform(40, 250, (n, t, 33, 33)), 0.0).astype(np.float32)


def test_zarr_heat_maps(tmp_path):
    import zarr

    maps = heat_maps(2, 16)
    group = zarr.create_group(tmp_path / "maps.zarr")
    for name, values in (("heatmaps", maps), ("trajectory", np.array([0, 2])), ("frame", np.arange(2, 18))):
        group.create_array(name, data=values)
    np.savez(tmp_path / "maps.npz", heatmaps=maps, trajectory=np.array([0, 2]), frame=np.arange(2, 18))
    same(read(tmp_path / "maps.zarr").detections, read(tmp_path / "maps.npz").detections)
    zarr.create_array(tmp_path / "bare.zarr", data=heat_maps())
    same(read(tmp_path / "bare.zarr").detections, detections_from_grid(heat_maps(), 3, 70.0))
    zarr.create_group(tmp_path / "other.zarr").create_array("frames", data=maps)
    with pytest.raises(InputError, match="must hold an array 'heatmaps'"):
        read(tmp_path / "other.zarr")
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr" / "zarr.json").write_text("cut sh")
    with pytest.raises(InputError, match="not a readable Zarr store"):
        read(tmp_path / "broken.zarr")
