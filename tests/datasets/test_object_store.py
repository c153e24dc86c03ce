from __future__ import annotations

import numpy as np
import pytest
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from csist_bench.datasets import object_store, open_dataset
from csist_bench.datasets.object_store import ObjectStore
from csist_bench.files.objects import Objects
from tests.helpers.sets import tiny_set

WHOLE = bytes(range(10))


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        (None, WHOLE),
        (RangeByteRequest(2, 5), WHOLE[2:5]),
        (OffsetByteRequest(7), WHOLE[7:]),
        (SuffixByteRequest(3), WHOLE[-3:]),
        (SuffixByteRequest(0), b""),
    ],
)
def test_parts_are_cut_from_what_was_read_once(bucket, object_server, wanted, part):
    Objects(bucket).write("a", WHOLE)
    store, prototype = ObjectStore(Objects(bucket)), default_buffer_prototype()
    before = len(object_server.requests())
    for _ in range(3):
        assert sync(store.get("a", prototype, wanted)).to_bytes() == part
    assert len(object_server.requests()) == before + 1
    assert sync(store.get("none", prototype, wanted)) is None


def test_what_is_kept_is_bounded(bucket, monkeypatch):
    monkeypatch.setattr(object_store, "KEPT_BYTES", 25)
    place = Objects(bucket)
    for name in "abc":
        place.write(name, WHOLE)
    place.write("large", 10 * WHOLE)
    store = ObjectStore(place)
    for name in "abca":
        store.whole(name)
    assert list(store._kept) == ["c", "a"]
    assert store.whole("large") == 10 * WHOLE
    assert list(store._kept) == ["large"]


def test_any_zarr_reader_takes_the_store(bucket, tmp_path):
    tiny_set(tmp_path / "set.zarr")
    tiny_set(bucket)
    ours = zarr.open_group(ObjectStore(Objects(bucket)), mode="r")
    assert "train/target_xy" in ours
    np.testing.assert_array_equal(ours["test/frames"][:], open_dataset(tmp_path / "set.zarr").test.frames)
    with pytest.raises(Exception, match=r"read-only|read only"):
        ours.attrs["mine"] = 1


def test_what_was_announced_is_on_its_way_and_read_once(bucket, object_server):
    place = Objects(bucket)
    for name in "abcdef":
        place.write(name, name.encode())
    store = ObjectStore(place)
    before = len(object_server.requests())
    store.ahead("abcdef")
    store.ahead("ab")
    assert len(store._coming) == object_store.AHEAD == 4
    assert [store.whole(name) for name in "abcdef"] == [name.encode() for name in "abcdef"]
    store.ahead("a")
    assert len(object_server.requests()) == before + 6
    assert not store._coming
