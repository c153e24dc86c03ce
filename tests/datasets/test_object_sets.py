"""Against a real server on the loopback that checks signatures and policies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from csist_bench.datasets import layout, object_sets, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.datasets.layout import COMPLETE, ROOT
from csist_bench.datasets.object_sets import Making
from csist_bench.datasets.verification import verify
from csist_bench.errors import InputError
from csist_bench.files import objects
from csist_bench.files.claims import CLAIMS, is_held
from csist_bench.files.objects import Objects
from csist_bench.recipes import load_data_recipe
from tests.helpers.command_line import CommandLine

FIELDS = ["trajectories=40", "frames=4", "scored_frames=1:3", "noise_sigma=2"]
COMMAND = ["generate", *(text for field in FIELDS for text in ("--set", field))]
OWN = f"{CLAIMS}/part-1-of-1.json"


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    """Shards of 7 trajectories: 4, 1 and 1 of them."""
    monkeypatch.setattr(layout, "FRAMES_PER_CHUNK", 28)
    monkeypatch.setattr(layout, "CHUNKS_PER_SHARD", 1)


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


def recipe(*more):
    return load_data_recipe("seqcsist", [*FIELDS, *more])


def files_of(folder):
    """Return the files of a local set by name, without locks."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".lock", ".holder")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def objects_of(address):
    """Return the objects of a set by name, without claims."""
    place = Objects(address)
    return {name: place.read(name) for name in place.names() if not name.startswith(f"{CLAIMS}/")}


def test_objects_are_the_files_of_a_local_set_byte_for_byte(bucket, tmp_path):
    made = generate(bucket, recipe())
    local = generate(tmp_path / "set.zarr", recipe())
    assert (made.complete, made.fingerprint, made.written) == (True, local.fingerprint, 160)
    assert objects_of(bucket) == files_of(tmp_path / "set.zarr")
    ours, theirs = open_dataset(bucket), open_dataset(tmp_path / "set.zarr")
    for name, split in theirs.splits.items():
        for array in layout.ARRAYS:
            np.testing.assert_array_equal(ours.split(name).read(array), split.read(array))
    assert verify(bucket) == []
    assert not is_held(Objects(bucket), OWN)


def test_parts_make_the_same_set(bucket, tmp_path):
    first = generate(bucket, recipe(), part=(1, 2))
    assert (first.complete, first.written, first.skipped) == (False, 84, 0)
    with pytest.raises(InputError, match="exists already"):
        generate(bucket, recipe())
    second = generate(bucket, recipe(), part=(2, 2))
    assert (second.complete, second.written) == (True, 76)
    assert second.fingerprint == generate(tmp_path / "set.zarr", recipe()).fingerprint
    assert objects_of(bucket) == files_of(tmp_path / "set.zarr")


def in_shards_of_2500(monkeypatch):
    """Return a recipe of two shards as they are in workers, and fields for it."""
    monkeypatch.setattr(layout, "FRAMES_PER_CHUNK", 1000)
    monkeypatch.setattr(layout, "CHUNKS_PER_SHARD", 10)
    return recipe("trajectories=2600", "splits=[0.0, 0.0, 1.0]")


@pytest.mark.slow
def test_worker_processes_make_the_same_set(bucket, tmp_path, monkeypatch):
    large = in_shards_of_2500(monkeypatch)
    generate(bucket, large, executor="processes", workers=2)
    generate(tmp_path / "set.zarr", large, executor="serial")
    assert objects_of(bucket) == files_of(tmp_path / "set.zarr")


@pytest.mark.slow
def test_a_dask_cluster_makes_the_same_set(bucket, tmp_path, monkeypatch):
    large = in_shards_of_2500(monkeypatch)
    generate(bucket, large, executor="dask:")
    generate(tmp_path / "set.zarr", large, executor="serial")
    assert objects_of(bucket) == files_of(tmp_path / "set.zarr")


def test_what_is_there_is_resumed_or_made_anew_only_where_asked(bucket, cli):
    made = generate(bucket, recipe())
    cli.refuses(*COMMAND, "--out", bucket, says="exists already (complete); pass --resume")
    again = generate(bucket, recipe(), resume=True)
    assert (again.written, again.skipped, again.fingerprint) == (0, 160, made.fingerprint)
    with pytest.raises(InputError, match=r"begun with another recipe \(noise_sigma: 2\.0 -> 3\.0\)"):
        generate(bucket, recipe("noise_sigma=3"), resume=True)
    other = generate(bucket, recipe("noise_sigma=3", "trajectories=14"), overwrite=True)
    assert other.fingerprint != made.fingerprint
    assert open_dataset(bucket).sizes == {"train": 10, "val": 2, "test": 2}
    assert "train/frames/c/2/0/0/0" not in objects_of(bucket)  # the larger set's
    assert verify(bucket) == []


