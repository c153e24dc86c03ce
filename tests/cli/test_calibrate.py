"""`csist-bench calibrate`: what it prints and writes, what it leaves out, what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import csist_bench as cb
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import tiny_set
from tests.helpers.unknown_sensors import foreign_sequences

KNOWN = 'schema = "csist-bench/camera@1"\npsf_sigma = 0.5\n'


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of frames: with targets, of noise, single ones, constant."""
    made = tmp_path_factory.mktemp("frames")
    frames, _, _ = foreign_sequences(
        np.random.default_rng(3), n=10, frames=8, counts=(2, 2), radius=0.9, flux=(400, 900), level=20
    )
    frames[..., 1, 9] += 300
    np.save(made / "targets.npy", frames.astype(np.float32))
    np.save(made / "single.npy", frames[:, :1].astype(np.float32))
    np.save(made / "noise.npy", np.random.default_rng(0).normal(100, 3, (5, 20, 11, 11)))
    np.save(made / "constant.npy", np.full((10, 11, 11), 500, np.uint16))
    return made


@pytest.mark.long
def test_figures_are_printed_and_written_with_a_mask_and_a_picture(cli, folder, tmp_path):
    out, picture = tmp_path / "mine.toml", tmp_path / "mine.png"
    text, said = cli.passes("calibrate", folder / "targets.npy", "--out", out, "--picture", picture)
    names = [line.split(":")[0] for line in text.splitlines()]
    assert names == ["psf_sigma", "noise_sigma", "gain", "background", "bad_pixels", "intensity"]
    assert "+-" in text.splitlines()[0]
    assert "PSF: round 3" in said
    told = cb.load_camera(out)
    assert told.fields.psf_sigma == pytest.approx((0.5, 0.5), rel=0.02)
    assert told.fields.bad_pixels == "mine-bad.npy"
    assert np.argwhere(told.bad).tolist() == [[1, 9]]
    assert picture.stat().st_size > 10_000
    cli.passes("run", "ml", "--data", folder / "targets.npy", "--camera", out, "--out", tmp_path / "p.json")


def test_json_holds_figures_errors_and_the_camera(cli, folder, tmp_path):
    found = cli.json("calibrate", folder / "noise.npy", "--out", tmp_path / "camera.toml")
    assert set(found["figures"]) == {"noise_sigma", "background", "intensity"}
    assert set(found["missing"]) == {"psf_sigma", "gain"}
    assert abs(found["figures"]["noise_sigma"]["value"] - 3) < 4 * found["figures"]["noise_sigma"]["error"]
    assert found["camera"] == cb.load_camera(tmp_path / "camera.toml").table()
    assert json.dumps(found["frames"]) == "[5, 20, 11, 11]"


def test_single_frames_leave_the_psf_out_and_say_why(cli, folder, tmp_path):
    text, _ = cli.passes("calibrate", folder / "single.npy", "--out", tmp_path / "camera.toml")
    assert "psf_sigma: not found: single frames leave it open" in text
    assert "psf_sigma" not in (tmp_path / "camera.toml").read_text()


def test_what_is_given_is_not_sought(cli, folder, tmp_path):
    (tmp_path / "known.toml").write_text(KNOWN)
    given = ("--given", tmp_path / "known.toml", "--out", tmp_path / "camera.toml")
    text, said = cli.passes("calibrate", folder / "targets.npy", *given)
    assert "psf_sigma: 0.5, as told" in text
    assert "PSF: round" not in said


def test_a_data_set_is_calibrated_without_its_recipe(cli, tmp_path):
    data = tiny_set(tmp_path / "noise.zarr", "seqcsist-noise")
    _, said = cli.passes("calibrate", data, "--out", tmp_path / "camera.toml")
    assert "split train" in said
    _, said = cli.passes("calibrate", data, "--split", "test", "--out", tmp_path / "test.toml")
    assert "split test" in said


def test_what_cannot_be_is_refused_in_one_line(cli, folder, tmp_path):
    (tmp_path / "known.toml").write_text(KNOWN)
    frames = folder / "noise.npy"
    cli.refuses("calibrate", frames, "--out", tmp_path / "camera.txt", says="camera file suffix")
    cli.refuses("calibrate", frames, "--out", tmp_path / "known.toml", says="the file exists; pass --overwrite")
    assert (tmp_path / "known.toml").read_text() == KNOWN
    (tmp_path / "bad.npy").write_bytes(b"mine")
    cli.refuses("calibrate", frames, "--out", tmp_path / "camera.toml", says="bad.npy: the file exists")
    (tmp_path / "bad.npy").unlink()
    to = ("--out", tmp_path / "camera.toml")
    cli.refuses("calibrate", frames, *to, "--picture", tmp_path / "p.jpg", says="unknown picture format")
    cli.refuses("calibrate", frames, *to, "--given", tmp_path / "none.toml", says="none.toml")
    cli.refuses("calibrate", frames, *to, "--split", "val", says="--split must be left out")
    cli.refuses("calibrate", tmp_path / "none.npy", *to, says="none.npy")
    assert not (tmp_path / "camera.toml").exists()


def test_constant_frames_are_refused(cli, folder, tmp_path):
    code, out, err = cli("calibrate", folder / "constant.npy", "--out", tmp_path / "camera.toml")
    assert (code, out) == (2, "")
    assert "error: frames must show noise or targets, got 500 in every pixel" in err.splitlines()[-1]
    assert "Traceback" not in err
