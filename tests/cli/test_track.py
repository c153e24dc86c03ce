"""`csist-bench track`, and tracks in `evaluate`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from csist_bench.datasets import open_dataset
from csist_bench.detections import Detections
from csist_bench.predictions import Header, read_predictions, write_predictions
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import tiny_set

KEYS = ("hota", "deta", "assa", "loca", "idf1", "ospa2", "id_switches")


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_set(tmp_path_factory.mktemp("data") / "set.zarr")


@pytest.fixture
def truth(data, tmp_path):
    """The targets themselves as predictions, in a JSON file with a header, rows mixed."""
    store = open_dataset(data)
    part = store.test
    n, t, k = np.nonzero(np.isfinite(part.target_xy[..., 0]))
    order = np.random.default_rng(0).permutation(len(n))
    n, t, k = n[order], t[order], k[order]
    x, y = part.target_xy[n, t, k].T
    header = Header({"name": "Truth"}, "seqcsist", "test", store.fingerprint, 24, misfit={"unit": "none"})
    write_predictions(tmp_path / "truth.json", Detections(n, t, x, y, np.ones(len(n))), header)
    return tmp_path / "truth.json"


def read(path):
    return read_predictions(path, frames_per_trajectory=4, n_trajectories=6)


def test_everything_is_kept_and_a_track_added(cli, truth, tmp_path):
    _, said = cli.passes("track", truth, "--out", tmp_path / "t.json", "--noise", 0.1)
    before, after = read(truth), read(tmp_path / "t.json")
    assert f"tracks of {len(before.detections)} detections" in said
    for name, column in before.detections.columns().items():
        assert after.detections.columns()[name].tolist() == column.tolist()
    about = after.header.method.pop("tracks")
    assert about["by"] == "csist-bench track"
    assert (about["noise"], about["speed"], about["misses"]) == (0.1, 0.05, 3)
    assert after.header == before.header
    cli.passes("track", truth, "--out", tmp_path / "again.json", "--noise", 0.1)
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "t.json").read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "npz", "json.gz"])
def test_other_forms_are_written(cli, truth, data, tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    cli.passes("track", truth, "--data", data, "--out", path)
    assert read(path).detections.track is not None


def test_a_file_with_tracks_is_linked_anew_only_if_told(cli, truth, tmp_path):
    cli.passes("track", truth, "--out", tmp_path / "t.json")
    says = "t.json must have no tracks yet, got a column track; pass --overwrite-tracks"
    cli.refuses("track", tmp_path / "t.json", "--out", tmp_path / "u.json", says=says)
    assert not (tmp_path / "u.json").exists()
    cli.passes("track", tmp_path / "t.json", "--out", tmp_path / "u.json", "--overwrite-tracks")
    assert (tmp_path / "u.json").read_bytes() == (tmp_path / "t.json").read_bytes()


def test_what_cannot_be_linked_is_refused(cli, truth, tmp_path):
    cli.refuses("track", tmp_path / "none.json", says="none.json not found")
    cli.refuses("track", truth, "--out", tmp_path / "t.txt", says="unknown prediction file suffix")
    cli.refuses("track", truth, "--noise", "0", says="noise must be above 0")
    cli.refuses("track", truth, "--misses", "-1", says="misses must be in [0, 1000], got -1")
    other = tiny_set(tmp_path / "other.zarr", "seqcsist", "seed=3")
    cli.refuses("track", truth, "--data", other, says="it was made on other data")
    image = tmp_path / "image.csv"
    image.write_text("image_id,x,y,score\n0,1,1,1\n1,1.01,1,1\n")
    cli.refuses("track", image, says="image_id needs the number of frames per trajectory; name the data set")


def test_files_with_image_id_need_the_data(cli, data, tmp_path):
    image = tmp_path / "image.csv"
    image.write_text("image_id,x,y,score\n0,1,1,1\n1,1.01,1,1\n4,1,1,1\n")
    cli.passes("track", image, "--data", data, "--out", tmp_path / "t.csv")
    found = read(tmp_path / "t.csv").detections
    assert [found.trajectory.tolist(), found.track.tolist()] == [[0, 0, 1], [0, 0, 0]]


def test_a_report_scores_tracks_where_there_are_any(cli, truth, data, tmp_path):
    cli.passes("track", truth, "--out", tmp_path / "t.json")
    report = tmp_path / "report"
    table = cli.json("evaluate", tmp_path / "t.json", "--data", data, "--report", report)
    assert [table[key] for key in KEYS] == [100, 100, 100, 100, 100, 0, 0]
    assert "tracks: HOTA 100.00" in (report / "report.txt").read_text()
    assert json.loads((report / "report.json").read_text())["hota"] == 100
    without = cli.json("evaluate", truth, "--data", data, "--report", report)
    assert not any(key in without for key in KEYS)
    assert "tracks" not in (report / "report.txt").read_text()


def test_targets_that_come_and_go_are_not_scored_as_tracks_which_is_said(cli, tmp_path):
    scene = tmp_path / "scene.csv"
    scene.write_text("trajectory,frame,target,x,y,intensity\n0,0,0,5,5,200\n0,0,1,6,6,200\n0,1,1,6,6,200\n")
    cli.passes("generate", "--targets", scene, "--out", tmp_path / "own.zarr")
    found = tmp_path / "found.csv"
    found.write_text("trajectory,frame,x,y,score,track\n0,0,5,5,1,1\n0,0,6,6,1,2\n0,1,6,6,1,2\n")
    table = cli.json("evaluate", found, "--data", tmp_path / "own.zarr", "--report", tmp_path / "report")
    assert [table[key] for key in KEYS] == [None] * 7
    assert "the number of targets changes within 1 trajectories" in table["tracks_unscored"]
    assert "tracks are not scored" in (tmp_path / "report" / "report.txt").read_text()
