"""What is fetched from an address; tests/methods/networks/test_weight_files.py and tests/cli go through it too."""

from __future__ import annotations

import hashlib
import urllib.error

import pytest

from csist_bench.errors import InputError
from csist_bench.files.download import fetched, require_digest
from tests.helpers.server import serving

CONTENT = b"content"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_a_file_is_fetched_once_and_kept(tmp_path):
    kept = tmp_path / "cache" / "file"
    with serving({"/file": CONTENT}) as (address, asked):
        assert fetched(f"{address}/file", DIGEST, kept, "file", 100).read_bytes() == CONTENT
        assert fetched(f"{address}/file", DIGEST, kept, "file", 100) == kept
        assert asked == ["/file"]


@pytest.mark.parametrize(
    ("path", "digest", "largest", "said"),
    [
        ("/none", DIGEST, 100, "file http.*/none cannot be fetched: Not Found"),
        ("/file", "0" * 64, 100, "sha256 of http.*/file must be 0000"),
        ("/file", DIGEST, 6, "file http.*/file must be at most 6 bytes, got more"),
    ],
)
def test_what_is_not_there_or_something_else_is_not_kept(tmp_path, path, digest, largest, said):
    with serving({"/file": CONTENT}) as (address, _), pytest.raises(InputError, match=said):
        fetched(address + path, digest, tmp_path / "kept", "file", largest)
    assert not list(tmp_path.iterdir())


def test_a_digest_is_of_the_bytes():
    require_digest(CONTENT, DIGEST, "it")
    with pytest.raises(InputError, match="sha256 of it must be"):
        require_digest(CONTENT + b"x", DIGEST, "it")


def test_an_answer_that_refuses_is_closed(tmp_path):
    """Else its connection stays open until the garbage is collected, which says so in some later place."""
    with serving({}) as (address, _), pytest.raises(InputError, match="Not Found") as refused:
        fetched(f"{address}/none", DIGEST, tmp_path / "kept", "file", 100)
    answer = refused.value.__context__
    assert isinstance(answer, urllib.error.HTTPError)
    assert answer.fp.isclosed()
