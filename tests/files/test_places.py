from __future__ import annotations

import pytest

from csist_bench.files.objects import Objects
from csist_bench.files.places import Folder, place_of


def test_what_a_place_is(tmp_path):
    assert place_of(tmp_path) == place_of(str(tmp_path)) == Folder(tmp_path)
    assert place_of("s3://bucket/key") == Objects("s3://bucket/key")
    assert place_of(Objects("s3://bucket/key")) == Objects("s3://bucket/key")
    assert str(place_of(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "objects"])
def test_both_kinds_keep_files_alike(tmp_path, kind, request):
    place = place_of(tmp_path if kind == "folder" else request.getfixturevalue("bucket"))
    assert place.read("under/a") is None
    assert place.names("under/") == []
    place.write("under/a", b"one")
    place.write("under/a", b"two")
    place.write("b", b"")
    assert (place.read("under/a"), place.read("b"), place.read("b/c")) == (b"two", b"", None)
    assert place.names("under/") == ["under/a"]
    assert place.where("b") == f"{place}/b"
