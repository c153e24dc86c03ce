"""MAT files: version 5 is read, 7.3 says how to save again, and variables are told apart."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

import csist_bench as cb
from csist_bench.errors import InputError
from tests.helpers.frame_files import pattern


def refused(path, says, **options):
    with pytest.raises(InputError) as caught:
        cb.read_frames(path, **options)
    assert str(caught.value) == f"{path}{says}"


def test_frames_of_matlab_are_rows_columns_frames(tmp_path):
    frames = pattern(shape=(50, 11, 11))
    savemat(tmp_path / "a.mat", {"z": frames.transpose(1, 2, 0), "rate": 100.0, "who": "me", "on": True})
    read = cb.read_frames(tmp_path / "a.mat")
    assert np.array_equal(read.frames[0], frames)
    assert read.note == f"{tmp_path / 'a.mat'}: variable 'z', (11, 11, 50) as YXT: 50 frames of 11 x 11, uint16"


def test_one_frame_is_a_matrix(tmp_path):
    savemat(tmp_path / "a.mat", {"z": pattern()[0]})
    assert np.array_equal(cb.read_frames(tmp_path / "a.mat").frames[0, 0], pattern()[0])


def test_several_variables_are_asked_for(tmp_path):
    savemat(tmp_path / "a.mat", {"z": np.ones((11, 11, 5)), "dark": np.zeros((11, 11))})
    named = "got z (11, 11, 5), dark (11, 11); pass --array NAME (in Python: array)"
    refused(tmp_path / "a.mat", f": the variable of frames must be one, or be named, {named}")
    assert cb.read_frames(tmp_path / "a.mat", array="z").frames.min() == 1


def test_an_order_that_the_shape_does_not_tell_is_asked_for(tmp_path):
    savemat(tmp_path / "a.mat", {"z": np.zeros((5, 11, 11))})
    with pytest.raises(InputError, match=r"must tell which axis is what by its shape, got \(5, 11, 11\)"):
        cb.read_frames(tmp_path / "a.mat")
    assert cb.read_frames(tmp_path / "a.mat", order="TYX").n_frames == 5


@pytest.mark.parametrize(
    ("value", "kind"),
    [(np.zeros((5, 5)) + 1j, None), (np.zeros((5, 5), bool), "logical"), ({"a": 1}, "struct"), ("words", "char")],
)
def test_what_is_no_array_of_real_numbers_is_refused(tmp_path, value, kind):
    savemat(tmp_path / "a.mat", {"z": value})
    says = "hold frames of whole or floating-point numbers, got complex128"
    with pytest.raises(
        InputError, match=f"variable 'z' must be an array of real numbers, got {kind}" if kind else says
    ):
        cb.read_frames(tmp_path / "a.mat")


def test_version_7_3_says_how_to_save_again(tmp_path):
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon".ljust(124) + b"\x00\x02IM"
    (tmp_path / "a.mat").write_bytes(head.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    remedy = "save it again in MATLAB: save('a.mat', 'NAME', '-v7')"
    refused(tmp_path / "a.mat", f" must be a MAT file of version 5, got one of version 7.3 (HDF5); {remedy}")


def test_what_is_no_mat_file_or_cut_short_is_refused(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"garbage" * 30)
    refused(tmp_path / "a.mat", ": not a MAT file of version 5; save it in MATLAB with: save(..., '-v7')")
    savemat(tmp_path / "b.mat", {"z": np.zeros((11, 11, 5))})
    (tmp_path / "b.mat").write_bytes((tmp_path / "b.mat").read_bytes()[:400])
    with pytest.raises(InputError, match=r"b\.mat: not a readable MAT file \("):
        cb.read_frames(tmp_path / "b.mat")


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def bomb(shape, count):
    """A compressed variable that claims a shape and holds `count` zero bytes."""
    numbers = element(6, struct.pack("<II", 9, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    inside = numbers + element(1, b"z") + struct.pack("<II", 2, count)
    packed = zlib.compress(struct.pack("<II", 14, len(inside) + count) + inside + bytes(count), 9)
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed


def test_variables_that_unfold_without_bounds_are_refused_before_they_are_allocated(tmp_path):
    (tmp_path / "a.mat").write_bytes(bomb((10_000, 10_000, 1000), 100))
    with pytest.raises(InputError, match=r"must not unpack to over 50 times its size, got .* to 100000000000 bytes"):
        cb.read_frames(tmp_path / "a.mat", order="YXT")
    half = bomb((11, 11, 5), 150 * 2**20)
    (tmp_path / "b.mat").write_bytes(half + half[128:])  # two variables that are over the bound together
    with pytest.raises(InputError, match="must not unpack to over 50 times its size"):
        cb.read_frames(tmp_path / "b.mat")
