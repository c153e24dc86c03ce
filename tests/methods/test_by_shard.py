from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from csist_bench.datasets import layout, open_dataset
from csist_bench.datasets.executors import Dask, Serial, _by_the_same_version
from csist_bench.datasets.generation import generate
from csist_bench.errors import InputError
from csist_bench.evaluation.by_shard import Scoring, evaluate_parts
from csist_bench.evaluation.report import Provenance
from csist_bench.methods import by_shard
from csist_bench.methods.by_shard import Call, Manner, run_by_shard
from csist_bench.methods.inference import assumed_or_told, header_of, unmix_each
from csist_bench.methods.misfit import Misfit
from csist_bench.methods.runners import RunOptions
from csist_bench.methods.scope import Scope
from csist_bench.predictions import read_predictions, write_predictions
from csist_bench.predictions.parts import MANIFEST, PartsFolder, part_name
from csist_bench.recipes import load_data_recipe
from tests.helpers.command_line import CommandLine

FIELDS = ["trajectories=14", "splits=[0.0, 0.0, 1.0]", "frames=6", "scored_frames='1:5'"]


def made(path, *fields):
    """A set of 14 trajectories in 5 shards, the last of them short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FRAMES_PER_CHUNK", 18)
        patch.setattr(layout, "CHUNKS_PER_SHARD", 1)
        generate(path, load_data_recipe("seqcsist", [*FIELDS, *fields]))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = made(tmp_path_factory.mktemp("data") / "set.zarr", "noise_sigma=2")
    assert len(open_dataset(path).tasks()) == 5
    return path


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


def call_of(data, method="ml", **options):
    split = open_dataset(data).test
    camera = assumed_or_told(split, None)
    return Call(str(data), "test", split.fingerprint, method, "grid", camera, RunOptions(**options), Scope())


def whole(data, method="ml"):
    split = open_dataset(data).test
    done = unmix_each(split, method, ["grid"])[0]
    return split, done


def columns(path):
    return read_predictions(path, frames_per_trajectory=6, n_trajectories=14).detections.columns()


@pytest.mark.parametrize(
    ("method", "executor"), [("ml", "serial"), ("ml-seq", "serial"), ("group-map", "serial"), ("ml", "processes")]
)
def test_parts_are_the_bits_of_the_whole(data, tmp_path, method, executor):
    split, done = whole(data, method)
    calls = []
    answered = run_by_shard(
        tmp_path / "preds", call_of(data, method), Manner(executor, 2), lambda *state: calls.append(state)
    )
    assert answered.complete
    assert calls[-1] == (14 * 4, 14 * 4)
    own, parts = done.detections.columns(), columns(tmp_path / "preds")
    assert own.keys() == parts.keys()
    for name, column in own.items():
        np.testing.assert_array_equal(parts[name], column, err_msg=name)
    header, plain = PartsFolder.open(tmp_path / "preds").header, header_of(split, done)
    assert header.n_frames == plain.n_frames == 14 * 4
    assert header.method == {k: v for k, v in plain.method.items() if k not in ("seconds", "hardware")}


def test_the_misfit_of_parts_is_that_of_the_whole(data, tmp_path):
    done = whole(data)[1].misfit
    run_by_shard(tmp_path / "preds", call_of(data), Manner())
    joined = Misfit.joined([note.misfit for note in PartsFolder.open(tmp_path / "preds").notes])
    for name in ("chi2", "expected", "error", "limit", "least", "pixels"):
        assert getattr(joined, name) == pytest.approx(getattr(done, name), rel=1e-12)
    assert joined.table() == {"unit": "chi2 per pixel", "mean": pytest.approx(done.table()["mean"])}
    assert joined.n_frames == 56


def test_scoring_the_parts_gives_the_bits_of_the_file(cli, data, tmp_path):
    split, done = whole(data)
    write_predictions(tmp_path / "p.json", done.detections, header_of(split, done))
    run_by_shard(tmp_path / "preds", call_of(data), Manner())
    told = ("method", "fingerprint")
    for options in ((), ("--executor", "processes"), ("--frames", "2:4"), ("--trajectories", "2:9")):
        parts = cli.json("evaluate", tmp_path / "preds", "--data", data, "--json", *options)
        plain = [] if "--executor" in options else options
        file = cli.json("evaluate", tmp_path / "p.json", "--data", data, "--json", *plain)
        assert {k: v for k, v in parts.items() if k not in told} == {k: v for k, v in file.items() if k not in told}
    cli.passes("evaluate", tmp_path / "preds", "--data", data, "--report", tmp_path / "report")  # needs the whole
    assert (tmp_path / "report" / "report.html").is_file()


def test_a_run_goes_on_where_it_was_interrupted(data, tmp_path, monkeypatch):
    folder, real = tmp_path / "preds", by_shard.answer_part

    def dies(*job):
        if job[2] == 2:
            raise KeyboardInterrupt
        return real(*job)

    monkeypatch.setattr(by_shard, "answer_part", dies)
    with pytest.raises(KeyboardInterrupt):
        run_by_shard(folder, call_of(data), Manner())
    with pytest.raises(InputError, match=r"2 of 5 parts are there; finish it with the same command and --resume"):
        read_predictions(folder, frames_per_trajectory=6, n_trajectories=14)
    monkeypatch.setattr(by_shard, "answer_part", real)
    with pytest.raises(InputError, match=r"exists already \(incomplete\); pass --resume"):
        run_by_shard(folder, call_of(data), Manner())
    (folder / part_name(0)).write_bytes(b"damaged")
    answered = run_by_shard(folder, call_of(data), Manner(resume=True))
    assert (answered.written, answered.skipped, answered.complete) == (4, 1, True)
    done = whole(data)[1].detections
    np.testing.assert_array_equal(columns(folder)["x"], done.x)


def test_another_run_is_not_mixed_in(data, tmp_path):
    folder = tmp_path / "preds"
    run_by_shard(folder, call_of(data), Manner(part="1/2"))
    with pytest.raises(InputError, match=r"begun with another run \(method: ml -> ml-seq\)"):
        run_by_shard(folder, call_of(data, "ml-seq"), Manner(part="2/2"))
    settings = {"brightness": "free"}
    with pytest.raises(InputError, match=r"another run \(settings: "):
        run_by_shard(folder, call_of(data, settings=settings), Manner(part="2/2"))
    other = made(tmp_path / "seed.zarr", "noise_sigma=2", "seed=1")
    with pytest.raises(InputError, match=r"another run \(data: sha256"):
        run_by_shard(folder, call_of(other), Manner(part="2/2"))
    assert run_by_shard(folder, call_of(data), Manner(part="2/2")).complete


def test_data_that_change_under_a_run_are_refused(data, tmp_path):
    with pytest.raises(InputError, match=r"fingerprint must stay sha256:0 during a run, got sha256:"):
        by_shard.answer_part(str(tmp_path), Call(**vars(call_of(data)) | {"fingerprint": "sha256:0"}), 0, 0, 3, True)


def test_parts_of_machines_without_a_common_disk_are_merged(cli, data, tmp_path):
    one, two, both = tmp_path / "one", tmp_path / "two", tmp_path / "both"
    assert not run_by_shard(one, call_of(data), Manner(part="1/2")).complete
    cli.refuses("merge", one, "--out", both, says="missing; offending: part-000002.parquet")
    run_by_shard(two, call_of(data), Manner(part="2/2"))
    _, said = cli.passes("merge", one, two, "--out", both)
    assert "5 parts" in said
    np.testing.assert_array_equal(columns(both)["x"], whole(data)[1].detections.x)
    says = "every part must be in one folder alone; twice; offending: part-000000.parquet in"
    cli.refuses("merge", one, two, one, "--out", tmp_path / "third", says=says)
    cli.refuses("merge", one, two, "--out", both, says="be a new or empty folder")
    other = made(tmp_path / "seed.zarr", "noise_sigma=2", "seed=1")
    shutil.rmtree(two)
    run_by_shard(two, call_of(other), Manner(part="2/2"))
    cli.refuses("merge", one, two, "--out", tmp_path / "third", says="was begun with another run (data: ")
    assert not (tmp_path / "third").exists()


def test_damaged_parts_and_manifests_are_refused(cli, data, tmp_path):
    folder = tmp_path / "preds"
    run_by_shard(folder, call_of(data), Manner())
    shutil.copy(folder / part_name(1), folder / part_name(0))
    says = f"have the content that {MANIFEST} tells of"
    cli.refuses("evaluate", folder, "--data", data, says=says)
    (folder / part_name(0)).unlink()
    cli.refuses("evaluate", folder, "--data", data, says="part-000000.parquet not found")
    manifest = json.loads((folder / MANIFEST).read_text())
    for change, says in (
        ({"format": "other"}, "$.format must be"),
        ({"length": 0}, "must be at least 1"),
        ({"parts": manifest["parts"][:2]}, "must hold 5 notes"),
        ({"more": 1}, "unknown field"),
    ):
        (folder / MANIFEST).write_text(json.dumps(manifest | change))
        cli.refuses("evaluate", folder, "--data", data, says=says)


def test_the_command_line(cli, data, tmp_path):
    folder = tmp_path / "preds"
    _, said = cli.passes("run", "ml", "--data", data, "--out", folder, "--limit", 7)
    assert "complete: " in said
    assert "28 frames" in said
    cli.refuses("run", "ml", "--data", data, "--out", folder, says="exists already (complete); pass --resume")
    cli.passes("run", "ml", "--data", data, "--out", folder, "--limit", 7, "--resume")
    cli.passes("run", "ml", "--data", data, "--out", folder, "--overwrite")
    assert PartsFolder.open(folder).manifest.trajectories == 14
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.md").touch()
    cli.refuses("run", "ml", "--data", data, "--out", tmp_path / "mine", "--overwrite", says="holds other files")
    np.save(tmp_path / "frames.npy", np.zeros((1, 4, 11, 11)))
    says = "--out must be a file for frames without targets"
    cli.refuses("run", "ml", "--data", tmp_path / "frames.npy", "--out", tmp_path / "p", says=says)
    cli.refuses("run", "ml", "--data", data, "--out", tmp_path / "p.json", "--resume", says="--resume must be left out")
    cli.refuses("run", "ml", "--data", data, "--out", tmp_path / "p", "--executor", "slurm", says="--executor must be")
    cli.refuses("evaluate", tmp_path / "p.json", "--data", data, "--executor", "serial", says="--executor must be left")
    assert not (tmp_path / "p").exists()


def test_a_cluster_answers_and_scores_and_its_workers_must_be_of_this_version(data, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        assert run_by_shard(tmp_path / "preds", call_of(data), Manner(f"dask:{address}")).complete
        parts, split = PartsFolder.open(tmp_path / "preds"), open_dataset(data).test
        scoring = Scoring.of_split(split, None, None, "nearest", None)
        with distributed.Client(address) as client:
            report = evaluate_parts(parts, split, scoring, Provenance(parts.header), Dask(client, address))
            asked = client.submit(_by_the_same_version, "9.9", max, 1, 2)
            with pytest.raises(InputError, match=r"must have this version of csist-bench, got .* there, 9\.9 here"):
                asked.result()
    np.testing.assert_array_equal(columns(tmp_path / "preds")["x"], whole(data)[1].detections.x)
    assert report.to_dict() == evaluate_parts(parts, split, scoring, Provenance(parts.header), Serial()).to_dict()
