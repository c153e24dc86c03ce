"""Heat maps in Zarr stores."""

from __future__ import annotations

import itertools
import re
import shutil

import numpy as np
import pytest

from csist_bench.datasets.foreign_zarr import open_foreign
from csist_bench.detections import detections_from_grid
from csist_bench.errors import InputError
from csist_bench.predictions import Decoding, zarr_format
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


def stored(path, maps, chunks, order=(0, 1, 2, 3), names=("trajectory", "frame", "row", "column"), **index):
    """Store heat maps with their axes in an order, every chunk of them, and index arrays."""
    import zarr

    group = zarr.create_group(path)
    turned, about = maps.transpose(order), [names[axis] for axis in order]
    group.create_array(
        "heatmaps",
        shape=turned.shape,
        dtype=turned.dtype,
        chunks=[chunks[axis] for axis in order],
        dimension_names=about,
        config={"write_empty_chunks": True},
    )[:] = turned
    for name, values in index.items():
        group.create_array(name, data=values, config={"write_empty_chunks": True})
    return path


@pytest.mark.parametrize("itemsize", [1, 8])
@pytest.mark.parametrize("limit", [1, 18, 100, 719, 720, 10**6])
def test_blocks_are_whole_chunks_as_many_as_fit(monkeypatch, limit, itemsize):
    """Laid side by side they are all maps, and no longer block of chunks would have fitted."""
    monkeypatch.setattr(zarr_format, "BLOCK", limit)
    for n, t, *chunk in itertools.product((1, 4, 7), (1, 5, 6), (1, 3, 9), (1, 2, 9)):
        lengths = zarr_format._block((n, t, 3, 3), (*chunk, 3, 3), itemsize)
        held = [min(length, full) for length, full in zip(lengths, (n, t))]
        least = [min(c, full) for c, full in zip(chunk, (n, t))]
        assert all(a == full or a % c == 0 for a, c, full in zip(held, chunk, (n, t)))
        assert itemsize * 9 * held[0] * held[1] <= max(limit, itemsize * 9 * least[0] * least[1])
        assert held[0] == least[0] or held[1] == t  # whole trajectories before more of them
        wider = (held[0], held[1] + least[1]) if held[1] < t else (held[0] + least[0], t)
        assert held == [n, t] or itemsize * 9 * wider[0] * wider[1] > limit


@pytest.mark.parametrize(("limit", "order"), [(1, (0, 1, 2, 3)), (2**16, (1, 0, 3, 2)), (2**18, (3, 2, 1, 0))])
def test_maps_read_in_blocks_with_holes_are_those_of_the_whole(tmp_path, monkeypatch, limit, order):
    import zarr

    monkeypatch.setattr(zarr_format, "BLOCK", limit)
    maps, chunks = heat_maps(), (3, 7, 33, 11)
    path = stored(tmp_path / "maps.zarr", maps, chunks, order)
    for at in ((0, 0, 0, 0), (1, 2, 0, 1), (0, 1, 0, 0), (0, 1, 0, 1), (0, 1, 0, 2)):
        part = "/".join(str(at[axis]) for axis in order)
        (path / "heatmaps" / "c" / part).unlink()
        maps[tuple(slice(i * c, (i + 1) * c) for i, c in zip(at, chunks))] = 0
    decoding = Decoding(absent_chunks="empty")
    same(read(path, decoding=decoding).detections, detections_from_grid(maps, 3, 70.0))
    array = zarr.open_group(path, mode="r+")["heatmaps"]
    array[tuple((3, 15, 5, 31)[axis] for axis in order)] = np.nan
    with pytest.raises(InputError, match=r"heatmaps must be finite.* \(3, 15, 5, 31\): nan"):
        read(path, decoding=decoding)


