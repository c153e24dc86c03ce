"""Parts of predictions in an object store: a real server on the loopback."""

from __future__ import annotations

import json

import numpy as np
import pytest

from csist_bench.datasets import layout, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.datasets.layout import ROOT
from csist_bench.errors import InputError
from csist_bench.files.claims import CLAIMS, is_held
from csist_bench.files.objects import Objects
from csist_bench.methods.by_shard import Call, Manner, run_by_shard
from csist_bench.methods.inference import assumed_or_told
from csist_bench.methods.runners import RunOptions
from csist_bench.methods.scope import Scope
from csist_bench.predictions import read_predictions
from csist_bench.predictions.parts import MANIFEST, PartsFolder, part_name
from csist_bench.recipes import load_data_recipe
from tests.helpers.command_line import CommandLine
from tests.helpers.object_server import BUCKET

pytest.importorskip("pyarrow")
FIELDS = ["trajectories=14", "splits=[0.0, 0.0, 1.0]", "frames=6", "scored_frames='1:5'", "noise_sigma=2"]
OWN = f"{CLAIMS}/run-1-of-1.json"


def made(path, *more):
    """A set of 14 trajectories in 5 shards, the last of them short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FRAMES_PER_CHUNK", 18)
        patch.setattr(layout, "CHUNKS_PER_SHARD", 1)
        generate(path, load_data_recipe("seqcsist", [*FIELDS, *more]), overwrite=True)
    return path


@pytest.fixture(scope="module")
def made_once(object_server):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in object_server.environment().items():
            patch.setenv(name, value)
        return made(f"s3://{BUCKET}/filling.zarr")


@pytest.fixture
def data(made_once, bucket):
    """A set that no test writes, and the credentials to read it."""
    return made_once


@pytest.fixture
def own_data(bucket):
    return made(f"{bucket}/set.zarr")


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


def call_of(data, method="bid", **settings):
    split = open_dataset(data).test
    options = RunOptions(settings or {"iterations": 2})
    return Call(data, "test", split.fingerprint, method, "grid", assumed_or_told(split, None), options, Scope())


def test_answers_and_scores_are_those_of_folders_to_the_bit(bucket, data, tmp_path, cli):
    local = made(tmp_path / "set.zarr")
    run = ["run", "bid", "--set", "iterations=2", "--data"]
    cli.passes(*run, data, "--out", f"{bucket}/preds")
    cli.passes(*run, local, "--out", tmp_path / "preds")
    place = Objects(f"{bucket}/preds")
    for index in range(5):
        assert place.read(part_name(index)) == (tmp_path / "preds" / part_name(index)).read_bytes()
    scores = cli.json("evaluate", f"{bucket}/preds", "--data", data)
    assert scores == cli.json("evaluate", tmp_path / "preds", "--data", local)
    # read whole: by another evaluation, by info and validate, and copied by merge
    cli.passes("evaluate", f"{bucket}/preds", "--data", data, "--ceiling")
    assert cli.json("info", f"{bucket}/preds")["kind"] == "predictions"
    assert cli.json("validate", f"{bucket}/preds", "--data", data)["valid"]
    cli.passes("merge", f"{bucket}/preds", "--out", tmp_path / "merged")
    assert (tmp_path / "merged" / part_name(4)).read_bytes() == place.read(part_name(4))
    assert not is_held(place, OWN)


@pytest.mark.parametrize("suffix", [".json.gz", ".csv", ".parquet"])
def test_a_single_file_is_written_and_read(bucket, data, tmp_path, cli, suffix):
    out = f"{bucket}/preds{suffix}"
    run = ["run", "bid", "--set", "iterations=2", "--data", data, "--out"]
    cli.passes(*run, out)
    cli.passes(*run, tmp_path / f"preds{suffix}")
    ours, theirs = (cli.json("evaluate", file, "--data", data) for file in (out, tmp_path / f"preds{suffix}"))
    for scores in (ours, theirs):
        scores["method"].pop("seconds", None)
        del scores["warnings"]
    assert ours == theirs
    cli.refuses(*run, out, says="the object exists; pass --overwrite to replace it")
    cli.passes(*run, out, "--overwrite")
    assert cli.json("info", out)["kind"] == "predictions"
    cli.refuses("evaluate", f"{bucket}/none{suffix}", "--data", data, says="not found")


def test_npz_is_written_and_said_not_to_be_read(bucket, data, cli):
    cli.passes("run", "bid", "--set", "iterations=2", "--data", data, "--out", f"{bucket}/preds.npz")
    cli.refuses("evaluate", f"{bucket}/preds.npz", "--data", data, says="copy it to a folder")


@pytest.mark.slow
def test_parts_by_processes_and_by_several_runs(bucket, data):
    place = f"{bucket}/preds"
    first = run_by_shard(place, call_of(data), Manner(part="1/2"))
    assert (first.complete, first.written) == (False, 2)
    with pytest.raises(InputError, match="2 of 5 parts are there; finish it with the same command and --resume"):
        PartsFolder.open(place)
    with pytest.raises(InputError, match="2 of 5 parts"):
        read_predictions(place, frames_per_trajectory=6, n_trajectories=14)
    second = run_by_shard(place, call_of(data), Manner("processes", 1, part="2/2"))
    assert (second.complete, second.written) == (True, 3)
    run_by_shard(f"{bucket}/whole", call_of(data), Manner())
    for index in range(5):
        assert Objects(place).read(part_name(index)) == Objects(f"{bucket}/whole").read(part_name(index))


def test_what_is_there_is_resumed_or_made_anew_only_where_asked(bucket, data):
    place = f"{bucket}/preds"
    run_by_shard(place, call_of(data), Manner())
    with pytest.raises(InputError, match=r"exists already \(complete\)"):
        run_by_shard(place, call_of(data), Manner())
    Objects(place).remove([part_name(3)])
    Objects(place).write(part_name(1), b"damaged")
    with pytest.raises(InputError, match=r"have the content that _parts.json tells of"):
        read_predictions(place, frames_per_trajectory=6, n_trajectories=14)
    assert run_by_shard(place, call_of(data), Manner(resume=True)).written == 2
    with pytest.raises(InputError, match=r"begun with another run \(settings: \{'iterations': 2\} -> "):
        run_by_shard(place, call_of(data, iterations=3), Manner(resume=True))
    assert run_by_shard(place, call_of(data, iterations=3), Manner(overwrite=True)).written == 5
    Objects(f"{bucket}/other").write("notes.txt", b"mine")
    for manner in (Manner(), Manner(resume=True), Manner(overwrite=True)):
        with pytest.raises(InputError, match="holds other objects; they are left alone"):
            run_by_shard(f"{bucket}/other", call_of(data), manner)


def test_a_run_that_was_begun_and_has_no_part_is_not_begun_again_unasked(bucket, data, monkeypatch):
    place = f"{bucket}/preds"

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("csist_bench.methods.by_shard.unmix_each", killed)
        with pytest.raises(KeyboardInterrupt):
            run_by_shard(place, call_of(data), Manner())
    with pytest.raises(InputError, match=r"exists already \(incomplete\)"):
        run_by_shard(place, call_of(data), Manner())


def test_wherever_a_run_that_begins_anew_is_killed_no_old_part_is_taken_for_a_new_one(bucket, data, monkeypatch):
    place, remove = Objects(f"{bucket}/preds"), Objects.remove
    run_by_shard(str(place), call_of(data), Manner())

    def killed_after(calls):
        left = [None] * calls

        def killed(objects, names):
            if not left:
                remove(objects, list(names)[:2])
                raise KeyboardInterrupt
            left.pop()
            remove(objects, names)

        return killed

    for survived in (0, 1):
        with monkeypatch.context() as patch:
            patch.setattr(Objects, "remove", killed_after(survived))
            with pytest.raises(KeyboardInterrupt):
                run_by_shard(str(place), call_of(data, iterations=3), Manner(overwrite=True))
        if survived == 0:  # the old run is whole still
            assert PartsFolder.open(str(place)).manifest.run["settings"] == {"iterations": 2}
            read_predictions(str(place), frames_per_trajectory=6, n_trajectories=14)
        else:
            with pytest.raises(InputError, match="0 of 5 parts are there"):
                PartsFolder.open(str(place))
            assert run_by_shard(str(place), call_of(data, iterations=3), Manner(resume=True)).written == 5


def test_who_resumes_another_run_takes_no_claim_away(bucket, data):
    place = f"{bucket}/preds"

    def meanwhile(done, total):
        with pytest.raises(InputError, match="begun with another run"):
            run_by_shard(place, call_of(data, iterations=3), Manner(resume=True))

    assert run_by_shard(place, call_of(data), Manner(), meanwhile).complete
    Objects(place).write(OWN, b'{"state": "held", "token": "gone"}')
    with pytest.raises(InputError, match="with --overwrite: to begin anew"):
        run_by_shard(place, call_of(data, iterations=3), Manner(overwrite=True))
    assert run_by_shard(place, call_of(data, iterations=3), Manner(resume=True, overwrite=True)).written == 5


def test_parts_of_two_seeds_are_refused(bucket, data):
    place = f"{bucket}/preds"
    run_by_shard(place, call_of(data), Manner(part="1/2"))
    other = made(f"{bucket}/other.zarr", "seed=1")
    with pytest.raises(InputError, match=r"begun with another run \(data: sha256:"):
        run_by_shard(place, call_of(other), Manner(part="2/2"))


def test_a_second_run_is_refused_and_one_that_resumes_stops_the_first(bucket, data):
    place, seen = f"{bucket}/preds", []

    def meanwhile(done, total):
        if not seen:
            seen.append(done)
            for manner in (Manner(), Manner(overwrite=True)):
                with pytest.raises(InputError, match=r"another writer is at work \(process"):
                    run_by_shard(place, call_of(data), manner)
            assert run_by_shard(place, call_of(data), Manner(resume=True)).complete

    with pytest.raises(InputError, match="this writer's claim was taken over"):
        run_by_shard(place, call_of(data), Manner(), meanwhile)
    assert PartsFolder.open(place).manifest.parts


def test_all_is_not_begun_anew_while_a_part_is_written(bucket, data):
    place = f"{bucket}/preds"

    def meanwhile(done, total):
        with pytest.raises(InputError, match=r"run-1-of-2\.json: another run is writing here"):
            run_by_shard(place, call_of(data), Manner(overwrite=True))

    run_by_shard(place, call_of(data), Manner(part="1/2"), meanwhile)


def test_data_that_change_under_a_run_are_said_and_nothing_is_called_whole(bucket, own_data):
    data = own_data
    place = f"{bucket}/preds"

    def meanwhile(done, total):
        if Objects(data).read(ROOT) == begun:
            made(data, "seed=1")

    begun = Objects(data).read(ROOT)
    with pytest.raises(InputError, match=r"fingerprint must stay sha256:\w+ during a run, got sha256:"):
        run_by_shard(place, call_of(data), Manner(), meanwhile)
    with pytest.raises(InputError, match="1 of 5 parts are there"):
        PartsFolder.open(place)


@pytest.mark.parametrize("form", ["preds.json", "preds"])
def test_data_that_change_after_the_last_frame_was_read_are_said(bucket, own_data, cli, monkeypatch, form):
    data = own_data
    from csist_bench.methods import by_shard, inference

    unmix, count = inference.unmix_each, []

    def slow(*arguments, **named):
        done = unmix(*arguments, **named)
        count.append(done)
        if form == "preds.json" or len(count) == 5:
            made(data, "seed=1")
        return done

    monkeypatch.setattr(inference, "unmix_each", slow)
    monkeypatch.setattr(by_shard, "unmix_each", slow)
    run = ["run", "bid", "--set", "iterations=2", "--data", data, "--out", f"{bucket}/{form}"]
    cli.refuses(*run, says="somebody wrote the data set meanwhile; do it again")
    assert Objects(bucket).read("preds.json") is None
    if form == "preds":
        assert json.loads(Objects(bucket).read(f"preds/{MANIFEST}"))["parts"] is None


@pytest.mark.slow
def test_a_dask_cluster_answers_and_scores_the_same(bucket, data, cli):
    run = ["run", "bid", "--set", "iterations=2", "--data", data, "--out"]
    cli.passes(*run, f"{bucket}/a", "--executor", "dask:")
    cli.passes(*run, f"{bucket}/b")
    for index in range(5):
        assert Objects(f"{bucket}/a").read(part_name(index)) == Objects(f"{bucket}/b").read(part_name(index))
    score = ["evaluate", f"{bucket}/a", "--data", data]
    assert cli.json(*score, "--executor", "dask:") == cli.json(*score)


def test_a_shard_costs_few_requests(bucket, data, object_server):
    def asked(work):
        before = len(object_server.requests())
        work()
        return len(object_server.requests()) - before

    place, call = f"{bucket}/preds", call_of(data)
    # Of a part: status, frames, the claim twice, part and note put and read again; of the whole: opening, claims.
    assert asked(lambda: run_by_shard(place, call, Manner())) <= 8 * 5 + 40
    found = read_predictions(place, frames_per_trajectory=6, n_trajectories=14).detections
    assert np.isfinite(found.score).all()
