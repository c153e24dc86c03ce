"""NPZ files and Zarr stores of frames."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
import zarr

import csist_bench as cb
from csist_bench.datasets.frame_kinds import frame_form
from csist_bench.errors import InputError
from tests.helpers.frame_files import pattern


def test_an_array_of_several_is_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", z=np.ones((5, 11, 11)), dark=np.zeros((11, 11)), rate=3.0)
    with pytest.raises(
        InputError, match=r"must be one, or be named, got z \(5, 11, 11\), dark \(11, 11\); pass --array"
    ):
        cb.read_frames(tmp_path / "a.npz")
    assert cb.read_frames(tmp_path / "a.npz", array="dark").frame_shape == (1, 11, 11)
    with pytest.raises(InputError, match=r"unknown array of .*a\.npz: 'darc'; did you mean 'dark'\?"):
        cb.read_frames(tmp_path / "a.npz", array="darc")


def test_objects_and_bombs_in_an_archive_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", z=np.array([1, None], object))
    with pytest.raises(InputError, match="it holds objects, which are never unpickled"):
        cb.read_frames(tmp_path / "a.npz")
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 100, 100)})
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as file:
        file.writestr("z.npy", head.getvalue())
    with pytest.raises(InputError, match="must not unpack to over 50 times its size"):
        cb.read_frames(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"PK garbage")
    with pytest.raises(InputError, match=r"c\.npz: not a readable NPZ file"):
        cb.read_frames(tmp_path / "c.npz")


@pytest.mark.parametrize("version", [2, 3])
def test_an_array_of_a_group_is_found_or_asked_for(tmp_path, version):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=version)
    group.create_array("z", data=pattern(shape=(5, 11, 11)), chunks=(2, 4, 11))
    assert frame_form(tmp_path / "a.zarr") == "zarr"
    read = cb.read_frames(tmp_path / "a.zarr")
    assert np.array_equal(read.frames[0], pattern(shape=(5, 11, 11)))
    assert "array 'z', (5, 11, 11) as TYX" in read.note
    group.create_array("dark", data=pattern(shape=(11, 11)))
    with pytest.raises(InputError, match=r"got dark \(11, 11\), z \(5, 11, 11\); pass --array NAME"):
        cb.read_frames(tmp_path / "a.zarr")
    assert cb.read_frames(tmp_path / "a.zarr", array="z").n_frames == 5
    with pytest.raises(InputError, match=r"unknown array of .*a\.zarr: 'y'"):
        cb.read_frames(tmp_path / "a.zarr", array="y")


def test_names_of_dimensions_tell_the_axes(tmp_path):
    frames = pattern(shape=(5, 11, 12))
    names = ("y", "x", "time")
    zarr.create_array(tmp_path / "a.zarr", data=frames.transpose(1, 2, 0), dimension_names=names)
    read = cb.read_frames(tmp_path / "a.zarr")
    assert np.array_equal(read.frames[0], frames)
    with pytest.raises(InputError, match=r"--array must be left out for .*a\.zarr, which is an array itself, got z"):
        cb.read_frames(tmp_path / "a.zarr", array="z")


def test_an_absent_chunk_is_refused(tmp_path):
    frames = pattern(shape=(4, 11, 11))
    frames[2:] = 0
    zarr.create_array(tmp_path / "a.zarr", data=frames, chunks=(2, 11, 11))
    with pytest.raises(InputError, match=r"a\.zarr: the chunk of \[2:4, 0:11, 0:11\] is absent: half written"):
        cb.read_frames(tmp_path / "a.zarr")


def test_blocks_of_whole_chunks_are_the_array(tmp_path, monkeypatch):
    from csist_bench.datasets.frame_formats import arrays

    monkeypatch.setattr(arrays, "BLOCK", 500)
    zarr.create_array(tmp_path / "a.zarr", data=pattern(shape=(5, 11, 11)), chunks=(2, 5, 4))
    assert np.array_equal(cb.read_frames(tmp_path / "a.zarr").frames[0], pattern(shape=(5, 11, 11)))


def test_the_worker_has_memory_for_the_largest_region(tmp_path, monkeypatch):
    """Wherever it stands among them: of five frames two by two the last is alone."""
    from csist_bench.datasets.frame_formats import arrays

    sizes, decoder = [], arrays.decoder

    def noted(store, largest):
        sizes.append(largest)
        return decoder(store, largest)

    monkeypatch.setattr(arrays, "decoder", noted)
    monkeypatch.setattr(arrays, "BLOCK", 500)
    zarr.create_array(tmp_path / "a.zarr", data=pattern("uint16", (5, 11, 11)), chunks=(2, 11, 11))
    cb.read_frames(tmp_path / "a.zarr")
    assert sizes == [2 * 11 * 11 * 2]


def test_a_store_that_unfolds_without_bounds_is_refused_before_it_is_decoded(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=pattern(shape=(4, 11, 11)), chunks=(4, 11, 11))
    about = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    about["shape"] = [4, 10_000, 10_000]
    about["chunk_grid"]["configuration"]["chunk_shape"] = [1, 10_000, 10_000]
    (tmp_path / "a.zarr" / "zarr.json").write_text(json.dumps(about))
    for number in range(1, 4):
        chunk = tmp_path / "a.zarr" / "c" / str(number) / "0"
        chunk.mkdir(parents=True)
        (chunk / "0").write_bytes((tmp_path / "a.zarr" / "c" / "0" / "0" / "0").read_bytes())
    with pytest.raises(InputError, match=r"must not unpack to over 50 times its size, got .* to 800000000 bytes"):
        cb.read_frames(tmp_path / "a.zarr")


def test_a_data_set_is_no_file_of_frames():
    assert frame_form("data/sample/seqcsist.zarr") is None
    with pytest.raises(
        InputError, match=r"frames data/sample/seqcsist\.zarr must be .*, Zarr arrays, got none of these"
    ):
        cb.read_frames("data/sample/seqcsist.zarr")
