"""Damage of stored sets of both schemas: found when read, named, and repaired."""

import json
import shutil

import numpy as np
import pytest

from csist_bench import datasets
from csist_bench.datasets import layout
from csist_bench.datasets.generation import generate
from csist_bench.datasets.integrity import BLOSC_HEADER, blosc_is_sound
from csist_bench.datasets.public_layouts.exporting import export_layout
from csist_bench.datasets.verification import verify
from csist_bench.errors import InputError
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import as_schema_1, chunk_file, contents, edit_attributes, same, tiny_recipe, tiny_set


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


def test_both_schemas_are_read(stored, schema):
    data = datasets.open_dataset(stored)
    assert data.attributes["schema"] == f"csist-bench/dataset@{schema}"
    assert verify(stored) == []


@pytest.mark.parametrize("name", datasets.ARRAYS)
def test_a_missing_chunk_is_an_error_by_name_wherever_it_is_read(copied, name, tmp_path, cli):
    for shard in range(3):
        chunk_file(copied, name, shard=shard).unlink()
    split = datasets.open_dataset(copied).train
    with pytest.raises(
        InputError, match=r"trajectories 10\.\.19.*; repair it with: csist-bench generate --out .* --resume"
    ):
        split.read(name, 12, 13)
    with pytest.raises(InputError, match=r"trajectories 0\.\.9"):
        export_layout(datasets.open_dataset(copied), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    data = ("--data", copied, "--split", "train")
    commands = {
        "frames": ("run", "ista", *data, "--out", tmp_path / "p.json"),
        "target_xy": ("plot", "frames", *data, "--out", tmp_path / "p.png"),
        "target_count": ("evaluate", written_rows(tmp_path), *data),
    }
    if name in commands:
        cli.refuses(*commands[name], says="trajectories 0..9")
        assert not list(tmp_path.glob("p.*"))


def written_rows(tmp_path):
    (tmp_path / "rows.csv").write_text("trajectory,frame,x,y,score\n0,1,5,5,1\n")
    return tmp_path / "rows.csv"


def test_an_inner_chunk_that_a_shard_lacks_is_missing(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    file = path / "train" / "frames" / "c" / "0" / "0" / "0" / "0"
    raw = bytearray(file.read_bytes())
    import google_crc32c

    raw[:16] = b"\xff" * 16
    raw[160:164] = google_crc32c.value(bytes(raw[:160])).to_bytes(4, "little")
    file.write_bytes(raw)
    with pytest.raises(InputError, match=r"array 'frames' of .*/train: chunk 0 of shard c/0/0/0/0 .* is missing"):
        datasets.open_dataset(path).train.read("frames", 3, 4)


def test_frames_without_targets_are_written(tmp_path):
    """All-zero counts and NaN targets are what Zarr leaves out by itself."""
    from csist_bench.datasets.target_tables import read_target_table
    from csist_bench.recipes import load_data_recipe

    (tmp_path / "scene.csv").write_text("trajectory,frame,target,x,y,intensity\n0,0,0,5,5,240\n2600,0,0,5,5,240\n")
    table = read_target_table(tmp_path / "scene.csv")
    recipe = table.recipe(load_data_recipe("seqcsist-8bit"))
    path = tmp_path / "set.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FRAMES_PER_CHUNK", 10)
        generate(path, recipe, targets=table)
    before = contents(path)
    assert verify(path) == []
    shutil.copytree(path, tmp_path / "old.zarr")
    old = as_schema_1(tmp_path / "old.zarr")
    assert len(list(old.rglob("c/*"))) < len(list(path.rglob("c/*")))
    assert same(before, contents(old))


def test_a_partial_set_says_what_is_not_written_yet(tmp_path):
    path = tmp_path / "set.zarr"
    generate(path, tiny_recipe(), part=(1, 3))
    data = datasets.open_dataset(path, allow_partial=True)
    assert data.train.frames.shape == (28, 4, 11, 11)
    for name in datasets.ARRAYS:
        with pytest.raises(InputError, match="is not written yet"):
            data.test.read(name)


@pytest.mark.parametrize("damage", ["missing", "zeroed", "truncated", "of another recipe"])
def test_a_complete_set_without_a_marker_is_a_fault(copied, damage, cli):
    before, marker = contents(copied), copied / datasets.PROGRESS / "train-00001.json"
    text = marker.read_text()
    if damage == "missing":
        marker.unlink()
    else:
        changed = {"zeroed": "\0" * len(text), "truncated": text[:40]}
        marker.write_text(changed.get(damage, json.dumps(json.loads(text) | {"recipe_hash": "sha256:0"})))
    (fault,) = verify(copied)
    assert "trajectories 10..19: the done-marker train-00001.json is missing, damaged" in fault
    code, out, err = cli("validate", copied)
    assert (code, out) == (2, "")
    assert fault in err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FRAMES_PER_CHUNK", 4)
        assert generate(copied, datasets.open_dataset(copied).recipe, resume=True).written == 40
    assert verify(copied) == []
    assert same(before, contents(copied))


def test_consistent_tampering_is_found_by_validate(copied):
    import zarr

    group = zarr.open_group(copied / "train", mode="r+")
    group["target_count"][12, 0] = group["target_count"][12, 0] + 1
    assert any("differ from the digest" in fault for fault in verify(copied))


def test_damaged_sets_of_ours_can_be_overwritten(copied):
    edit_attributes(copied, recipe_hash="sha256:0")
    with pytest.raises(InputError, match="the stored recipe is not that of its hash"):
        datasets.open_dataset(copied)
    assert generate(copied, tiny_recipe(), overwrite=True).complete


def test_changed_attributes_are_refused(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    meta = json.loads((path / "zarr.json").read_text())
    meta["attributes"]["note"] = "of a user: fine"
    (path / "zarr.json").write_text(json.dumps(meta))
    assert datasets.open_dataset(path).attributes["note"]
    meta["attributes"]["fingerprint"] = "sha256:0"
    (path / "zarr.json").write_text(json.dumps(meta))
    with pytest.raises(InputError, match=r"attributes in zarr\.json differ from their digest"):
        datasets.open_dataset(path)


def test_each_shard_is_decoded_once_more_at_most(stored, schema, monkeypatch):
    split = datasets.open_dataset(stored).train
    asked = []
    monkeypatch.setattr(type(split.guard), "digest", counted(type(split.guard).digest, asked))
    for start in range(0, 28, 2):
        split.read("frames", start, start + 2)
        split.read("target_xy", start, start + 2)
    assert asked == ([0, 1, 2] if schema == 1 else [])


def counted(function, calls):
    def call(self, index):
        calls.append(index)
        return function(self, index)

    return call


def test_no_damaged_blosc_frame_reaches_blosc():
    from numcodecs import blosc

    values = np.arange(300_000, dtype=np.float32)
    whole = blosc.compress(values, b"zstd", 1, 1, 32_768)
    assert blosc_is_sound(whole, values.nbytes)
    assert not blosc_is_sound(whole[:-1], values.nbytes)
    assert not blosc_is_sound(whole, values.nbytes + 1)
    assert not blosc_is_sound(b"", 0)
    rng = np.random.default_rng(0)
    for place in (0, *range(4, 8), *range(10, BLOSC_HEADER)):
        raw = bytearray(whole)
        raw[place] ^= 0x80
        assert not blosc_is_sound(bytes(raw), values.nbytes), place
    for _ in range(200):  # offsets of the blocks
        raw = bytearray(whole)
        raw[BLOSC_HEADER + int(rng.integers(4 * 36)) // 4 * 4 + 3] ^= 0xC0
        assert not blosc_is_sound(bytes(raw), values.nbytes)
    for place in np.frombuffer(whole, "<i4", count=36, offset=BLOSC_HEADER):  # lengths of the blocks, below zero
        raw = bytearray(whole)
        raw[int(place) + 3] ^= 0x80
        assert not blosc_is_sound(bytes(raw), values.nbytes)


def test_a_shard_with_a_damaged_frame_is_not_decoded_for_its_digest(copied, monkeypatch):
    guard = datasets.open_dataset(copied).train.guard
    assert guard.shard_fault(1) is None
    file = chunk_file(copied, "frames")
    raw = bytearray(file.read_bytes())
    index = np.frombuffer(raw, dtype="<u8", count=2)  # of its first chunk: offset and length
    raw[int(index[0]) + 4] ^= 1  # how many bytes it unpacks to
    file.write_bytes(raw)
    decoded = []
    monkeypatch.setattr(type(guard), "digest", counted(type(guard).digest, decoded))
    assert "array 'frames'" in guard.shard_fault(1)
    assert decoded == []


def test_an_object_store_is_told_which_shards_will_be_read(stored, monkeypatch):
    """The store of a folder has nothing to be told by; here it is given that."""
    from zarr.storage import LocalStore

    split, told = datasets.open_dataset(stored).train, []
    whole = split.read("target_count", 5, 25)
    monkeypatch.setattr(LocalStore, "ahead", lambda store, names: told.append(list(names)), raising=False)
    assert np.array_equal(datasets.open_dataset(stored).train.read("target_count", 5, 25), whole)
    names = [f"train/target_count/c/{shard}/0" for shard in range(3)]
    assert told == [names, names[1:], names[2:]]
