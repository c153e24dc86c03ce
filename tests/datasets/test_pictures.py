"""Pictures and arrays of others as backgrounds: broken ones are one line with the file's name."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from csist_bench.datasets.backgrounds import open_background
from csist_bench.errors import InputError
from tests.helpers.sets import tiny_recipe


def refused(path, says):
    with pytest.raises(InputError) as error:
        open_background(tiny_recipe("seqcsist", f"background='{path}'"))
    assert says in str(error.value)


def png(width, height):
    """A picture that says it is large."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10**5, 10**5), (10**4, 10**4), (12, 10**9)])
def test_bombs_are_refused(tmp_path, width, height):
    (tmp_path / "sky").mkdir()
    (tmp_path / "sky" / "image_0.png").write_bytes(png(width, height))
    refused(tmp_path / "sky", "image_0.png")


def test_cut_pictures_pipes_and_folders_are_named(tmp_path):
    sky = tmp_path / "sky"
    sky.mkdir()
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(sky / "a.png")
    whole = (sky / "a.png").read_bytes()
    for cut in range(0, len(whole) - 30, 7):
        (sky / "a.png").write_bytes(whole[:cut])
        refused(sky, "a.png")
    (sky / "a.png").unlink()
    os.mkfifo(sky / "a.png")
    refused(sky, "a.png must be a file, got a pipe")


def test_arrays_that_are_none_are_named(tmp_path):
    np.save(tmp_path / "sky.npy", np.zeros((2, 20, 20)))
    raw = (tmp_path / "sky.npy").read_bytes()
    for end in (9, 60, 128, len(raw) - 1):
        (tmp_path / "sky.npy").write_bytes(raw[:end])
        refused(tmp_path / "sky.npy", "sky.npy")
    os.unlink(tmp_path / "sky.npy")
    os.mkfifo(tmp_path / "sky.npy")
    refused(tmp_path / "sky.npy", "sky.npy must be a file, got a pipe")