def test_making_anew_removes_what_a_set_names_and_nothing_else(bucket):
    generate(bucket, recipe())
    place = Objects(bucket)
    mine = {"notes.txt": b"mine", "train/notes.txt": b"mine", "README.md": b"my own card"}
    for name, data in mine.items():
        place.write(name, data)
    generate(bucket, recipe("seed=1"), overwrite=True)
    assert {name: place.read(name) for name in mine} == mine


def test_a_writer_killed_while_it_removed_a_set_is_followed_by_another_recipe(bucket):
    generate(bucket, recipe())
    place = Objects(bucket)
    place.remove([ROOT])
    place.write(OWN, b'{"state": "held", "token": "gone"}')
    with pytest.raises(InputError, match=r"pass --resume to go on in its place \(with --overwrite: to begin anew\)"):
        generate(bucket, recipe("trajectories=14", "k_max=4", "k_min=1"))
    generate(bucket, recipe("trajectories=14", "k_max=4", "k_min=1"), resume=True)
    assert verify(bucket) == []
    assert "train/frames/c/2/0/0/0" not in place.names()


def test_who_resumes_another_recipe_takes_no_claim_away(bucket, cli):
    def meanwhile(done, total):
        cli.refuses(*COMMAND, "--seed", "1", "--out", bucket, "--resume", says="begun with another recipe")

    assert generate(bucket, recipe(), progress=meanwhile).complete
    Objects(bucket).write(OWN, b'{"state": "held", "token": "gone"}')
    cli.refuses(*COMMAND, "--seed", "1", "--out", bucket, "--overwrite", says="with --overwrite: to begin anew")
    cli.passes(*COMMAND, "--seed", "1", "--out", bucket, "--overwrite", "--resume")
    assert open_dataset(bucket).recipe.seed == 1


def test_a_place_of_something_else_is_left_alone(bucket):
    Objects(bucket).write("other/notes.txt", b"mine")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(InputError, match="holds objects of something else than a csist-bench data set"):
            generate(bucket, recipe(), **options)
    Objects(f"{bucket}/zarr").write(ROOT, b'{"attributes": {"schema": "theirs"}}')
    with pytest.raises(InputError, match="something else"):
        generate(f"{bucket}/zarr", recipe(), overwrite=True)
    assert Objects(bucket).names() == ["other/notes.txt", f"zarr/{ROOT}"]


def test_half_a_set_is_refused_whatever_half_it_is(bucket, cli):
    generate(bucket, recipe(), part=(1, 2))
    with pytest.raises(InputError, match=r"not complete; finish it with: csist-bench generate --out s3://"):
        open_dataset(bucket)
    cli.refuses("evaluate", "preds.json", "--data", bucket, says="not complete")
    cli.refuses("run", "ista", "--data", bucket, says="not complete")
    code, _, said = cli("validate", bucket)
    assert (code, "not complete" in said) == (2, True)
    place = Objects(f"{bucket}/killed")
    with ExitStack() as held:  # killed before any array was created: the root is there, and incomplete
        object_sets.begin(place, recipe(), Making(recipe().split_sizes(), {}, (1, 1), False, False), held)
    place.remove([name for name in place.names() if name.startswith(("train", "val", "test"))])
    with pytest.raises(InputError, match="not complete"):
        open_dataset(str(place))
    assert generate(str(place), recipe(), resume=True).complete
    assert verify(str(place)) == []


def test_a_second_writer_is_refused_and_one_that_resumes_stops_the_first(bucket, cli):
    seen = []

    def meanwhile(done, total):
        if not seen:
            seen.append(done)
            cli.refuses(*COMMAND, "--out", bucket, says="another writer is at work (process")
            cli.refuses(*COMMAND, "--out", bucket, "--overwrite", says="another writer is at work (process")
            cli.refuses(*COMMAND, "--out", bucket, "--part", "1/2", says="at work on part 1/1 of this data set")
            cli.passes(*COMMAND, "--out", bucket, "--resume")

    with pytest.raises(InputError, match="this writer's claim was taken over"):
        generate(bucket, recipe(), progress=meanwhile)
    assert open_dataset(bucket).attributes["status"] == COMPLETE
    assert verify(bucket) == []


