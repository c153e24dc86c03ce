"""TIFF stacks: what Pillow and tifffile read, and what is refused by name."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress

import numpy as np
import pytest
import tifffile
from PIL import Image

import csist_bench as cb
from csist_bench.errors import InputError
from tests.helpers.frame_files import pattern, write_tiff


def refused(path, says):
    with pytest.raises(InputError) as caught:
        cb.read_frames(path)
    assert str(caught.value) == f"{path}{says}"


@pytest.mark.parametrize("compression", [None, "deflate", "tiff_lzw", "packbits"])
def test_packed_pages_are_read(tmp_path, compression):
    frames = pattern("uint16")
    pages = [Image.fromarray(frame) for frame in frames]
    options = {} if compression is None else {"compression": compression}
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], **options)
    read = cb.read_frames(tmp_path / "a.tif")
    assert np.array_equal(read.frames[0], frames)
    assert read.note.endswith("a.tif: 5 pages: 5 frames of 11 x 12 (rows x columns), uint16")


@pytest.mark.parametrize("dtype", ["float64", "float16", "uint64", "int64"])
def test_other_types_are_read_by_tifffile(tmp_path, dtype):
    write_tiff(tmp_path / "a.tif", pattern(dtype))
    assert np.array_equal(cb.read_frames(tmp_path / "a.tif").frames[0], pattern(dtype))


def test_bigtiff_and_one_page_are_read(tmp_path):
    tifffile.imwrite(tmp_path / "big.tif", pattern(), bigtiff=True, photometric="minisblack")
    assert np.array_equal(cb.read_frames(tmp_path / "big.tif").frames[0], pattern())
    write_tiff(tmp_path / "one.tiff", pattern()[0])
    assert cb.read_frames(tmp_path / "one.tiff").frame_shape == (1, 11, 12)


def test_a_stack_of_an_older_tifffile_names_its_shape_last(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pattern(), photometric="minisblack", metadata={"axes": "TYX"}, truncate=True)
    said = b'"shape": [5, 11, 12], "axes": "TYX", "truncated": true'
    old = b'"axes": "TYX", "truncated": true, "shape": [5, 11, 12]'
    path.write_bytes(path.read_bytes().replace(said, old))
    assert old in path.read_bytes()
    assert np.array_equal(cb.read_frames(path).frames[0], pattern())


def test_a_stack_of_imagej_that_has_one_page_for_all_is_read_whole(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", pattern(), photometric="minisblack", metadata={"axes": "TYX"}, truncate=True)
    with Image.open(tmp_path / "a.tif") as image:
        assert image.n_frames == 1
    assert np.array_equal(cb.read_frames(tmp_path / "a.tif").frames[0], pattern())


def test_four_axes_are_sequences(tmp_path):
    frames = np.stack([pattern(shape=(4, 11, 11)), 3 + pattern(shape=(4, 11, 11))])
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    read = cb.read_frames(tmp_path / "a.tif")
    assert np.array_equal(read.frames, frames)
    assert "(2, 4, 11, 11) as NTYX: 2 sequences of 4 frames" in read.note


def test_several_channels_of_imagej_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 2, 11, 11), np.uint16), imagej=True, metadata={"axes": "TCYX"})
    says = " must be one sequence of frames, got 2 channels, 3 frames; save each sequence as a file of its own"
    refused(tmp_path / "a.tif", says)


def test_colours_inverted_and_bilevel_pages_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((11, 11, 3), np.uint8), photometric="rgb")
    refused(tmp_path / "rgb.tif", ": page 0 must be grey, got colours (RGB); convert it to grey first")
    tifffile.imwrite(tmp_path / "white.tif", np.zeros((11, 11), np.uint8), photometric="miniswhite")
    says = ": page 0 must have 0 for black, got 0 for white; save it with PhotometricInterpretation 1"
    refused(tmp_path / "white.tif", says)
    tifffile.imwrite(tmp_path / "bits.tif", np.zeros((11, 11), bool), photometric="minisblack")
    refused(tmp_path / "bits.tif", ": page 0 must have 8, 16 or 32 bits a pixel, got 1")


def test_pages_of_other_size_or_depth_are_refused(tmp_path):
    for name, other in (("size", np.zeros((12, 11), np.uint8)), ("depth", np.zeros((11, 11), np.uint16))):
        with tifffile.TiffWriter(tmp_path / f"{name}.tif") as file:
            for page in (np.zeros((11, 11), np.uint8), other):
                file.write(page, photometric="minisblack", metadata=None)
    says = ": page 1 must be 11 x 11 px of uint8 as page 0 is, got 12 x 11 px of uint8"
    refused(tmp_path / "size.tif", says)
    says = ": page 1 must be 11 x 11 px of uint8 as page 0 is, got 11 x 11 px of uint16"
    refused(tmp_path / "depth.tif", says)


def test_pages_of_two_sizes_are_refused_where_tifffile_reads_them(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for rows in (11, 12):
            file.write(np.zeros((rows, 11)), photometric="minisblack", metadata=None)
    refused(tmp_path / "a.tif", " must hold pages of one size and type, got 2 kinds of pages")


def test_what_is_no_tiff_or_cut_short_is_refused(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"garbage")
    refused(tmp_path / "a.tif", ": not a TIFF file (it does not begin as one)")
    write_tiff(tmp_path / "b.tif", pattern())
    whole = (tmp_path / "b.tif").read_bytes()
    (tmp_path / "c.tif").write_bytes(whole[:-200])
    refused(tmp_path / "c.tif", ": page 3 is not whole in the file, which is cut short or damaged")


def test_no_part_of_a_file_is_read_as_fewer_frames(tmp_path):
    path = tmp_path / "a.tif"
    for options in ({"metadata": None}, {"bigtiff": True}, {"byteorder": ">"}, {"rowsperstrip": 2}):
        tifffile.imwrite(path, pattern("int32"), photometric="minisblack", **options)
        whole = path.read_bytes()
        for length in range(0, len(whole), 41):
            path.write_bytes(whole[:length])
            with suppress(InputError):
                assert np.array_equal(cb.read_frames(path).frames[0], pattern("int32"))


def bomb(n_pages, side):
    """Pages that all show the same few bytes as large pictures."""
    head, pages = struct.pack("<2sHI", b"II", 42, 8), b""
    size = 2 + 8 * 12 + 4
    for page in range(n_pages):
        tags = ((256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (278, side), (279, side * side))
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        following = 8 + size * (page + 1) if page < n_pages - 1 else 0
        pages += struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return head + pages


def test_pages_that_unfold_without_bounds_are_refused_before_they_are_decoded(tmp_path):
    (tmp_path / "a.tif").write_bytes(bomb(500, 8000))
    with pytest.raises(InputError, match=r"must not unpack to over 50 times its size, got 51008 to 32000000000 bytes"):
        cb.read_frames(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_bytes(bomb(1, 10_000))
    with pytest.raises(InputError, match="a page must have at most 67108864 px, got 10000 x 10000"):
        cb.read_frames(tmp_path / "b.tif")


def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch):
    write_tiff(tmp_path / "a.tif", pattern("float64"))
    write_tiff(tmp_path / "b.tif", pattern("float32"))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    says = ": TIFF files of this type need tifffile; install it with: pip install 'csist-bench[images]'"
    refused(tmp_path / "a.tif", says)
    assert cb.read_frames(tmp_path / "b.tif").n_frames == 5
