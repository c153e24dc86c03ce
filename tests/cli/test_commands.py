"""The command line end to end, on 40 trajectories of 4 frames: the whole story, help, JSON, and what it writes."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import pytest

from csist_bench import datasets
from csist_bench.cli import COMMANDS
from csist_bench.datasets import open_dataset
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import TINY, tiny_set

FEW = [word for setting in TINY for word in ("--set", setting)]
SCORES = ("cso_map", "ap05", "ap10", "ap15", "ap20", "ap25", "frames_scored", "detections", "targets")


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_set(tmp_path_factory.mktemp("data") / "seqcsist.zarr")


@pytest.fixture
def occupied(tmp_path):
    """A path below a regular file, where not even the superuser can write."""
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file" / "below"


# --- the whole story ----------------------------------------------------------------------------------------------


def test_from_recipe_to_leaderboard(cli, tmp_path, monkeypatch):
    """The defaults of every command fit together, as the README shows them."""
    monkeypatch.chdir(tmp_path)
    _, said = cli.passes("generate", *FEW)
    assert "wrote 160 frames" in said
    about = cli.json("info", "data/seqcsist.zarr")
    assert (about["status"], about["frames"]) == ("complete", 160)
    assert about["trajectories"] == {"train": 28, "val": 6, "test": 6}
    assert about["fingerprint"] in said
    assert cli.json("validate", "data/seqcsist.zarr")["valid"] is True

    cli.passes("run", "ista", "--set", "iterations=50")
    assert cli.json("info", "preds.json")["header"]["n_frames"] == 12
    assert cli.json("validate", "preds.json") == {
        "path": "preds.json", "kind": "predictions", "valid": True, "faults": [],
    }  # fmt: skip
    report = cli.json("evaluate", "preds.json")
    assert set(SCORES) <= set(report)
    assert report["cso_map"] == pytest.approx(np.mean([report[name] for name in SCORES[1:6]]))
    assert (report["frames_scored"], report["official"], report["method"]["name"]) == (12, True, "ISTA")
    assert "CSO-mAP" in cli.passes("evaluate", "preds.json")[0]

    cli.passes("run", "bid", "--set", "iterations=50", "--out", "bid.json", "--frames", "all")
    assert cli.json("evaluate", "bid.json", "--frames", "all")["frames_scored"] == 24

    for file in ("preds.json", "bid.json"):
        cli.passes("submit", file, "--bootstrap", "20")
    rows = [row for row in cli.json("leaderboard", "--dataset", "all") if row["tier"] == "submitted"]
    assert {row["method"] for row in rows} == {"ISTA", "BID"}
    assert next(row for row in rows if row["method"] == "ISTA")["cso_map"] == pytest.approx(report["cso_map"])


def test_import_gives_back_what_was_exported(cli, data, tmp_path):
    cli.passes("export", "--layout", "published", "--bits", "16", data, tmp_path / "folder")
    _, said = cli.passes("import", "--layout", "published", tmp_path / "folder", tmp_path / "again.zarr")
    assert "complete" in said
    there, back = open_dataset(data).split("test"), open_dataset(tmp_path / "again.zarr").split("test")
    assert np.array_equal(there.target_xy, back.target_xy, equal_nan=True)
    assert np.abs(there.frames - back.frames).max() <= 0.5 / 64 + 1e-9


def test_import_says_how_annotations_were_read_and_asks_where_it_cannot_tell(cli, data, tmp_path):
    cli.passes("export", "--layout", "csist-100k", "--origin", "one", "--axes", "yx", data, tmp_path / "folder")
    _, said = cli.passes("import", "--layout", "csist-100k", tmp_path / "folder", tmp_path / "again.zarr")
    assert "read with axes yx, origin one, pixels rounded: largest error 0." in said
    assert "other axes/origin: xy/centre " in said
    assert "no url told" not in said  # the side file tells it
    assert cli.json("info", tmp_path / "again.zarr")["imported"]["origin"] == "one"
    (tmp_path / "scene.csv").write_text("trajectory,frame,target,x,y,intensity\n0,0,0,5,5,100\n")
    cli.passes("generate", "--targets", tmp_path / "scene.csv", "--out", tmp_path / "one.zarr")
    cli.passes("export", tmp_path / "one.zarr", tmp_path / "one")
    (tmp_path / "one" / "csist-bench.json").unlink()
    bare = ("import", "--frames", "1", tmp_path / "one", tmp_path / "back.zarr")
    cli.refuses(*bare, says="tell which one with --axes xy|yx")
    cli.refuses(*bare, "--license", "see below", says="--license must be an SPDX identifier")
    _, said = cli.passes(*bare, "--axes", "xy", "--license", "CC-BY-4.0")
    assert "no url told: left out of croissant.json; tell with --url" in said


def test_a_scene_of_ones_own(cli, tmp_path):
    (tmp_path / "scene.csv").write_text("trajectory,frame,target,x,y,intensity\n0,1,0,4.5,6.2,300\n")
    cli.passes("generate", "--targets", tmp_path / "scene.csv", "--out", tmp_path / "mine.zarr")
    cli.passes("run", "bid", "--set", "iterations=5", "--data", tmp_path / "mine.zarr", "--out", tmp_path / "p.json")
    report = cli.json("evaluate", tmp_path / "p.json", "--data", tmp_path / "mine.zarr")
    assert (report["frames_scored"], report["targets"]) == (2, 1)


def test_background_frames_of_ones_own_are_part_of_the_fingerprint(cli, tmp_path):
    sky, fingerprints = tmp_path / "sky.npy", []
    for level in (5.0, 9.0):
        np.save(sky, np.full((3, 12, 12), level))
        given = ("--out", tmp_path / f"{level}.zarr", *FEW, "--set", f"background={sky}")
        cli.passes("generate", *given)
        fingerprints.append(cli.json("info", tmp_path / f"{level}.zarr")["fingerprint"])
        assert cli.json("validate", tmp_path / f"{level}.zarr")["valid"]
    assert fingerprints[0] != fingerprints[1]
    cli.passes("generate", *given, "--resume")
    again = ("--out", tmp_path / "5.0.zarr", *FEW, "--set", f"background={sky}", "--resume")
    cli.refuses("generate", *again, says="was begun with another background")


def test_parts_and_resume_make_one_set(cli, tmp_path, data):
    out = ("--out", tmp_path / "set.zarr")
    assert "not complete yet" in cli.passes("generate", *out, *FEW, "--part", "2/2")[1]
    assert open_dataset(data).fingerprint in cli.passes("generate", *out, *FEW, "--part", "1/2")[1]
    assert "wrote 0 frames" in cli.passes("generate", *out, *FEW, "--resume")[1]


# --- help and JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_shows_an_example(cli, command):
    text, _ = cli.passes(command, "--help")
    before_options = text.split("Options:")[0]
    assert "Example" in before_options
    assert f"csist-bench {command}" in before_options.split("Example")[1]


def test_the_help_lists_every_command(cli):
    text, _ = cli.passes("--help")
    assert [line.split()[0] for line in text.split("Commands:\n")[1].splitlines() if line[2:3].strip()] == [*COMMANDS]


@pytest.mark.parametrize("path", ["seqcsist-dense", "ista"])
def test_recipes_are_described_and_valid_by_name(cli, path):
    assert cli.json("info", path)["recipe_hash"].startswith("sha256:")
    assert cli.json("validate", path)["valid"] is True


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        (["doctor"], "packages"),
        (["limit", "--trajectories", "2", "--draws", "1"], "lines"),
        (["run-and-submit", "--dry-run"], "cso_map"),
        (["bench", "start"], "measures"),
    ],
)
def test_json_is_all_that_stdout_holds(cli, data, tmp_path, command, holds):
    if command[0] == "run-and-submit":
        cli.passes("run", "ista", "--set", "iterations=2", "--data", data, "--out", tmp_path / "p.json")
        command = ["submit", tmp_path / "p.json", "--bootstrap", "2", *command[1:]]
    where = ["--data", data] if command[0] in ("limit", "submit") else []
    assert holds in cli.json(*command, *where)


def test_text_is_printed_where_no_json_is_asked_for(cli, data):
    assert "fingerprint" in cli.passes("info", data)[0]
    assert "valid dataset" in cli.passes("validate", data)[0]
    assert "packages:" in cli.passes("doctor")[0]
    assert "tier" in cli.passes("limit", "--data", data, "--trajectories", "2", "--draws", "1")[0].lower()


# --- outputs ------------------------------------------------------------------------------------------------------


def test_outputs_that_exist_are_kept(cli, data, tmp_path):
    kept = tmp_path / "kept.json"
    kept.write_text("years of work")
    cli.refuses("run", "bid", "--data", data, "--out", kept, says="exists; pass --overwrite to replace it")
    cli.refuses("generate", "--out", data, *FEW, says="exists already (complete); pass --resume to finish it or")
    cli.refuses("generate", "--out", kept, "--overwrite", says="is not a csist-bench data set; it is left alone")
    cli.refuses("import", tmp_path, kept, says="must not exist")
    cli.refuses("export", data, tmp_path, says="must be a new or empty folder")
    assert kept.read_text() == "years of work"
    cli.passes("run", "bid", "--set", "iterations=2", "--data", data, "--out", kept, "--overwrite")
    assert json.loads(kept.read_text())["n_frames"] == 12


@pytest.mark.parametrize("name", ["preds.txt", "taken", "folder.json"])
def test_an_output_that_cannot_be_is_refused_before_the_work(cli, data, tmp_path, name):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "taken").touch()
    found = cli.refuses(
        "run", "bid", "--data", data, "--out", tmp_path / name, "--overwrite", says="csist-bench: error: "
    )
    assert "suffix" in found or "is a folder" in found or "be a folder of its own" in found


def test_no_permission_to_write_is_one_line_and_leaves_nothing(cli, data, occupied, tmp_path):
    preds = tmp_path / "p.json"
    cli.passes("run", "bid", "--set", "iterations=2", "--data", data, "--out", preds)
    before = sorted(tmp_path.rglob("*"))
    for arguments in (
        ["generate", *FEW, "--out", occupied],
        ["run", "bid", "--data", data, "--out", occupied.with_suffix(".json")],
        ["submit", preds, "--data", data, "--bootstrap", "2", "--leaderboard", occupied],
        ["export", data, occupied],
        ["leaderboard", "--html", occupied],
        ["bench", "start", "--out", occupied],
        ["train", "srcnn", "--data", data, "--out", occupied, "--max-minutes", "0.01"],
        ["plot", "frames", "--data", data, "--out", occupied.with_suffix(".png")],
    ):
        code, _, err = cli(*arguments)
        assert code == 2, arguments
        last = err.splitlines()[-1]
        assert last.startswith("csist-bench: error: "), err
        assert str(tmp_path / "file") in last
        assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fits", [0, 1, 5, 22, 30])
def test_a_disk_that_fills_up_leaves_no_set_that_passes_for_whole(cli, tmp_path, monkeypatch, fits):
    """Every file is moved into place; here only the first few find room."""
    path, moved, replace = tmp_path / "set.zarr", [], os.replace

    def replace_while_there_is_room(*arguments):
        moved.append(arguments)
        return replace(*arguments) if len(moved) <= fits else full_disk()

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_while_there_is_room)
        cli.refuses("generate", "--out", path, *FEW, says="No space left on device")
    cli.refuses("run", "bid", "--data", path, "--out", tmp_path / "p.json", says=str(path))
    cli.passes("generate", "--out", path, *FEW, "--resume")
    assert cli.json("validate", path)["valid"]


def test_a_full_disk_leaves_no_half_written_file(cli, data, tmp_path, monkeypatch):
    preds, board = tmp_path / "p.json", tmp_path / "leaderboard.csv"
    cli.passes("run", "bid", "--set", "iterations=2", "--data", data, "--out", preds)
    cli.passes("submit", preds, "--data", data, "--bootstrap", "2", "--leaderboard", board)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        patch.setattr(os, "replace", full_disk)
        for arguments in (
            ["run", "bid", "--set", "iterations=2", "--data", data, "--out", preds, "--overwrite"],
            ["run", "bid", "--set", "iterations=2", "--data", data, "--out", tmp_path / "new.json"],
            ["submit", preds, "--data", data, "--bootstrap", "2", "--leaderboard", board, "--rank", "brightness"],
            ["leaderboard", "--leaderboard", board, "--html", tmp_path / "page.html"],
        ):
            cli.refuses(*arguments, says="No space left on device")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_ctrl_c_says_so_in_one_line_and_the_set_resumes(cli, tmp_path, monkeypatch):
    path = tmp_path / "set.zarr"

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(datasets, "write_shard", interrupted)
        code, _, err = cli("generate", "--out", path, *FEW)
    assert code == 130
    assert err.strip() == "csist-bench: error: interrupted"
    cli.passes("generate", "--out", path, *FEW, "--resume")


def test_a_gpu_whose_memory_does_not_suffice_is_told_in_one_line(cli, data, monkeypatch):
    torch = pytest.importorskip("torch")

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has ...")

    monkeypatch.setattr("csist_bench.datasets.open_dataset", full)
    cli.refuses(
        "info", data, says="CUDA out of memory; fewer frames a pass (run --batch) or a step (train --set batch_frames)"
    )


def test_figures_of_a_benchmark_are_kept_and_taken_up(cli, tmp_path, monkeypatch):
    from csist_bench.speed import parts
    from csist_bench.speed.measures import Measure

    def broken():
        yield Measure("first", 1.0, "s")
        raise RuntimeError("no luck")

    def whole():
        yield Measure("second", 2.0, "s")

    monkeypatch.setattr(parts, "_PARTS", {"generate": broken, "start": whole})
    out = tmp_path / "f.json"
    code, told, _ = cli("bench", "generate", "start", "--out", out)
    assert code == 1
    assert "generate: failed: RuntimeError: no luck" in told
    monkeypatch.setattr(parts, "_PARTS", {"generate": whole, "start": broken})
    assert "second" in cli.passes("bench", "generate", "start", "--out", out, "--resume")[0]
    assert json.loads(out.read_text())["done"] == ["start", "generate"]
