"""PNG pictures and folders: mixed, coloured, missing and stray files are refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import csist_bench as cb
from csist_bench.errors import InputError
from tests.helpers.frame_files import pattern, write_png_folder, write_tiff


@pytest.fixture
def folder(tmp_path):
    """Frames 8..12 of a sequence."""
    write_png_folder(tmp_path / "seen", pattern("uint16", (5, 11, 11)))
    return tmp_path / "seen"


def refused(path, says, **options):
    with pytest.raises(InputError) as caught:
        cb.read_frames(path, **options)
    assert str(caught.value) == f"{path}{says}"


def save(path, array, mode=None):
    Image.fromarray(array).convert(mode).save(path) if mode else Image.fromarray(array).save(path)


def test_a_picture_is_one_frame(tmp_path):
    for dtype in ("uint8", "uint16"):
        save(tmp_path / "a.png", pattern(dtype)[0])
        read = cb.read_frames(tmp_path / "a.png")
        assert np.array_equal(read.frames[0, 0], pattern(dtype)[0])
        assert read.frames.dtype == dtype


def test_a_folder_is_its_pictures_in_the_order_of_their_numbers(folder):
    assert np.array_equal(cb.read_frames(folder).frames[0], pattern("uint16", (5, 11, 11)))
    for number in range(9, 13):
        (folder / f"cam2_{number}.png").unlink()
    assert np.array_equal(cb.read_frames(folder).frames[0], pattern("uint16", (5, 11, 11))[:1])


def test_missing_numbers_are_named(folder):
    (folder / "cam2_9.png").unlink()
    (folder / "cam2_11.png").unlink()
    remedy = (
        "number them anew, or pass --single-frames (in Python: single=True) for frames that do not follow each other"
    )
    refused(folder, f": frames must be numbered without gaps, 2 missing: 9, 11; {remedy}")
    assert cb.read_frames(folder, single=True).n_trajectories == 3
    (folder / "cam2_10.png").unlink()
    refused(folder, f": frames must be numbered without gaps, 3 missing: 9..11; {remedy}")


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (np.zeros((11, 12), np.uint16), "11 x 12 px of uint16"),
        (np.zeros((11, 11), np.uint8), "11 x 11 px of uint8"),
    ],
)
def test_another_size_or_depth_is_named(folder, array, got):
    save(folder / "cam2_10.png", array)
    says = f"must be 11 x 11 px of uint16 as cam2_8.png is, got {got}; all frames of a folder are of one size and depth"
    refused(folder, f"/cam2_10.png {says}")


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("RGB", "must be grey, got RGB; convert it to grey first"),
        ("RGBA", "must be grey, got RGB with transparency; convert it to grey first"),
        ("P", "must be grey, got a palette; convert it to grey first"),
        ("LA", "must be grey, got grey with transparency; convert it to grey first"),
        ("1", "must have 8 or 16 bits a pixel, got 1"),
    ],
)
def test_colours_are_named(folder, mode, says):
    save(folder / "cam2_10.png", np.zeros((11, 11), np.uint8), mode)
    refused(folder, f"/cam2_10.png {says}")


def test_stray_files_and_folders_are_named(folder):
    (folder / "notes.txt").write_text("x")
    rule = "must be a PNG or TIFF picture in a folder of frames, got"
    refused(folder, f"/notes.txt {rule} notes.txt; take it out of the folder")
    (folder / "notes.txt").unlink()
    (folder / "b").mkdir()
    refused(folder, f"/b {rule} a folder; take it out of the folder")


def test_names_that_do_not_count_frames_are_refused(folder):
    save(folder / "dark.png", np.zeros((11, 11), np.uint16))
    refused(folder, "/dark.png must be named as the others are but for its number, got beside cam2_10.png")
    (folder / "dark.png").unlink()
    save(folder / "cam2_08.png", np.zeros((11, 11), np.uint16))
    refused(folder, ": cam2_08.png and cam2_8.png have one number; keep one of them")
    (folder / "cam2_08.png").unlink()
    save(folder / "cam3_13.png", np.zeros((11, 11), np.uint16))
    found = "cam2_10.png and cam3_13.png; a folder holds one sequence"
    refused(folder, f": names must differ by one number, that of the frame, got {found}")


def test_a_stack_in_a_folder_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    write_tiff(tmp_path / "a" / "0.tif", pattern()[0])
    write_tiff(tmp_path / "a" / "1.tif", pattern())
    refused(tmp_path / "a", "/1.tif must hold one page in a folder of frames, got 5")


def test_damaged_and_false_pictures_are_refused(folder):
    whole = (folder / "cam2_10.png").read_bytes()
    (folder / "cam2_10.png").write_bytes(whole[:-30])
    with pytest.raises(InputError, match=r"cam2_10\.png: not a readable picture \("):
        cb.read_frames(folder)
    (folder / "cam2_10.png").write_bytes(b"GIF89a" + whole)
    refused(folder, "/cam2_10.png: not a PNG picture (it does not begin as one)")


def test_a_picture_that_unfolds_without_bounds_is_refused(tmp_path):
    Image.new("L", (20_000, 20_000)).save(tmp_path / "a.png")
    refused(tmp_path / "a.png", " must have at most 67108864 px, got 20000 x 20000")
    (tmp_path / "b").mkdir()
    for number in range(5):
        Image.new("L", (8000, 8000)).save(tmp_path / "b" / f"{number}.png")
    with pytest.raises(InputError, match=r"b must not unpack to over 50 times its size, got .* to 320000000 bytes"):
        cb.read_frames(tmp_path / "b")
