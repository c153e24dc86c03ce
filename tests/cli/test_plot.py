"""`plot` on the command line, on a test split of 7 trajectories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["frames", "PREDS", "--trajectory", "1"],
        ["frames", "--frames", "3:5"],
        ["trajectory", "PREDS"],
        ["pr", "PREDS"],
        ["calibration", "PREDS"],
    ],
)
def test_plots_of_predictions(bench, truth, arguments):
    rng = np.random.default_rng(0)
    noisy = replace(truth, x=truth.x + rng.normal(0, 0.02, len(truth)), y=truth.y + rng.normal(0, 0.02, len(truth)))
    preds, out = bench.file(noisy), bench.folder / "picture.png"
    filled = [preds if word == "PREDS" else word for word in arguments]
    code, _, err = bench("plot", *filled, "--data", bench.store.path, "--out", str(out))
    assert code == 0, err
    assert out.read_bytes().startswith(PNG)
    if arguments[0] == "calibration":
        assert float(err.rsplit(" ", 1)[1]) == pytest.approx(1.0, abs=0.15)
    if arguments[0] == "pr":
        assert "ISTA: CSO-mAP" in err


def test_several_files_stand_in_one_picture(bench, truth):
    first, second = bench.file(truth, "a.json"), bench.file(replace(truth, x=truth.x + 0.12), "b.json")
    out = bench.folder / "both.svg"
    code, _, err = bench("plot", "pr", first, second, "--data", bench.store.path, "--out", str(out))
    assert code == 0, err
    assert err.endswith("both.svg: ISTA: CSO-mAP 100.00 %, ISTA: CSO-mAP 60.00 %\n")
    assert out.read_text().count("within 0.") == 5


def test_plot_errors_are_one_line(bench, truth):
    preds = bench.file(truth)
    bare = bench.file(Detections(truth.trajectory, truth.frame, truth.x, truth.y, truth.score), "bare.json")
    foreign = bench.file(truth, "foreign.json", fingerprint="sha256:" + "0" * 64)
    data = ("--data", bench.store.path)
    for arguments, message in (
        (("frames", preds, *data, "--out", "x.gif"), "unknown picture format '.gif'"),
        (("frames", preds, *data, "--trajectory", "99"), "--trajectory must be in [0, 7), got 99"),
        (("frames", preds, *data, "--frames", "5:50"), "--frames must be 'all' or START:STOP"),
        (("calibration", bare, *data), "predictions must have sigma_x and sigma_y"),
        (("pr", foreign, *data), "fingerprint must be that of"),
        (("training", str(bench.folder / "none")), "not found"),
        (("leaderboard", "--leaderboard", str(bench.board), "--dataset", "x"), "not found"),
    ):
        code, _, err = bench("plot", *arguments)
        assert code == 2
        assert message in err
        assert err.count("\n") == 1


def test_every_command_shows_an_example(bench):
    for words in (["submit"], ["leaderboard"], *(["plot", k] for k in (
        "frames", "trajectory", "pr", "training", "leaderboard", "calibration"))):  # fmt: skip
        code, out, _ = bench(*words, "--help")
        assert code == 0
        assert f"csist-bench {' '.join(words)}" in out.split("Options:")[0].split("Example")[1]
