"""Commands on frames without targets: run, info, validate and plot frames read them, the others say why not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets
from tests.helpers import frame_files
from tests.helpers.command_line import CommandLine

XY = np.array([[4.2, 5.6], [4.8, 6.1]])


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture
def mat(tmp_path):
    """Six frames of two targets, (11, 11, 6), as MATLAB writes them."""
    xy = XY + 0.05 * np.arange(6)[:, None, None]
    frames = np.rint(frames_from_targets(xy, np.full((6, 2), 235.0), Optics())).astype(np.uint16)
    frame_files.write_mat(tmp_path / "a.mat", frames)
    return tmp_path / "a.mat"


def test_run_says_what_was_taken_and_answers_it(cli, mat, tmp_path):
    _, err = cli.passes("run", "ml", "--data", mat, "--out", tmp_path / "a.json")
    assert f"{mat}: variable 'z', (11, 11, 6) as YXT: 6 frames of 11 x 11, uint16\n" in err
    table = json.loads((tmp_path / "a.json").read_text())
    assert table["dataset"] == {**table["dataset"], "name": "frames", "split": str(mat), "fingerprint": None}
    found = cli.json("info", tmp_path / "a.json")
    assert found["detections"] == 12


def test_single_frames_are_trajectories_and_frames_are_chosen(cli, mat, tmp_path):
    _, err = cli.passes("run", "ml", "--data", mat, "--out", tmp_path / "a.json", "--frames", "2:4")
    assert "in 2 frames" in err
    _, err = cli.passes("run", "ml", "--data", mat, "--out", tmp_path / "b.csv", "--single-frames", "--array", "z")
    assert "6 single frames of 11 x 11" in err
    rows = (tmp_path / "b.csv").read_text().splitlines()
    header = next(row for row in rows if "trajectory" in row and not row.startswith("#")).split(",")
    last = dict(zip(header, rows[-1].split(",")))
    assert (last["trajectory"], last["frame"]) == ("5", "0")


def test_info_tells_what_one_wants_to_know(cli, mat):
    about = cli.json("info", mat)
    assert about["kind"] == "frames without targets"
    assert (about["trajectories"], about["frames"], about["height"], about["width"]) == (1, 6, 11, 11)
    assert (about["dtype"], about["whole_numbers"], about["min"], about["median"]) == ("uint16", True, 0.0, 0.0)
    assert (about["saturated_share"], about["saturation"]) == (0.0, None)
    assert "psf_sigma" in about["assumed"]
    out, _ = cli.passes("info", mat, "--frames-order", "YXT")
    assert "(11, 11, 6) as YXT" in out


def test_info_still_reads_predictions_of_every_form(cli, tmp_path):
    np.savez(tmp_path / "a.npz", trajectory=[0], frame=[0], x=[1.0], y=[2.0], score=[1.0])
    np.savez(tmp_path / "b.npz", heatmaps=np.zeros((1, 2, 33, 33), np.float32))
    frame_files.write_npz(tmp_path / "c.npz", frame_files.pattern(shape=(3, 11, 11)))
    kinds = [cli.json("info", tmp_path / f"{name}.npz")["kind"] for name in "abc"]
    assert kinds == ["predictions", "predictions", "frames without targets"]


def test_validate_reads_frames(cli, mat, tmp_path):
    assert "valid frames" in cli.passes("validate", mat)[0]
    np.save(tmp_path / "nan.npy", np.full((11, 11), np.nan))
    cli.refuses("validate", tmp_path / "nan.npy", says="nan.npy must be finite everywhere, got nan at frame 0, row 0")


def test_plot_frames_draws_them_with_answers(cli, mat, tmp_path):
    cli.passes("run", "ml", "--data", mat, "--out", tmp_path / "a.json")
    _, err = cli.passes("plot", "frames", tmp_path / "a.json", "--data", mat, "--out", tmp_path / "a.png")
    assert "6 frames of trajectory 0" in err
    assert (tmp_path / "a.png").stat().st_size > 1000
    cli.passes("plot", "frames", "--data", mat, "--single-frames", "--trajectory", "5", "--out", tmp_path / "b.png")
    cli.refuses("plot", "frames", "--data", mat, "--trajectory", "1", says="--trajectory must be in [0, 1), got 1")
    cli.refuses("plot", "frames", "--data", mat, "--split", "val", says="--split must be left out for frames without")


@pytest.mark.parametrize(
    "words",
    [
        ("limit",),
        ("evaluate", "preds.json"),
        ("submit", "preds.json", "--method", "x", "--family", "unfolding", "--prior-tier", "D"),
        ("plot", "trajectory"),
        ("plot", "pr", "preds.json"),
    ],
)
def test_commands_that_need_targets_say_that_there_are_none(cli, mat, words):
    says = f"{mat}: frames without targets are no data set, so there is nothing to score or to train on; run, info,"
    cli.refuses(*words, "--data", mat, says=says)


def test_export_says_that_there_are_no_targets(cli, mat, tmp_path):
    cli.refuses("export", mat, tmp_path / "out", says="frames without targets are no data set")


def test_options_of_frames_are_refused_for_a_data_set(cli):
    for words in (("--frames-order", "TYX"), ("--array", "z"), ("--single-frames",)):
        says = f"{words[0]} must be left out for a data set, which says it itself, got data/sample/seqcsist.zarr"
        cli.refuses("run", "ml", "--data", "data/sample/seqcsist.zarr", *words, says=says)
        cli.refuses("plot", "frames", "--data", "data/sample/seqcsist.zarr", *words, says=says)
    says = "frames order must be a permutation of YX, TYX or NTYX, got ZYX"
    cli.refuses("run", "ml", "--data", "a.npy", "--frames-order", "ZYX", says=says)


def test_what_is_no_form_of_frames_is_told_what_is_read(cli, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    for path in (tmp_path, tmp_path / "a.jpg"):
        says = "run, info and plot frames also read frames from .npy, .npz, .tif, .png, .fits or .mat files, folders of"
        cli.refuses("run", "ml", "--data", path, says=says)


def test_methods_that_take_square_frames_alone_say_so(cli, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((12, 16), np.uint8))
    says = "a.npy: frames must be square for ml-seq, got 12 x 16; leave --groups out, or use a method that"
    cli.refuses("run", "ml-seq", "--data", tmp_path / "a.npy", "--groups", "one", says=says)
    cli.passes("run", "ml-seq", "--data", tmp_path / "a.npy", "--out", tmp_path / "b.json")
    cli.passes("run", "ml", "--data", tmp_path / "a.npy", "--out", tmp_path / "a.json")
