"""Frames of the user's own files: every form, type and byte order of the same numbers means the same."""

from __future__ import annotations

import os

import numpy as np
import pytest

import csist_bench as cb
from csist_bench.datasets import open_dataset
from csist_bench.datasets.frame_files import BareFrames, read_bare_frames
from csist_bench.datasets.frame_kinds import frame_form
from csist_bench.errors import InputError
from csist_bench.methods.inference import unmix
from csist_bench.simulation.camera import NOISE_FLOOR_INTEGER, Camera
from tests.helpers import frame_files as forms
from tests.helpers.frame_files import pattern
from tests.helpers.sets import tiny_recipe

FORMS = {
    "npy": ("a.npy", forms.write_npy, "TYX"),
    "npz": ("a.npz", forms.write_npz, "TYX"),
    "zarr": ("a.zarr", forms.write_zarr, "TYX"),
    "tiff": ("a.tif", forms.write_tiff, None),
    "fits": ("a.fits", forms.write_fits, None),
    "mat": ("a.mat", forms.write_mat, "YXT"),
    "folder": ("a", forms.write_tiff_folder, None),
}
TYPES = ["uint8", "<u2", ">u2", "<i2", ">i2", "<i4", ">i4", "<u4", "<f4", ">f4", "<f8", ">f8"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_the_array_that_was_written(tmp_path, form, dtype):
    name, write, order = FORMS[form]
    frames = pattern(dtype)
    write(tmp_path / name, frames)
    read = cb.read_frames(tmp_path / name, order=order)
    assert frame_form(tmp_path / name) == form
    assert read.frame_shape == (5, 11, 12)
    assert np.array_equal(read.frames[0], frames)
    whole = "uint16" if np.dtype(dtype).itemsize > 1 else "uint8"
    assert read.frames.dtype == (whole if frames.dtype.kind in "iu" else "float32")
    assert "5 frames of 11 x 12 (rows x columns)" in read.note
    single = cb.read_frames(tmp_path / name, order=order, single=True)
    assert single.frames.shape == (5, 1, 11, 12)
    assert "5 single frames" in single.note
    with pytest.raises(InputError, match="frames without targets are no data set"):
        open_dataset(tmp_path / name)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_folder_of_png_is_in_the_order_of_its_numbers(tmp_path, dtype):
    frames = pattern(dtype)
    forms.write_png_folder(tmp_path / "seen", frames)
    for junk in (".DS_Store", "Thumbs.db"):
        (tmp_path / "seen" / junk).write_bytes(b"x")
    read = cb.read_frames(tmp_path / "seen")
    assert np.array_equal(read.frames[0], frames)
    said = f"5 PNG files, cam2_8.png to cam2_12.png: 5 frames of 11 x 12 (rows x columns), {dtype}"
    assert read.note == f"{tmp_path / 'seen'}: {said}"


@pytest.mark.parametrize(
    ("name", "write"), [("a.npy", forms.write_npy), ("a.zarr", forms.write_zarr), ("a.npz", forms.write_npz)]
)
def test_what_numpy_writes_needs_no_order_where_frames_are_square(tmp_path, name, write):
    write(tmp_path / name, pattern(shape=(5, 11, 11)))
    assert cb.read_frames(tmp_path / name).frame_shape == (5, 11, 11)


@pytest.mark.parametrize(
    ("shape", "taken"), [((11, 12), (1, 11, 12)), ((4, 11, 12), (4, 11, 12)), ((2, 4, 11, 12), (4, 11, 12))]
)
def test_arrays_in_memory_are_frames_rows_columns(shape, taken):
    array = pattern(shape=shape)
    made = BareFrames.of(array)
    assert made.frame_shape == taken
    assert np.array_equal(made.frames.reshape(shape), array)
    array[...] = 0
    assert made.frames.any()


def test_arrays_in_memory_that_look_like_matlabs_are_asked_for_their_order():
    with pytest.raises(InputError, match=r"the array must tell which axis is what by its shape, got \(11, 11, 500\); "):
        BareFrames.of(np.zeros((11, 11, 500)))
    assert BareFrames.of(np.zeros((11, 11, 500)), order="YXT").frame_shape == (500, 11, 11)


def test_large_frames_and_long_sequences_are_read(tmp_path):
    assert BareFrames.of(np.zeros((2, 512, 640), np.uint16)).frame_shape == (2, 512, 640)
    assert BareFrames.of(np.zeros((12_000, 5, 5), np.uint8), single=True).n_trajectories == 12_000
    assert BareFrames.of(np.zeros((12_000, 5, 5), np.uint8)).n_frames == 12_000


def test_whole_numbers_that_float32_does_not_hold_are_said():
    assert "grey levels beyond 2^24 are kept to 7 digits" in BareFrames.of(np.full((5, 5), 2**24 + 1)).note
    assert "2^24" not in BareFrames.of(np.full((5, 5), 2**24)).note
    wide = np.zeros((5, 5), np.int64)
    wide[0, 0] = -(2**24) - 1
    assert "2^24" in BareFrames.of(wide).note


def test_what_is_only_assumed_is_named(tmp_path):
    assumed = BareFrames.of(np.zeros((5, 5))).assumed
    assert set(assumed) == {"psf_sigma", "noise_sigma", "gain", "background", "saturation", "intensity"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.jpg", r"must be \.npy, \.npz, \.tif, \.png, \.fits or \.mat files, folders .*, got none of these"),
        ("none", "got no such file"),
    ],
)
def test_what_is_no_such_form_is_told_what_is_read(tmp_path, name, says):
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match=says):
        cb.read_frames(tmp_path / name)


def test_an_array_is_named_only_where_there_may_be_several(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 5)))
    with pytest.raises(InputError, match=r"--array must be left out for .*a\.npy, which holds one array, got z"):
        cb.read_frames(tmp_path / "a.npy", array="z")


# --- numbers of every type ---


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
