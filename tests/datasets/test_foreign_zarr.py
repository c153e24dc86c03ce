"""Heat maps in Zarr stores of others: codecs, absent chunks, names of axes, bombs."""

import json
import pickle
import resource
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

from csist_bench.datasets.foreign_zarr import LARGEST_CHUNK
from csist_bench.errors import InputError
from csist_bench.predictions import Decoding, read_predictions
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import tiny_set

N, T, SIDE = 6, 4, 33


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


def maps(seed=0):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 60, (N, T, SIDE, SIDE)).astype("f4")
    values[rng.uniform(size=values.shape) > 0.99] += 100
    return values


def read(path, **rules):
    about = {"frames_per_trajectory": T, "n_trajectories": N, "decoding": Decoding(size=11, **rules)}
    return read_predictions(path, **about).detections.ordered()


def stored(path, values, name="heatmaps", **how):
    """Write one array into a group, every chunk of it."""
    how = {"zarr_format": 3, "chunks": (2, T, SIDE, SIDE), "config": {"write_empty_chunks": True}} | how
    group = zarr.open_group(path, mode="a", zarr_format=how.pop("zarr_format"))
    group.create_array(name, shape=values.shape, dtype=values.dtype, **how)[:] = values
    return path


def equal(one, other):
    assert len(one) == len(other) > 0
    for name, values in one.columns().items():
        assert np.array_equal(values, other.columns()[name])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "maps.npz"
    np.savez(path, heatmaps=maps())
    return read(path)


BLOSC2 = {"zarr_format": 2, "filters": None}


@pytest.mark.parametrize(
    "how",
    [
        {"compressors": None},
        {"compressors": zarr.codecs.ZstdCodec()},
        {"compressors": zarr.codecs.GzipCodec()},
        {"compressors": [zarr.codecs.BloscCodec(cname="lz4"), zarr.codecs.Crc32cCodec()]},
        {"chunks": (1, 2, SIDE, SIDE), "shards": (2, 4, SIDE, SIDE)},
        {"chunks": (N, 1, SIDE, SIDE)},
        {"chunks": (N, T, 11, 11)},
        {"filters": zarr.codecs.TransposeCodec(order=(3, 2, 1, 0))},
        {"zarr_format": 2, "filters": None},
        {"zarr_format": 2, "filters": None, "order": "F"},
    ],
)
def test_harmless_codecs_give_the_detections_of_npz(tmp_path, plain, how):
    equal(read(stored(tmp_path / "maps.zarr", maps(), **how)), plain)


def test_an_array_that_is_the_store_and_other_types_are_read(tmp_path, plain):
    zarr.save_array(tmp_path / "maps.zarr", maps())
    equal(read(tmp_path / "maps.zarr"), plain)
    equal(read(stored(tmp_path / "wide.zarr", maps().astype(">f8"))), plain)
    np.savez(tmp_path / "f.npz", heatmaps=np.asfortranarray(maps()))
    equal(read(tmp_path / "f.npz"), plain)


