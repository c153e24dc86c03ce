"""Which paths hold frames without targets."""

from __future__ import annotations

import pytest
import zarr

from csist_bench.datasets.frame_kinds import frame_form, is_bare_frames


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.npy", "npy"),
        ("b.NPY", "npy"),
        ("a.npz", "npz"),
        ("a.TIFF", "tiff"),
        ("a.fit", "fits"),
        ("a.mat", "mat"),
        ("a.png", "png"),
        ("a.jpg", None),
        ("a.csv", None),
        ("a", None),
        ("s3://bucket/set.zarr", None),
        ("a\0b", None),
    ],
)
def test_the_suffix_tells(name, form):
    assert frame_form(name) == form
    assert is_bare_frames(name) == (form is not None)


def test_a_folder_is_told_by_what_is_in_it(tmp_path):
    assert frame_form(tmp_path) is None
    (tmp_path / "notes.txt").touch()
    assert frame_form(tmp_path) is None
    (tmp_path / "0.PNG").touch()
    assert frame_form(tmp_path) == "folder"


def test_a_store_of_arrays_is_told_from_a_data_set_and_a_damaged_one(tmp_path):
    zarr.create_group(tmp_path / "empty.zarr")
    assert frame_form(tmp_path / "empty.zarr") is None
    zarr.create_array(tmp_path / "empty.zarr" / "z", shape=(2, 5, 5), dtype="u2")
    assert frame_form(tmp_path / "empty.zarr") == "zarr"
    assert frame_form("data/sample/seqcsist.zarr") is None
    (tmp_path / "empty.zarr" / "zarr.json").write_text("{")
    assert frame_form(tmp_path / "empty.zarr") is None