def test_a_writer_that_lost_its_claim_writes_no_marker_and_no_status(bucket):
    place = Objects(bucket)

    def steal(done, total):
        place.write(OWN, b'{"state": "held", "token": "another"}')

    with pytest.raises(InputError, match="taken over"):
        generate(bucket, recipe(), progress=steal)
    assert place.names("_progress/") == ["_progress/train-00000.json"]
    assert b'"status": "incomplete"' in place.read(ROOT)
    assert place.read(OWN) == b'{"state": "held", "token": "another"}'


def test_a_claim_that_is_lost_while_a_shard_is_put_leaves_no_marker(bucket, monkeypatch):
    write, place = Objects.write, Objects(bucket)

    def and_steal(objects, name, data):
        write(objects, name, data)
        if name.startswith("train/target_count"):  # the last of its arrays
            write(place, OWN, b'{"state": "held", "token": "another"}')

    monkeypatch.setattr(Objects, "write", and_steal)
    with pytest.raises(InputError, match="taken over"):
        generate(bucket, recipe())
    assert "train/frames/c/0/0/0/0" in place.names()
    assert place.names("_progress/") == []


def test_another_recipe_that_begins_at_the_same_time_loses_whole(bucket, monkeypatch):
    """Parts of two recipes: whoever puts the root first decides, and the other has put nothing."""
    create, begun = Objects.create, []

    def after_the_other(place, name, data):
        if name == ROOT and not begun:
            begun.append(name)
            generate(bucket, recipe("seed=1"), part=(2, 2))
        return create(place, name, data)

    monkeypatch.setattr(Objects, "create", after_the_other)
    with pytest.raises(InputError, match=r"begun with another recipe \(seed: 1 -> 0\)"):
        generate(bucket, recipe(), part=(1, 2))
    assert generate(bucket, recipe("seed=1"), part=(1, 2)).complete
    assert verify(bucket) == []


@pytest.mark.parametrize("other", ["the same", "another"])
def test_of_two_parts_that_end_together_the_second_finds_the_set_complete(bucket, monkeypatch, other):
    """Unless what it finds is of somebody who began anew."""
    replace, place = Objects.replace, Objects(bucket)

    def after_the_other(objects, name, data, tag):
        if name != ROOT:  # a claim
            return replace(objects, name, data, tag)
        theirs = data + b"\n" if other == "the same" else data.replace(b"sha256:", b"sha256:0")
        assert replace(objects, name, theirs, tag) is not None
        return replace(objects, name, data, tag)

    monkeypatch.setattr(Objects, "replace", after_the_other)
    if other == "the same":
        assert generate(bucket, recipe()).fingerprint == open_dataset(bucket).fingerprint
    else:
        with pytest.raises(InputError, match="was begun anew by another writer meanwhile; nothing was marked"):
            generate(bucket, recipe())
        assert b"sha256:0" in place.read(ROOT)


def test_metadata_of_another_version_are_refused(bucket):
    generate(bucket, recipe(), part=(1, 2))
    name = "test/frames/zarr.json"
    Objects(bucket).write(name, Objects(bucket).read(name) + b" ")
    with pytest.raises(InputError, match=rf"{name} must be as this version writes it"):
        generate(bucket, recipe(), part=(2, 2))


@pytest.mark.parametrize("name", ["train/frames/c/1/0/0/0", "train/target_xy/c/0/0/0/0"])
def test_a_tampered_shard_is_found_and_repaired(bucket, tmp_path, name):
    generate(bucket, recipe())
    place = Objects(bucket)
    whole = place.read(name)
    damaged = bytearray(whole)
    damaged[-20] ^= 1
    if "frames" in name:
        place.write(name, bytes(damaged))
    else:
        place.remove([name])
    with pytest.raises(InputError, match=r"repair it with: csist-bench generate --out s3://.* --resume"):
        open_dataset(bucket).train.read(name.split("/")[1])
    assert len(verify(bucket)) == 1
    assert generate(bucket, recipe(), resume=True).written == 28
    assert place.read(name) == whole


def test_a_changed_status_object_is_refused(bucket):
    generate(bucket, recipe())
    place = Objects(bucket)
    place.write(ROOT, place.read(ROOT).replace(b'"seed": 0', b'"seed": 1'))
    with pytest.raises(InputError, match=r"differ from their digest|it was changed"):
        open_dataset(bucket)
    place.write(ROOT, place.read(ROOT)[:100])
    with pytest.raises(InputError, match="not a readable Zarr v3 group"):
        open_dataset(bucket)


