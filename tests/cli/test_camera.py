"""`--camera` and `--camera-set`: what they change, what they leave as it was, and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest

import csist_bench as cb
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import TINY, tiny_set

SCHEMA = 'schema = "csist-bench/camera@1"\n'
FEW = [word for setting in TINY for word in ("--set", setting)]


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_set(tmp_path_factory.mktemp("data") / "noise.zarr", "seqcsist-noise")


@pytest.fixture
def camera(tmp_path):
    path = tmp_path / "camera.toml"
    path.write_text(SCHEMA + "psf_sigma = 0.52\nnoise_sigma = 3\n")
    return path


def _run(cli, data, out, *arguments):
    cli.passes("run", "ml", "--data", data, "--limit", "2", "--out", out, *arguments)
    return json.loads(out.read_text())


def _answers(file):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in file["predictions"]]


def test_run_without_them_says_nothing_of_a_camera(cli, data, tmp_path):
    assert "camera" not in _run(cli, data, tmp_path / "p.json")["method"]


def test_run_tells_the_method_and_the_file_what_the_camera_says(cli, data, tmp_path, camera):
    plain = _run(cli, data, tmp_path / "plain.json")
    told = _run(cli, data, tmp_path / "told.json", "--camera", camera)
    assert told["method"]["camera"] == {"psf_sigma": 0.52, "noise_sigma": 3.0}
    assert told["method"]["noise_sigma"] == 3.0
    assert _answers(told) != _answers(plain)


def test_what_the_recipe_says_told_again_gives_the_same_answers(cli, data, tmp_path):
    plain = _run(cli, data, tmp_path / "plain.json")
    same = _run(cli, data, tmp_path / "same.json", "--camera-set", "psf_sigma=0.5", "--camera-set", "noise_sigma=2")
    assert _answers(same) == _answers(plain)


def test_single_fields_win_over_the_file_and_noise_sigma_over_both(cli, data, tmp_path, camera):
    told = _run(
        cli, data, tmp_path / "p.json", "--camera", camera, "--camera-set", "psf_sigma=0.5", "--noise-sigma", "2"
    )
    assert told["method"]["camera"] == {"psf_sigma": 0.5, "noise_sigma": 2.0}
    assert _answers(told) == _answers(_run(cli, data, tmp_path / "plain.json"))


def test_what_bare_frames_leave_to_be_assumed_is_said_unless_it_is_told(cli, data, tmp_path, camera):
    frames = tmp_path / "frames.npy"
    np.save(frames, cb.open_dataset(data).test.frames[:1])
    out = ["--out", tmp_path / "p.json", "--overwrite"]
    said = cli.passes("run", "ml", "--data", frames, *out)[1]
    assert (
        "nothing was told of psf_sigma = 0.5, noise_sigma = 0.05, gain = 0, background = 0, saturation = inf," in said
    )
    assert "intensity = [220, 250]: taken over from seqcsist; tell it with --camera or --camera-set" in said
    said = cli.passes("run", "ml", "--data", frames, *out, "--noise-sigma", "2")[1]
    assert "psf_sigma = 0.5, gain = 0," in said
    said = cli.passes("run", "ml", "--data", frames, *out, "--camera", camera, "--camera-set", "intensity=free")[1]
    assert "nothing was told of gain = 0, background = 0, saturation = inf: taken" in said
    assert "nothing was told" not in cli.passes("run", "ml", "--data", data, "--limit", "1", *out)[1]


def test_an_infinite_saturation_is_written_as_text(cli, data, tmp_path):
    told = _run(cli, data, tmp_path / "p.json", "--camera-set", "saturation=inf")
    assert told["method"]["camera"] == {"saturation": "inf"}


def test_the_camera_is_named_on_the_leaderboard(cli, data, tmp_path):
    found = tmp_path / "p.json"
    cli.passes("run", "ml", "--data", data, "--camera-set", "gain=0.5", "--out", found)
    cli.passes("submit", found, "--data", data, "--leaderboard", tmp_path / "board.csv")
    assert "camera.gain=0.5" in (tmp_path / "board.csv").read_text()


def test_limit_says_which_camera_and_what_it_costs(cli, data):
    arguments = ("limit", "--data", data, "--trajectories", "3")
    plain, told = cli.json(*arguments), cli.json(*arguments, "--camera-set", "background=plane")
    assert "camera" not in plain
    assert told["camera"] == {"background": "plane"}
    assert told["lines"][0]["position_sd"] > 1.0001 * plain["lines"][0]["position_sd"]
    louder = cli.json(*arguments, "--camera-set", "background=plane", "--noise-sigma", "4")
    assert (louder["noise_sigma"], louder["camera"]["noise_sigma"]) == (4.0, 4.0)


def test_generate_renders_with_the_camera_and_set_wins(cli, tmp_path, camera):
    out = tmp_path / "set.zarr"
    camera.write_text(SCHEMA + "psf_sigma = 0.7\nnoise_sigma = 3\nbackground = 20\nintensity = [100, 110]\n")
    cli.passes("generate", "--camera", camera, *FEW, "--set", "noise_sigma=1", "--out", out)
    recipe = cb.open_dataset(out).recipe
    assert (recipe.psf_sigma, recipe.noise_sigma, recipe.background, recipe.background_mean) == (0.7, 1, "constant", 20)
    assert (recipe.intensity_min, recipe.intensity_max) == (100.0, 110.0)


def test_python_takes_what_load_camera_read(data, tmp_path, camera):
    test = cb.open_dataset(data).test
    read = cb.load_camera(camera, noise_sigma=2.0, psf_sigma=(0.5, 0.5))
    np.testing.assert_array_equal(cb.unmix(test, "ml", camera=read).x, cb.unmix(test, "ml").x)
    loud = cb.unmix(test, "ml", camera=cb.load_camera(camera, psf_sigma=0.5), noise_sigma=2.0)
    np.testing.assert_array_equal(loud.x, cb.unmix(test, "ml").x)
    with pytest.raises(cb.InputError, match="noise_sigma must be left out where a camera is given"):
        cb.unmix(test, "ml", camera=cb.Camera.from_recipe(test.recipe), noise_sigma=2.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--camera", "none.toml"], "camera file none.toml not found"),
        (["--camera-set", "psf=moffat"], "--camera-set: psf must be 'gaussian' or 'spline', got moffat"),
        (["--camera-set", "psf"], "--camera-set must be NAME=VALUE, got psf"),
        (["--camera-set", "saturation=-5"], "saturation must be above the background, 0, got -5.0"),
        (["--camera-set", "bad_pixels=bad.npy"], "must have shape (H, W), that of the frames, = (11, 11), got (4, 4)"),
    ],
)
@pytest.mark.parametrize("command", [["run", "ml"], ["limit"]])
def test_bad_cameras_are_one_line(cli, data, tmp_path, monkeypatch, command, arguments, says):
    monkeypatch.chdir(tmp_path)
    np.save("bad.npy", np.eye(4, dtype=bool))
    cli.refuses(*command, "--data", data, *arguments, says=says)
    assert not (tmp_path / "preds.json").exists()


@pytest.mark.parametrize("field", ["background=plane", "intensity=free", "psf_sigma=[0.5,0.6]", "background=-3"])
def test_generate_refuses_what_no_recipe_can_express(cli, tmp_path, field):
    out = tmp_path / "set.zarr"
    cli.refuses("generate", *FEW, "--camera-set", field, "--out", out, says=field.partition("=")[0])
    assert not out.exists()