def test_the_frames_of_an_absent_chunk_are_named(tmp_path, monkeypatch):
    plain = stored(tmp_path / "plain.zarr", heat_maps(), (2, 8, 33, 33))
    index = {"trajectory": np.array([3, 1, 2, 0]), "frame": np.arange(T)[::-1].copy()}
    named = stored(tmp_path / "named.zarr", heat_maps(), (2, 8, 33, 33), **index)

    def says(path, gone, words):
        (path / "heatmaps" / "c" / gone / "0" / "0").unlink()
        with pytest.raises(InputError, match=rf"the chunk of {re.escape(words)}: half written"):
            read(path)

    says(plain, "1/1", "trajectory 2..3, frame 8..15 is absent")
    (named / "heatmaps" / "c" / "1" / "2" / "0" / "0").unlink()
    says(named, "1/1", "trajectory 2..0, frame 11..4 is absent and 1 more")
    monkeypatch.setattr(zarr_format, "ABSENT_COUNTED", 2)
    says(plain, "0/1", "trajectory 0..1, frame 8..15 is absent and 1+ more")


def test_what_an_index_may_be(tmp_path):
    maps = heat_maps(2)
    with pytest.raises(InputError, match=r"frame must be one row of whole numbers in few chunks, got \(20, 1\)"):
        read(stored(tmp_path / "a.zarr", maps, (2, 8, 33, 33), frame=np.arange(T)[:, None]))
    path = stored(tmp_path / "b.zarr", maps, (2, 8, 33, 33), trajectory=np.array([1, 2]))
    same(read(path).detections, detections_from_grid(maps, 3, 70.0).shifted(1))
    (path / "trajectory" / "c" / "0").unlink()
    with pytest.raises(InputError, match=r"trajectory: a chunk of it is absent; write it again"):
        read(path)


def test_too_many_of_an_axis_are_refused_before_chunks_are_looked_for(tmp_path):
    for name, shape in (("trajectory", (N + 1, T)), ("frame", (N, T + 1))):
        path = stored(tmp_path / f"{name}.zarr", heat_maps(*shape), (1, 1, 33, 33))
        shutil.rmtree(path / "heatmaps" / "c")
        length = {"trajectory": N, "frame": T}[name]
        with pytest.raises(InputError, match=rf"axis {name} must have at most length {length}, got {length + 1}"):
            read(path)


@pytest.mark.parametrize("names", [("trajectory", "trajectory", "y", "x"), ("frame", "a", "b", "c")])
def test_names_of_axes_that_contradict_are_refused(tmp_path, names):
    path = stored(tmp_path / "maps.zarr", heat_maps(), (4, 8, 33, 33), names=names)
    with pytest.raises(InputError, match="dimension names must name trajectory, frame, y and x, each once"):
        read(path)


def test_chunks_may_be_small_and_large_up_to_a_limit(tmp_path, monkeypatch):
    """What is let through says how much the decoder holds at most: a block, or a chunk that reaches beyond the maps."""

    def most(*chunks, names=("sequence", "a", "Row", "c")):
        path = stored(tmp_path / f"{chunks}.zarr", heat_maps(), chunks, names=names)
        array = open_foreign(path, ("heatmaps",))["heatmaps"]
        return zarr_format._require_chunks(array, zarr_format._order(array)) / (33 * 33 * 4)

    assert most(2, 8, 33, 33) == N * T
    assert most(9, 40, 33, 33) == 9 * 40
    monkeypatch.setattr(zarr_format, "FEW_CHUNKS", 0)
    assert most(1, 1, 17, 17) == N * T  # four a frame
    with pytest.raises(InputError, match=r"chunks must be at most 4 a frame, got 480 of \(1, 1, 17, 16\)"):
        most(1, 1, 17, 16)
    monkeypatch.setattr(zarr_format, "BLOCK", 1)
    monkeypatch.setattr(zarr_format, "LARGEST_CHUNK", 3 * 7 * 33 * 33 * 4)
    assert most(3, 7, 33, 33) == 3 * 7
    monkeypatch.setattr(zarr_format, "LARGEST_CHUNK", 3 * 7 * 33 * 33 * 4 - 1)
    with pytest.raises(InputError, match=r"chunks must be readable in blocks of 0 MiB"):
        most(3, 7, 33, 32)
