"""Submissions by pull request on the command line: a folder is written, checked, added; what is wrong is one line."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from csist_bench.leaderboard import folder as folders
from csist_bench.leaderboard import read_rows
from csist_bench.predictions import read_predictions
from tests.helpers.command_line import CommandLine
from tests.helpers.server import serving
from tests.helpers.submissions import ABOUT, BOOTSTRAP, answers_of, copied, predictions_of


@pytest.fixture
def line(capsys, tmp_path, monkeypatch) -> CommandLine:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return CommandLine(capsys)


@pytest.fixture
def written(line, store, tmp_path) -> Path:
    """A submission of a network that was trained on another seed."""
    predictions_of(store, tmp_path / "preds.json")
    submit(line, store, "--trained-on", "seqcsist seed=1 indices=train+val", "--trained-on", "other: frames of mine")
    return tmp_path / "subs" / "my-net"


def submit(line, store, *options):
    fixed = ("--data", store.path, "--folder", "subs/my-net", "--bootstrap", BOOTSTRAP)
    return line.passes("submit", "preds.json", *fixed, *options)


def content_of(folder):
    return tomllib.loads((folder / "row.toml").read_text())


def test_a_folder_is_written_with_what_the_scorer_reads_and_nothing_is_added(written, store, tmp_path):
    assert sorted(path.name for path in written.iterdir()) == ["predictions.json.gz", "row.toml"]
    assert not (tmp_path / "leaderboard").exists()
    content = content_of(written)
    assert content["told"] == ["optics", "law"]
    assert content["training"] == [
        {"recipe": "seqcsist", "seed": 1, "indices": "train+val"},
        {"other": "frames of mine"},
    ]
    row = content["row"]
    assert (row["method"], row["tier"], row["prior_tier"], row["seed"]) == ("MyNet", "submitted", "D", 3)
    assert row["dataset_recipe"] == "seqcsist trajectories=12 splits=[0.0,0.34,0.66]"
    assert 0 < row["cso_map"] < 100
    packed = written / "predictions.json.gz"
    assert content["predictions"]["sha256"] == "sha256:" + hashlib.sha256(packed.read_bytes()).hexdigest()
    read = read_predictions(packed, frames_per_trajectory=20, n_trajectories=store.test.n_trajectories)
    assert list(read.detections.columns()) == ["trajectory", "frame", "x", "y", "score"]
    assert (read.header.misfit, read.header.fingerprint, read.header.method) == (None, store.fingerprint, ABOUT)
    order = answers_of(store).ordered()
    assert (read.detections.x == order.x).all()


def test_a_folder_is_scored_again_from_its_recipe_or_with_the_set_at_hand(line, written, store):
    for data in ((), ("--data", store.path)):
        out, err = line.passes("leaderboard", "--check", "subs/my-net", *data)
        assert out.startswith("subs/my-net: MyNet on seqcsist trajectories=12")
        assert "all well" in out
        assert "training data frames of mine: overlap with the test data cannot be computed" in err


def test_a_folder_is_added_once_and_still_passes(line, written):
    out, _ = line.passes("submit", "subs/my-net", "--leaderboard", "board.csv")
    assert "MyNet (unfolding)" in out
    only = read_rows("board.csv")[0]
    assert {k: v for k, v in only.values().items() if v not in (None, "")} == content_of(written)["row"]
    assert len(list(Path("trajectories").iterdir())) == 1
    line.passes("leaderboard", "--check", "subs/my-net", "--leaderboard", "board.csv")
    line.passes("leaderboard", "--check", "--leaderboard", "board.csv")
    line.refuses("submit", "subs/my-net", "--leaderboard", "board.csv", says="these predictions are there already")


def test_a_dry_run_writes_and_adds_nothing(line, written, store, tmp_path):
    line.passes("submit", "subs/my-net", "--leaderboard", "board.csv", "--dry-run")
    assert not Path("board.csv").exists()
    _, err = line.passes(
        "submit", "preds.json", "--data", store.path, "--folder", "subs/other", "--trained-on", "none", "--dry-run"
    )
    assert "nothing written" in err
    assert not Path("subs/other").exists()


def test_the_same_answers_under_another_name_are_found(line, written, store, tmp_path):
    predictions_of(store, tmp_path / "first.json", method={**ABOUT, "name": "First"})
    line.passes("submit", "first.json", "--data", store.path, "--leaderboard", "board.csv", "--bootstrap", "5")
    code, out, _ = line("leaderboard", "--check", "subs/my-net", "--leaderboard", "board.csv")
    assert code == 1
    assert "these predictions are there already (First" in out
    line.refuses("submit", "subs/my-net", "--leaderboard", "board.csv", says="these predictions are there already")


@pytest.mark.parametrize(("rank", "kept"), [("brightness", ["intensity"]), ("precision", ["sigma_x", "sigma_y"])])
def test_a_ranking_keeps_the_columns_that_it_goes_by(line, store, tmp_path, rank, kept):
    predictions_of(store, tmp_path / "preds.json")
    submit(line, store, "--trained-on", "none", "--rank", rank)
    read = read_predictions("subs/my-net/predictions.json.gz", frames_per_trajectory=20, n_trajectories=None)
    assert list(read.detections.columns())[5:] == kept
    line.passes("leaderboard", "--check", "subs/my-net", "--data", store.path)


def test_large_predictions_lie_at_an_address_and_are_fetched_only_when_asked_for(line, store, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "LARGEST_FILE", 100)
    predictions_of(store, tmp_path / "preds.json")
    fixed = ("submit", "preds.json", "--data", store.path, "--folder", "subs/my-net", "--trained-on", "none")
    line.refuses(*fixed, says="more than 100; say with --address URL where you will put them")
    assert not Path("subs/my-net").exists()
    files = {}
    with serving(files) as (address, asked):
        _, err = line.passes(*fixed, "--address", f"{address}/p.json.gz", "--bootstrap", BOOTSTRAP)
        assert f"put subs/my-net-predictions.json.gz at {address}/p.json.gz" in err
        assert [path.name for path in Path("subs/my-net").iterdir()] == ["row.toml"]
        check = ("leaderboard", "--check", "subs/my-net", "--data", store.path)
        line.refuses(*check, says="pass --fetch to get them")
        assert asked == []
        line.refuses(*check, "--fetch", says="cannot be fetched: Not Found")
        files["/p.json.gz"] = Path("subs/my-net-predictions.json.gz").read_bytes()[:-1] + b"x"
        line.refuses(*check, "--fetch", says="sha256 of http")
        files["/p.json.gz"] = Path("subs/my-net-predictions.json.gz").read_bytes()
        assert "all well" in line.passes(*check, "--fetch")[0]
    line.passes("submit", "subs/my-net", "--data", store.path, "--leaderboard", "b.csv", "--fetch")  # kept


def test_an_address_that_does_not_answer_is_one_line(line, written):
    content = content_of(written)
    content["predictions"] = {"sha256": "sha256:" + "0" * 64, "address": "http://127.0.0.1:9/none"}
    broken = copied(written, written.with_name("away"), content)
    (broken / "predictions.json.gz").unlink()
    line.refuses("leaderboard", "--check", broken, "--fetch", says="http://127.0.0.1:9/none cannot be fetched")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("cso_map", 99.0, "cso_map must be"),
        ("ap05", 0.5, "ap05 must be"),
        ("cso_map_high", 99.9, "cso_map_high must be"),
        ("gospa_false", 0.1, "gospa_false must be"),
        ("answers_per_frame", 1.0, "answers_per_frame must be"),
        ("evaluator", "1.0", "evaluator must be 1.1, as scored again, got 1.0"),
        ("predictions_sha256", "detections-sha256:" + "0" * 64, "predictions_sha256 must be"),
        ("dataset", "seqcsist", "dataset must be seqcsist trajectories=12"),
        ("noise_sigma", 2.0, "noise_sigma must be 0.0"),
    ],
)
def test_a_figure_that_does_not_hold_is_a_fault(line, written, store, column, value, said):
    content = content_of(written)
    content["row"][column] = value
    broken = copied(written, written.with_name("broken"), content)
    code, out, err = line("leaderboard", "--check", broken)
    assert code == 1, err
    assert any(text.startswith(f"{broken}: {said}") for text in out.splitlines()), out
    line.refuses("submit", broken, "--leaderboard", "board.csv", says=f"see: csist-bench leaderboard --check {broken}")
    assert not Path("board.csv").exists()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("method", "YourNet", "be that of --method YourNet, got MyNet"),
        ("family", "off-grid", "be that of --family off-grid, got unfolding"),
        ("prior_tier", "A", "row: prior_tier must be what the header of the predictions says, D, got A"),
        ("seed", 4, "row: seed must be what the header of the predictions says, 3, got 4"),
        ("dataset_fingerprint", "sha256:" + "0" * 64, "row: dataset_fingerprint must be what the header"),
        ("split", "val", "trajectory must be in [0, 4)"),
        ("tier", "reproduced", "row: tier must be submitted, got reproduced"),
        ("supersedes", "sha256:" + "0" * 64, "row: supersedes must be left out"),
        ("method_name", "x", "unknown column of the row 'method_name'"),
        ("cso_map", 200.0, "row: cso_map must be"),
        ("dataset_recipe", "seqcsist trajectories=0", "row: dataset_recipe: "),
        ("dataset_recipe", "seqcsist trajectories=900000000", "make at most 1,000,000,000 pixels in a check"),
        ("dataset_recipe", "seqcsist background=/etc/passwd", "be one that a set can be made from alone"),
        ("data_seed", 5, "fingerprint must be that of the data"),
    ],
)
def test_a_row_that_says_something_else_than_the_predictions_is_one_line(line, written, column, value, said):
    content = content_of(written)
    content["row"][column] = value
    broken = copied(written, written.with_name("broken"), content)
    line.refuses("leaderboard", "--check", broken, says=said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("format", "csist-bench/submission@2", "format: Invalid enum value"),
        ("told", ["law"], "told must hold optics, as prior tier D says, got law"),
        ("told", ["optics", "law", "all"], "told[2]: Invalid enum value 'all'"),
        ("extra", 1, "unknown field 'extra'"),
        ("training", [{"recipe": "seqcsist", "split": "train"}], "training[0]: Object contains unknown field"),
        ("training", [{"recipe": "seqcsist", "indices": "9:3"}], "be START:STOP within 0:5000, got 9:3"),
        ("predictions", {"sha256": "sha256:" + "0" * 64, "file": "predictions.json.gz"}, "must be 0000"),
        ("predictions", {"sha256": "sha256:" + "0" * 64, "file": "../../preds.json"}, "be the name of a file of the"),
        ("predictions", {"sha256": "sha256:" + "0" * 64, "file": "/etc/passwd"}, "be the name of a file of the"),
        ("predictions", {"sha256": "sha256:" + "0" * 64}, "name either a file or an address"),
        ("predictions", {"sha256": "sha256:" + "0" * 64, "address": "file:///etc/passwd"}, "predictions.address:"),
    ],
)
def test_what_is_wrong_in_row_toml_is_one_line(line, written, name, value, said):
    content = {**content_of(written), name: value}
    broken = copied(written, written.with_name("broken"), content)
    line.refuses("leaderboard", "--check", broken, says=said)


def test_training_on_test_scenes_is_refused_before_scoring_and_found_by_the_check(line, written, store):
    texts = ("seqcsist trajectories=100", "seqcsist-noise trajectories=12 splits=[0.0,0.34,0.66] indices=test")
    for text, shared in zip(texts, (7, 7)):
        says = f"must not hold scenes of split test, got {shared} trajectories of it"
        line.refuses(
            "submit", "preds.json", "--data", store.path, "--folder", "subs/b", "--trained-on", text, says=says
        )
    content = content_of(written)
    content["training"] = [{"recipe": "seqcsist trajectories=100", "seed": 0, "indices": "train"}]
    broken = copied(written, written.with_name("broken"), content)
    code, out, _ = line("leaderboard", "--check", broken)
    assert code == 1
    assert "must not hold scenes of split test, got 7 trajectories of it" in out


def test_scenes_of_the_same_random_numbers_are_said(line, store, tmp_path):
    predictions_of(store, tmp_path / "preds.json")
    _, err = submit(line, store, "--trained-on", "seqcsist-rotated indices=all")
    assert "7 scenes are of the random numbers of split test, by another law" in err
    assert "7 scenes are" in line.passes("leaderboard", "--check", "subs/my-net", "--data", store.path)[1]


def test_files_that_do_not_belong_are_refused(line, written, tmp_path):
    check = ("leaderboard", "--check", written)
    (written / "notes.txt").write_text("x")
    line.refuses(*check, says="notes.txt: is no part of a submission (predictions.json.gz, row.toml); remove it")
    (written / "notes.txt").unlink()
    packed = written / "predictions.json.gz"
    data = packed.read_bytes()
    packed.unlink()
    line.refuses(*check, says="predictions.json.gz not found")
    elsewhere = tmp_path / "elsewhere.json.gz"
    elsewhere.write_bytes(data)
    packed.symlink_to(elsewhere)
    line.refuses(*check, says="must be a file of the folder, got a link")
    packed.unlink()
    packed.mkdir()
    line.refuses(*check, says="predictions.json.gz must be a file, got a folder")
    packed.rmdir()
    os.mkfifo(packed)
    line.refuses(*check, says="predictions.json.gz must be a file, got a pipe")
    packed.unlink()
    packed.write_bytes(np.random.default_rng(0).bytes(folders.LARGEST_FILE + 1))
    line.refuses(*check, says="must be at most 5,000,000 bytes")
    row = written / "row.toml"
    row.write_bytes(b"#" * (folders.LARGEST_ROW_FILE + 1))
    line.refuses(*check, says="row.toml must be at most 100,000 bytes")
    row.unlink()
    line.refuses(*check, says="row.toml not found")


def test_a_bomb_is_refused_before_it_is_unpacked(line, written):
    packed = written / "predictions.json.gz"
    packed.write_bytes(gzip.compress(b" " * 600_000_000, compresslevel=9))
    content = content_of(written)
    content["predictions"]["sha256"] = "sha256:" + hashlib.sha256(packed.read_bytes()).hexdigest()
    bomb = copied(written, written.with_name("bomb"), content)
    line.refuses("leaderboard", "--check", bomb, says="gzip content must unfold to at most")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--trained-on must be given for a folder, got nothing; for a method without training: none"),
        (("--trained-on", "none", "--trained-on", "seqcsist seed=1"), "--trained-on must be none, or data"),
        (("--trained-on", "none", "--told", "noize"), "unknown fact told 'noize'; did you mean 'noise'?"),
        (("--trained-on", "none", "--told", "noise"), "told must hold optics, law, as prior tier D says, got noise"),
        (("--trained-on", "none", "--address", "ftp://x"), "--address must begin with http"),
        (("--trained-on", "none", "--prior-tier", "A"), "prior_tier must be what the header of the predictions says"),
        (("--trained-on", "none", "--tier", "reproduced"), "tier must be submitted, got reproduced"),
        (("--trained-on", "none", "--fetch"), "--fetch must come with a folder of a submission"),
    ],
)
def test_a_folder_that_can_not_be_is_not_written(line, store, tmp_path, options, said):
    predictions_of(store, tmp_path / "preds.json")
    fixed = ("submit", "preds.json", "--data", store.path, "--folder", "subs/my-net", "--bootstrap", BOOTSTRAP)
    line.refuses(*fixed, *options, says=said)
    assert not Path("subs/my-net").exists()


def test_a_file_that_does_not_name_its_data_has_no_folder(line, store, tmp_path):
    predictions_of(store, tmp_path / "preds.json", fingerprint=None)
    fixed = ("submit", "preds.json", "--data", store.path, "--folder", "subs/my-net", "--trained-on", "none")
    code, out, err = line(*fixed)
    assert (code, out) == (2, "")
    assert "row: tier must be submitted, got unverified" in err


def test_a_network_is_not_called_untrained_and_paths_stay_at_home(line, store, tmp_path):
    about = {**ABOUT, "trained_on": "seqcsist", "outside": "/home/me/secret/net.py:MyNet"}
    predictions_of(store, tmp_path / "preds.json", method=about)
    fixed = ("submit", "preds.json", "--data", store.path, "--folder", "subs/my-net", "--trained-on")
    line.refuses(*fixed, "none", says="training must name what it was trained on, since the header of the predictions")
    line.passes(*fixed, "seqcsist seed=1")
    packed = Path("subs/my-net/predictions.json.gz")
    read = read_predictions(packed, frames_per_trajectory=20, n_trajectories=None)
    assert read.header.method["outside"] == "net.py:MyNet"
    content = content_of(packed.parent)
    broken = copied(packed.parent, tmp_path / "broken", {**content, "training": []})
    line.refuses("leaderboard", "--check", broken, says="training must name what it was trained on")


def test_a_place_that_is_taken_and_a_name_that_is_none_are_refused(line, written, store):
    fixed = ("submit", "preds.json", "--data", store.path, "--trained-on", "none", "--folder")
    line.refuses(*fixed, "subs/my-net", says="must be a new or empty folder")
    line.refuses(*fixed, "subs/my net", says="name of a submission must be at most 80 letters, digits")


@pytest.mark.parametrize("option", [("--trained-on", "none"), ("--told", "noise"), ("--address", "http://x")])
def test_what_is_of_a_folder_needs_one(line, store, option):
    line.refuses("submit", "preds.json", "--data", store.path, *option, says=f"{option[0]} must come with --folder")


def test_a_folder_says_all_of_its_row_itself(line, written):
    line.refuses("submit", "subs/my-net", "--note", "mine", says="--note must be left out for subs/my-net, whose row")
    line.refuses("submit", "subs/my-net", "--folder", "x", says="--folder must be left out for subs/my-net")


def test_folders_and_fetch_need_a_check(line, tmp_path):
    line.refuses("leaderboard", "--fetch", says="--fetch must come with --check FOLDER")
    line.refuses("leaderboard", "--check", tmp_path / "none", says="must be a folder with row.toml, got nothing")
    (tmp_path / "board.csv").touch()
    line.refuses("leaderboard", "--check", "board.csv", says="got a file; a table is checked with --leaderboard FILE")


def test_schemas_are_printed(line):
    for name in ("predictions", "row", "submission"):
        out, _ = line.passes("leaderboard", "--schema", name)
        assert json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
