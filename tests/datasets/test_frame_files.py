"""Frames of the user's own files: every type of number means the same."""

import os

import numpy as np
import pytest

from csist_bench.datasets.frame_files import read_bare_frames
from csist_bench.errors import InputError
from csist_bench.methods.inference import unmix
from csist_bench.simulation.camera import NOISE_FLOOR_INTEGER, Camera
from tests.helpers.sets import tiny_recipe


def frames(dtype="uint16"):
    from csist_bench.simulation.rendering import render_shard

    shard = render_shard(tiny_recipe("seqcsist", "bits=16", "dtype='uint16'"), range(2))
    return shard.frames.astype(dtype)


def answers(path, values):
    np.save(path, values)
    found = unmix(read_bare_frames(path), "ml")
    return found.x, found.y, found.sigma_x


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "uint32", "uint64", ">u2", ">i4"])
def test_whole_numbers_of_any_type_give_the_same_answers(tmp_path, dtype):
    expected = answers(tmp_path / "a.npy", frames())
    found = answers(tmp_path / "b.npy", frames(dtype))
    assert len(expected[0])
    assert all(np.array_equal(one, other) for one, other in zip(expected, found))


def test_negative_and_large_whole_numbers_keep_their_step(tmp_path):
    for name, values in {"negative": frames("int16") - 5, "large": frames("int64") + 10**6}.items():
        np.save(tmp_path / f"{name}.npy", values)
        source = read_bare_frames(tmp_path / f"{name}.npy")
        assert source.frames.dtype == np.float32
        assert np.array_equal(source.frames, values)
        camera = Camera.from_recipe(source.recipe)
        assert camera.noise_sigma == NOISE_FLOOR_INTEGER
        assert camera.saturation > values.max()


@pytest.mark.parametrize(("dtype", "order"), [("float32", "F"), (">f4", "C"), (">f8", "F"), ("float64", "C")])
def test_byte_order_and_memory_order_do_not_matter(tmp_path, dtype, order):
    values = frames("float32") + np.float32(0.25)
    np.save(tmp_path / "a.npy", np.asarray(values, dtype=dtype, order=order))
    assert np.array_equal(read_bare_frames(tmp_path / "a.npy").frames, values)


def test_a_shape_that_the_file_does_not_hold_is_refused_before_it_is_allocated(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 11, 11)))
    raw = (tmp_path / "a.npy").read_bytes()
    for shape in (b"(400000000, 11, 11), }", b"(2**70, 11, 11), }", b"(" + b"9" * 40 + b", 11, 11), }", b"((((((((, }"):
        (tmp_path / "b.npy").write_bytes(raw[:10] + raw[10:128].replace(b"(4, 11, 11), }", shape)[:118] + raw[128:])
        with pytest.raises(InputError, match=r"b\.npy"):
            read_bare_frames(tmp_path / "b.npy")


def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "folder.npy").mkdir()
    for name, kind in (("pipe", "a pipe"), ("folder", "a folder")):
        with pytest.raises(InputError, match=f"{name}.npy must be a file, got {kind}"):
            read_bare_frames(tmp_path / f"{name}.npy")
