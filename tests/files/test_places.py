from __future__ import annotations

from pathlib import Path

import pytest

from csist_bench.errors import InputError
from csist_bench.files import built_beside, replace_file, require_local, require_new_folder, require_place
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


@pytest.mark.parametrize("address", ["s3://bucket/a", "gs://bucket/a.json", "https://host/a", "memory://a"])
def test_what_writes_files_takes_no_address_for_a_folder(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    kind = address.partition("/")[0]
    for write in (lambda path: replace_file(path, b""), require_place, lambda path: require_new_folder(Path(path))):
        with pytest.raises(InputError, match=rf"be a path on this machine, got an address of {kind}//; copy it there"):
            write(address)
    with pytest.raises(InputError, match="an address"), built_beside(Path(address)):
        pass
    assert list(tmp_path.iterdir()) == []
    assert require_local("C:/a") == Path("C:/a")  # drives of Windows
    assert require_local("s3:") == Path("s3:")