class Evil:
    """A pickle that makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["filter", "compressor", "object"])
def test_nothing_is_ever_unpickled(tmp_path, how, monkeypatch):
    import numcodecs.pickles

    # As in versions of numcodecs that unpickle without a word.
    monkeypatch.setenv("NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE", "1")
    monkeypatch.setattr(numcodecs.pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    path = tmp_path / "maps.zarr"
    (path / "heatmaps").mkdir(parents=True)
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    about = {
        "zarr_format": 2, "shape": [N, T, SIDE, SIDE], "chunks": [N, T, SIDE, SIDE], "dtype": "<f4", "fill_value": 0,
        "order": "C", "filters": None, "compressor": None,
    }  # fmt: skip
    changes = {
        "filter": {"filters": [{"id": "pickle", "protocol": 5}]},
        "compressor": {"compressor": {"id": "pickle", "protocol": 5}},
        "object": {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 5}]},
    }
    (path / "heatmaps" / ".zarray").write_text(json.dumps(about | changes[how]))
    (path / "heatmaps" / "0.0.0.0").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(InputError, match=r"pickle.*not decoded; write it again|objects and text are never decoded"):
        read(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["numcodecs.pickle", "vlen-utf8", "numcodecs.zlib", "my_codec"])
def test_codecs_outside_the_list_are_refused_by_name_before_decoding(tmp_path, name):
    path = stored(tmp_path / "maps.zarr", maps())
    file = path / "heatmaps" / "zarr.json"
    about = json.loads(file.read_text())
    about["codecs"].append({"name": name, "configuration": {}})
    file.write_text(json.dumps(about))
    with pytest.raises(InputError, match=rf"codecs must be among bytes, .* got {name}; it is not decoded"):
        read(path)


def test_types_that_are_no_numbers_are_refused(tmp_path):
    path = stored(tmp_path / "maps.zarr", maps())
    file = path / "heatmaps" / "zarr.json"
    about = json.loads(file.read_text())
    for kind in ("string", {"name": "structured"}, "variable_length_bytes"):
        file.write_text(json.dumps(about | {"data_type": kind}))
        with pytest.raises(InputError, match="data_type must be one of float16"):
            read(path)


def test_a_chunk_that_crashes_its_codec_ends_in_one_line(tmp_path, monkeypatch):
    path = stored(tmp_path / "maps.zarr", maps(), compressors=zarr.codecs.BloscCodec(cname="lz4"))
    file = path / "heatmaps" / "c" / "1" / "0" / "0" / "0"
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    for _ in range(4):
        raw = bytearray(whole[:205])
        raw[16:] = rng.bytes(len(raw) - 16)
        raw[12:16] = len(raw).to_bytes(4, "little")
        file.write_bytes(raw)
        with pytest.raises(InputError, match="cannot be decoded"):
            read(path)


def test_a_worker_that_dies_is_said(tmp_path, monkeypatch):
    import csist_bench.datasets.foreign_zarr as module

    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    path = stored(tmp_path / "maps.zarr", maps())
    with pytest.raises(InputError, match=r"the decoding process ended with code 1\); the file is damaged"):
        read(path)


@pytest.mark.parametrize("sharded", [False, True])
def test_absent_chunks_are_an_error_that_names_the_frames(tmp_path, sharded, plain):
    how = {"chunks": (2, T, SIDE, SIDE), "shards": (4, T, SIDE, SIDE)} if sharded else {}
    path = tmp_path / "maps.zarr"
    values = np.zeros((N, T, SIDE, SIDE), "f4")
    stored(path, values, config={"write_empty_chunks": False}, fill_value=0, **how)
    zarr.open_group(path, mode="r+")["heatmaps"][:2] = maps()[:2]
    with pytest.raises(InputError, match=r"chunk of trajectory 2\.\.3, frame 0\.\.3 is absent and 1 more.*--absent"):
        read(path)
    found = read(path, absent_chunks="empty")
    equal(found, plain.select(plain.trajectory < 2))


def test_absent_chunks_of_nan_are_empty_when_asked(tmp_path, plain):
    path = stored(
        tmp_path / "maps.zarr",
        np.full((N, T, SIDE, SIDE), np.nan, "f4"),
        fill_value=float("nan"),
        config={"write_empty_chunks": False},
        chunks=(4, T, SIDE, SIDE),
    )
    zarr.open_group(path, mode="r+")["heatmaps"][:4] = maps()[:4]
    equal(read(path, absent_chunks="empty"), plain.select(plain.trajectory < 4))


def test_index_arrays_name_what_is_there(tmp_path, plain):
    path = stored(tmp_path / "maps.zarr", maps()[2:4])
    stored(path, np.array([2, 3]), "trajectory", chunks=(2,))
    equal(read(path), plain.select((plain.trajectory >= 2) & (plain.trajectory < 4)))
    (path / "heatmaps" / "c" / "0" / "0" / "0" / "0").unlink()
    with pytest.raises(InputError, match=r"trajectory 2\.\.3, frame 0\.\.3 is absent"):
        read(path)


def test_the_option_reaches_the_commands(tmp_path, cli):
    data = tiny_set(tmp_path / "set.zarr")
    path = tmp_path / "maps.zarr"
    stored(path, np.zeros((N, T, SIDE, SIDE), "f4"), config={"write_empty_chunks": False}, fill_value=0)
    zarr.open_group(path, mode="r+")["heatmaps"][:2] = maps()[:2]
    for command in (
        ("evaluate",),
        ("plot", "pr", "--out", tmp_path / "p.png"),
        ("submit", "--method", "M", "--dry-run"),
    ):
        cli.refuses(*command, path, "--data", data, says="is absent")
    for command in (("evaluate",), ("plot", "pr", "--out", tmp_path / "p.png")):
        cli.passes(*command, path, "--data", data, "--absent-chunks", "empty")


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("trajectory", "frame", "x", "y"), (0, 1, 3, 2)),
        (("y", "x", "frame", "trajectory"), (2, 3, 1, 0)),
        (("frame", "trajectory", "row", "column"), (1, 0, 2, 3)),
        (("trajectory", "frame", None, None), (0, 1, 2, 3)),
        (("dim_0", "dim_1", "dim_2", "dim_3"), (0, 1, 2, 3)),
    ],
)
def test_named_dimensions_are_put_in_order(tmp_path, plain, names, order):
    values = np.ascontiguousarray(maps().transpose(order))
    equal(read(stored(tmp_path / "a.zarr", values, chunks=values.shape, dimension_names=names)), plain)


@pytest.mark.parametrize(
    "names", [("trajectory", "frame", "x", "x"), ("frame", "trajectory", None, None), ("y", "frame", "a", "b")]
)
def test_names_that_contradict_are_refused(tmp_path, names):
    with pytest.raises(InputError, match="dimension names must name trajectory, frame, y and x"):
        read(stored(tmp_path / "a.zarr", maps(), dimension_names=names))


def metadata(path, **changes):
    """A store of nothing but metadata."""
    stored(path, maps()[:, :1])
    file = path / "heatmaps" / "zarr.json"
    about = json.loads(file.read_text())
    if "chunks" in changes:
        about["chunk_grid"]["configuration"]["chunk_shape"] = changes.pop("chunks")
    file.write_text(json.dumps(about | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"shape": [10**6, T, SIDE, SIDE]}, "axis trajectory must have at most length 6"),
        ({"shape": [N, 10**9, SIDE, SIDE]}, "axis frame must have at most length 4"),
        ({"shape": [N, T, 10**5, 10**5], "chunks": [1, 1, 10**4, 10**4]}, "chunks must"),
        ({"shape": [N, T, 66, 66], "chunks": [1, 1, 66, 66]}, "33, 33"),
        ({"shape": [N, T, SIDE, SIDE], "chunks": [1, 1, 1, 1]}, "chunks must be at most 4 a frame"),
        ({"shape": [N, T, SIDE, SIDE], "chunks": [10**6, 10**6, SIDE, SIDE]}, f"at most {LARGEST_CHUNK // 2**20} MiB"),
        ({"shape": [N, T, SIDE, SIDE], "chunks": [0, 1, 1, 1]}, "must be whole numbers"),
        ({"shape": [N, T, SIDE, -SIDE]}, "must be whole numbers"),
        ({"shape": "many"}, "heatmaps"),
        ({"codecs": 7}, "not a readable Zarr array"),
    ],
)
def test_absurd_shapes_and_chunks_are_refused_at_once(tmp_path, changes, says):
    path = metadata(tmp_path / "maps.zarr", **changes)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError) as refused:
        read(path, absent_chunks="empty")
    assert says in str(refused.value)
    assert time.perf_counter() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


@pytest.mark.parametrize("inside", [[1, 3, SIDE, SIDE], [2, T, SIDE]])
def test_chunks_that_do_not_divide_their_shard_are_refused(tmp_path, inside):
    path = stored(tmp_path / "maps.zarr", maps(), chunks=(1, 2, SIDE, SIDE), shards=(2, T, SIDE, SIDE))
    file = path / "heatmaps" / "zarr.json"
    about = json.loads(file.read_text())
    about["codecs"][0]["configuration"]["chunk_shape"] = inside
    file.write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"chunks of a shard must divide its shape \(2, 4, 33, 33\), got"):
        read(path)


@pytest.mark.parametrize("kind", ["float16", "int8", "uint8", "uint64"])
def test_numbers_of_one_and_two_and_eight_bytes_are_read(tmp_path, kind):
    values = maps().astype(kind)
    np.savez(tmp_path / "maps.npz", heatmaps=values)
    equal(read(stored(tmp_path / "maps.zarr", values)), read(tmp_path / "maps.npz"))


@pytest.mark.long
def test_a_chunk_that_unpacks_to_more_than_its_shape_is_refused(tmp_path):
    import gzip

    path = stored(tmp_path / "maps.zarr", maps(), compressors=zarr.codecs.GzipCodec())
    bomb = b"".join(gzip.compress(bytes(2**20)) for _ in range(4096))
    (path / "heatmaps" / "c" / "0" / "0" / "0" / "0").write_bytes(bomb)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(InputError, match="cannot be decoded"):
        read(path)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 2**20)


def test_damaged_metadata_is_one_line(tmp_path):
    path = stored(tmp_path / "maps.zarr", maps())
    file, rng = path / "heatmaps" / "zarr.json", np.random.default_rng(0)
    whole = file.read_bytes()
    for _ in range(40):
        raw = bytearray(whole)
        raw[rng.integers(len(raw))] = rng.integers(256)
        file.write_bytes(raw)
        try:
            read(path)
        except InputError as error:
            text = str(error)
        else:
            text = str(path)
        assert str(path) in text
    file.write_text("[" * 100_000)
    with pytest.raises(InputError, match="not a readable Zarr store"):
        read(path)
