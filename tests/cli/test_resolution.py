"""`csist-bench plot resolution`."""

from __future__ import annotations

import re

import numpy as np
import pytest

from csist_bench.datasets import open_dataset
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import tiny_set


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    given = ("generate", "--recipe", "csist-pairs", "--set", "trajectories=60", "--out", str(folder / "pairs.zarr"))
    from csist_bench.cli import main

    with pytest.raises(SystemExit):
        main(list(given))
    return folder / "pairs.zarr"


def written(path, xy, moved):
    """Write both targets of every frame as a CSV, the second one moved by so many of their distances."""
    apart = xy[:, :, 0] - xy[:, :, 1]
    lines = ["trajectory,frame,x,y,score"]
    for n in range(len(xy)):
        for k, place in enumerate((xy[n, 0, 0], xy[n, 0, 1] + moved * apart[n, 0])):
            lines.append(f"{n},0,{float(place[0])!r},{float(place[1])!r},{2 - k}")
    path.write_text("\n".join(lines))
    return path


def test_it_draws_and_tells_the_share_of_pairs(cli, pairs, tmp_path):
    xy = open_dataset(pairs).test.target_xy
    near, far = written(tmp_path / "near.csv", xy, 0.49), written(tmp_path / "far.csv", xy, 0.51)
    out = tmp_path / "resolution.svg"
    _, said = cli.passes("plot", "resolution", near, far, "--data", pairs, "--out", out)
    told = re.findall(r"(\w+)\.csv: ([\d.]+) % of 60 pairs resolved, ([\d.]+) answers a frame", said)
    assert told == [("near", "100.0", "2.00"), ("far", "0.0", "2.00")]
    assert out.read_bytes().startswith(b"<?xml")


def test_answers_beyond_the_best_two_do_not_count_unless_told(cli, pairs, tmp_path):
    xy = open_dataset(pairs).test.target_xy
    found = written(tmp_path / "found.csv", xy, 0.0)
    decoys = [f"{n},0,{place}.0,9.0,9" for n in range(60) for place in range(3)]
    found.write_text("\n".join([found.read_text(), *decoys]))
    out = ("--data", pairs, "--out", tmp_path / "a.png")
    assert "0.0 % of 60 pairs resolved, 2.00 answers" in cli.passes("plot", "resolution", found, *out)[1]
    said = cli.passes("plot", "resolution", found, "--max-answers", 5, *out)[1]
    assert "100.0 % of 60 pairs resolved, 5.00 answers" in said


def test_without_a_limit_that_is_said(cli, pairs, tmp_path):
    quiet = tmp_path / "quiet.zarr"
    cli.passes(
        "generate", "--recipe", "csist-pairs", "--set", "trajectories=5", "--set", "noise_sigma=0", "--out", quiet
    )
    found = written(tmp_path / "found.csv", open_dataset(quiet).test.target_xy, 0.0)
    _, said = cli.passes("plot", "resolution", found, "--data", quiet, "--out", tmp_path / "quiet.png")
    assert "no statistical limit is drawn" in said


def test_what_cannot_be_drawn_is_refused(cli, pairs, tmp_path):
    found = written(tmp_path / "found.csv", open_dataset(pairs).test.target_xy, 0.0)
    cli.refuses("plot", "resolution", "--data", pairs, says="PREDICTIONS")
    cli.refuses("plot", "resolution", *[found] * 7, "--data", pairs, says="PREDICTIONS must be at most 6 files, got 7")
    cli.refuses(
        "plot", "resolution", found, "--data", pairs, "--out", tmp_path / "a.txt", says="unknown picture format"
    )
    alone = tiny_set(tmp_path / "three.zarr", "seqcsist", "k_min=3")
    one = tmp_path / "one.csv"
    one.write_text("trajectory,frame,x,y,score\n0,1,5,5,1\n")
    code, _, err = cli("plot", "resolution", one, "--data", alone, "--out", tmp_path / "a.png")
    assert code == 2
    assert "no scored frame holds a pair of targets" in err
    assert np.all([not (tmp_path / name).exists() for name in ("a.png", "a.txt")])
