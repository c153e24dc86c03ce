"""Bytes of files: kinds that are refused before they are opened, bombs, JSON."""

from __future__ import annotations

import gzip
import os
import socket

import pytest

from csist_bench.errors import InputError
from csist_bench.files.sources import ALWAYS_ALLOWED, decoded_json, file_bytes, unpacked


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path, kind in (
            (tmp_path / "pipe", "a pipe"),
            (tmp_path / "socket", "a socket"),
            (tmp_path, "a folder"),
            ("/dev/zero", "a device"),
        ):
            with pytest.raises(InputError, match=rf"must be a file, got {kind}$"):
                file_bytes(path, "table")
    with pytest.raises(InputError, match=r"table .*absent not found"):
        file_bytes(tmp_path / "absent", "table")
    for name in ("a\0b", "n" * 5000):
        with pytest.raises(InputError):
            file_bytes(name)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"abc")
    assert file_bytes(tmp_path / "link") == b"abc"


def test_gzip_is_unpacked_in_all_its_members_and_checked():
    data = gzip.compress(b"abc") + gzip.compress(b"def")
    assert unpacked(data, "t") == b"abcdef"
    assert unpacked(gzip.compress(b""), "t") == b""
    flipped = bytearray(gzip.compress(bytes(range(256))))
    flipped[-6] ^= 1
    for bad in (data[:-3], data[:25], bytes(flipped), b"\x1f\x8bgarbage"):
        with pytest.raises(InputError, match="t: damaged gzip file"):
            unpacked(bad, "t")


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = gzip.compress(bytes(ALWAYS_ALLOWED + 1))
    assert len(bomb) < 50_000
    with pytest.raises(InputError, match="gzip content must unfold to at most 33,554,432 bytes, got more"):
        unpacked(bomb, "t")
    assert len(unpacked(gzip.compress(bytes(ALWAYS_ALLOWED)), "t")) == ALWAYS_ALLOWED
    # Noise does not pack: a large file is allowed as much as its own size allows, and not more than the data hold.
    noise = gzip.compress(os.urandom(ALWAYS_ALLOWED // 16) * 20, compresslevel=1)
    assert len(unpacked(noise, "t")) > ALWAYS_ALLOWED
    with pytest.raises(InputError, match="unfold to at most"):
        unpacked(noise, "t", largest=ALWAYS_ALLOWED // 2)


@pytest.mark.parametrize("data", [b"[" * 100_000, '{"a":' * 100_000, b"\xff", b"{", b'{"a": 1e}', "[1, 2"])
def test_json_of_any_kind_ends_in_one_line(data):
    with pytest.raises(InputError, match="here: ") as caught:
        decoded_json(data, "here")
    assert "\n" not in str(caught.value)


def test_json_is_held_against_its_type():
    assert decoded_json(b'{"a": 1}', "here", dict[str, int]) == {"a": 1}
    with pytest.raises(InputError, match="here: Expected `int`, got `str`"):
        decoded_json(b'{"a": "x"}', "here", dict[str, int])
