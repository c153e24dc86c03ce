"""Large frames on the command line: run, overlay, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.helpers.command_line import CommandLine
from tests.helpers.foreign_frames import foreign_scene

TOLD = ("--noise-sigma", "2", "--set", "brightness=free")


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    frames, _ = foreign_scene(np.random.default_rng(0), (96, 96), 3, groups=3, noise=2.0, level=100.0, bits=12)
    path = tmp_path_factory.mktemp("frames") / "large.npy"
    np.save(path, frames)
    return path


def test_large_frames_are_searched_and_drawn(cli, large, tmp_path):
    preds, picture = tmp_path / "preds.json", tmp_path / "overlay.png"
    cli.passes("run", "ml", "--data", large, *TOLD, "--false-alarms", "0.001", "--out", preds)
    file = json.loads(preds.read_text())
    assert {row["group"] for row in file["predictions"]} == {0, 1, 2}
    assert (file["method"]["groups"], file["method"]["false_alarms"]) == ("many", 0.001)
    _, err = cli.passes("plot", "overlay", large, preds, "--frame", "2", "--out", picture)
    shown = sum(row["frame"] == 2 for row in file["predictions"])
    assert f"{shown} detections in frame 2 of trajectory 0" in err
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_one_group_is_answered_where_that_is_asked_for(cli, large, tmp_path):
    preds = tmp_path / "preds.csv"
    cli.passes("run", "ml", "--data", large, *TOLD, "--groups", "one", "--out", preds)
    assert "group" not in preds.read_text()


def test_frames_without_targets_are_answered_with_none(cli, tmp_path):
    path, preds = tmp_path / "none.npy", tmp_path / "preds.json"
    np.save(path, np.zeros((2, 64, 64), np.float32))
    cli.passes("run", "ml", "--data", path, "--out", preds)
    assert json.loads(preds.read_text())["predictions"] == []


def test_what_cannot_be_is_refused(cli, large, tmp_path):
    preds = tmp_path / "preds.json"
    for option, value in (("--groups", "few"), ("--false-alarms", "0"), ("--false-alarms", "-1")):
        code, _, err = cli("run", "ml", "--data", large, option, value, "--out", preds)
        assert code == 2
        assert option in err
    cli.passes("run", "ml", "--data", large, *TOLD, "--out", preds)
    cli.refuses("plot", "overlay", large, preds, "--frame", "3", says="--frame must be in [0, 3), got 3")
    cli.refuses("plot", "overlay", large, preds, "--trajectory", "1", says="--trajectory must be in [0, 1), got 1")
    cli.refuses("plot", "overlay", large, preds, "--out", "picture.gif", says="unknown picture format")
