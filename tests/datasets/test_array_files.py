"""Arrays of NPZ files in blocks: each row once and in order, whatever their shape and order in memory."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from csist_bench.datasets.array_files import open_npz
from csist_bench.errors import InputError

STORED = {
    "rows": np.arange(7.0),
    "frames": np.arange(5 * 2 * 3, dtype=np.int16).reshape(5, 2, 3),
    "none": np.zeros((0, 4)),
}


@pytest.fixture
def archive(tmp_path):
    np.savez(tmp_path / "a.npz", **STORED, scalar=np.float32(2.5), turned=np.asfortranarray(STORED["frames"]))
    with open_npz(tmp_path / "a.npz") as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "length", "lengths"),
    [("rows", 3, [3, 3, 1]), ("rows", 7, [7]), ("frames", 2, [2, 2, 1]), ("frames", 9, [5]), ("none", 3, [0])],
)
def test_blocks_hold_each_row_once_and_in_order(archive, name, length, lengths):
    blocks = list(archive.blocks(name, length))
    assert [len(block) for block in blocks] == lengths
    assert np.array_equal(np.concatenate(blocks), STORED[name])
    assert blocks[0].dtype == STORED[name].dtype


def test_a_scalar_and_an_array_in_the_order_of_columns_are_one_block(archive):
    (scalar,) = archive.blocks("scalar", 3)
    assert (scalar.shape, float(scalar)) == ((), 2.5)
    (turned,) = archive.blocks("turned", 2)
    assert np.array_equal(turned, STORED["frames"])


@pytest.mark.parametrize("name", ["rows", "frames", "none", "turned", "scalar"])
def test_a_whole_array_is_read(archive, name):
    stored = {"turned": STORED["frames"], "scalar": np.float32(2.5)} | STORED
    assert np.array_equal(archive.read(name), stored[name])
    assert archive.read(name).shape == stored[name].shape


def test_an_array_shorter_than_its_shape_is_named(tmp_path):
    whole = io.BytesIO()
    np.save(whole, STORED["frames"])
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as file:
        file.writestr("frames.npy", whole.getvalue()[:-1])
    says = r"short\.npz: array 'frames' is shorter than its shape \(5, 2, 3\)$"
    with open_npz(tmp_path / "short.npz") as archive, pytest.raises(InputError, match=says):
        archive.read("frames")