def test_a_set_that_changes_while_it_is_read_is_said(bucket):
    generate(bucket, recipe())
    split = open_dataset(bucket).train
    split.require_unchanged()
    generate(bucket, recipe("seed=1"), overwrite=True)
    with pytest.raises(InputError, match=r"fingerprint must stay sha256:\w+ during the run, got sha256:"):
        split.require_unchanged()
    Objects(bucket).remove([ROOT])
    with pytest.raises(InputError, match="not found"):
        split.require_unchanged()


def test_a_store_that_is_lost_while_shards_are_made_ends_in_one_line(bucket, object_server, monkeypatch):
    monkeypatch.setattr(objects, "WORKING", objects.GREETING)

    def lose(done, total):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    opened = property(lambda place: objects._open(place.address, objects.WORKING))
    monkeypatch.setattr(Objects, "_working", opened)  # else the connection that was made is used on
    with pytest.raises(InputError, match=r"no object store answers at http://127\.0\.0\.1:1 "):
        generate(bucket, recipe(), progress=lose)
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_server.url)
    with pytest.raises(InputError, match="another writer is at work"):  # nobody could give the claim back
        generate(bucket, recipe())
    assert generate(bucket, recipe(), resume=True).skipped == 28
    assert verify(bucket) == []


def test_a_killed_writer_leaves_a_set_that_resume_completes_to_the_same_bytes(bucket, tmp_path, monkeypatch):
    in_shards_of_2500(monkeypatch)  # what the process writes
    asked = recipe("trajectories=7500", "splits=[0.0, 0.0, 1.0]")
    fields = [text for field in (*FIELDS, "trajectories=7500", "splits=[0,0,1]") for text in ("--set", field)]
    command = [sys.executable, "-m", "csist_bench", "generate", *fields, "--executor", "serial", "--out", bucket]
    place = Objects(bucket)
    with subprocess.Popen(command, stderr=subprocess.PIPE) as writer:
        deadline = time.monotonic() + 100
        while not place.names("_progress/"):
            assert writer.poll() is None, writer.stderr.read()
            assert time.monotonic() < deadline
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert 0 < len(place.names("_progress/")) < 3
    with pytest.raises(InputError, match="not complete"):
        open_dataset(bucket)
    with pytest.raises(InputError, match=rf"another writer is at work \(process {writer.pid} on "):
        generate(bucket, asked)
    assert 0 < generate(bucket, asked, resume=True, executor="serial").written < 30_000
    generate(tmp_path / "set.zarr", asked, executor="serial")
    assert objects_of(bucket) == files_of(tmp_path / "set.zarr")


def test_a_user_who_may_not_write_is_told_before_anything_is_made(bucket, object_server, monkeypatch, cli):
    for name, value in object_server.environment("reader").items():
        monkeypatch.setenv(name, value)
    cli.refuses(*COMMAND, "--out", bucket, says="the store refuses to write it (AccessDenied)")
    assert Objects(bucket).names() == []


def test_a_bucket_alone_and_other_addresses_are_refused(bucket, cli):
    cli.refuses(*COMMAND, "--out", "s3://sets", says="a data set needs a key in the bucket, as s3://sets/set.zarr")
    cli.refuses(*COMMAND, "--out", "gs://sets/a.zarr", says="be a path on this machine, got an address of gs://;")
    cli.refuses(*COMMAND, "--out", "s3://no-such-bucket/a.zarr", says="bucket must exist at")
    assert not Path("gs:").exists()


def test_info_and_training_data_are_read(bucket, cli):
    generate(bucket, recipe())
    about = cli.json("info", bucket)
    assert (about["kind"], about["status"], about["frames"]) == ("data set", COMPLETE, 160)
    cli.refuses("info", f"{bucket}/none", says="not found; make it with: csist-bench generate --out s3://")


def test_how_many_requests_a_set_costs(bucket, object_server):
    def asked(work):
        before = len(object_server.requests())
        work()
        return len(object_server.requests()) - before

    shards, metadata = 6, 15
    # Each shard: the claim twice, four arrays, the marker; the rest: metadata, claims, lists, targets read again.
    assert asked(lambda: generate(bucket, recipe())) <= 7 * shards + (3 + 2) * shards + 3 * metadata + 20
    opened = []
    assert asked(lambda: opened.append(open_dataset(bucket))) == metadata + 1
    assert asked(lambda: opened[0].train.read("frames")) == 4  # one for each shard
    assert asked(lambda: opened[0].train.read("frames")) == 0
