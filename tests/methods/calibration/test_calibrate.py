"""The whole calibration: figures against the truth, what cannot be found, and what is told."""

from __future__ import annotations

import numpy as np
import pytest

import csist_bench as cb
from csist_bench.methods.calibration.calibrate import calibrate
from csist_bench.methods.calibration.given import Given
from csist_bench.simulation.camera_file import CameraFile, fields_of
from tests.helpers.foreign_frames import foreign_scene
from tests.helpers.unknown_sensors import foreign_sequences

FEW = {"n": 12, "frames": 10, "radius": 0.9, "counts": (2, 3), "flux": (400, 900)}


@pytest.fixture(scope="module")
def found():
    """Return the calibration of a few frames with two widths, gain, level and a bad pixel."""
    frames, _, _ = foreign_sequences(np.random.default_rng(3), psf_sigma=(0.6, 0.55), gain=0.1, level=20, **FEW)
    frames[..., 1, 9] += 300
    return cb.calibrate(frames)


def test_figures_agree_with_the_truth_within_their_errors(found):
    for sigma, error, true in zip(found.widths.sigma, found.widths.error, (0.6, 0.55)):
        assert abs(sigma - true) < 4 * error
        assert error < 0.005
    assert abs(found.transfer.noise_sigma[0] - 2) < max(4 * found.transfer.noise_sigma[1], 0.04)
    assert found.transfer.gain[0] == pytest.approx(0.1, rel=0.1)
    assert found.level[0] == pytest.approx(20, abs=0.2)
    assert np.abs(found.residual).max() < 5


def test_the_camera_file_holds_what_was_found(found):
    told = found.camera_file()
    fields = told.fields
    assert fields.psf_sigma == pytest.approx(found.widths.sigma, rel=1e-5)
    assert fields.psf_sigma_error == pytest.approx(found.widths.error, rel=1e-5)
    assert fields.background == pytest.approx(found.level[0], rel=1e-5)
    assert (fields.bad_pixels, fields.saturation) == ("bad.npy", None)
    assert np.argwhere(told.bad).tolist() == [[1, 9]]


def test_every_figure_is_one_line_with_its_error(found):
    lines = found.to_text().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "psf_sigma", "noise_sigma", "gain", "background", "bad_pixels", "intensity",
    ]  # fmt: skip
    assert lines[0].count("+-") == 2


def test_unmix_takes_the_camera_file(found):
    frames, xy, _ = foreign_sequences(
        np.random.default_rng(4), psf_sigma=(0.6, 0.55), gain=0.1, level=20, **FEW | {"n": 2}
    )
    answers = cb.unmix(frames, "ml-seq", camera=found.camera_file())
    assert len(answers) == np.isfinite(xy[..., 0]).sum()


def test_what_is_told_is_not_sought_and_stands_in_the_file():
    frames, _, _ = foreign_sequences(np.random.default_rng(3), psf_sigma=(0.6, 0.55), **FEW)
    told = CameraFile(fields_of({"psf_sigma": [0.6, 0.55], "gain": 0.0}, "told"), "told")
    found = cb.calibrate(frames, told)
    assert found.widths is None
    assert "psf_sigma" not in found.missing
    assert found.camera_file().fields.psf_sigma == (0.6, 0.55)
    assert found.camera_file().fields.gain == 0.0
    assert found.transfer.noise_sigma[0] == pytest.approx(2, rel=0.03)


def test_frames_without_targets_tell_noise_and_background_alone():
    found = cb.calibrate(np.random.default_rng(0).normal(100, 3, (5, 20, 11, 11)))
    assert dict(found.missing) == {"psf_sigma": "no targets were seen", "gain": "no targets were seen"}
    fields = found.camera_file().fields
    assert (fields.psf_sigma, fields.gain) == (None, None)
    assert fields.noise_sigma == pytest.approx(3, rel=0.03)
    assert fields.background == pytest.approx(100, abs=0.2)


def test_single_frames_leave_the_psf_out():
    frames, _, _ = foreign_sequences(np.random.default_rng(3), n=20, frames=1)
    found = cb.calibrate(frames)
    assert "single frames leave it open" in found.missing["psf_sigma"]
    assert found.camera_file().fields.psf_sigma is None
    assert found.camera_file().fields.noise_sigma is not None


@pytest.mark.parametrize(
    "frames, says",
    [
        (np.full((3, 5, 11, 11), 500, np.uint16), "must show noise or targets, got 500 in every pixel"),
        (np.where(np.arange(121).reshape(11, 11) < 3, 0, 255) * np.ones((3, 5, 1, 1)), "below saturation, got 98% of"),
        (np.zeros((0, 5, 11, 11)), "must hold pixels"),
    ],
)
def test_frames_that_tell_nothing_are_refused(frames, says):
    with pytest.raises(cb.InputError, match=says):
        calibrate(frames)


def test_a_camera_that_is_told_whole_is_refused():
    table = {
        "psf_sigma": 0.5, "noise_sigma": 2, "gain": 0, "background": 0, "saturation": 9e3, "intensity": "free",
    }  # fmt: skip
    frames = np.zeros((1, 5, 11, 11))
    told = CameraFile(fields_of(table | {"bad_pixels": "b.npy"}, "told.toml"), "told.toml", bad=np.eye(11) > 0)
    with pytest.raises(cb.InputError, match=r"told.toml must leave out one of background, .*nothing is left to find"):
        Given.of(told, frames)
    assert Given.of(CameraFile(fields_of(table | {"bad_pixels": "auto"}, "told")), frames).names >= set(table)


@pytest.mark.slow
def test_groups_of_large_frames_are_found_and_calibrated():
    rng = np.random.default_rng(5)
    frames, _ = foreign_scene(
        rng, (120, 150), 20, (0.6, 0.55), 12, 22.0, (400, 900), 0.03, 200.0, (0.2, 0.1), 2.0, 0.0, 12
    )
    found = cb.calibrate(frames)
    assert found.sequences >= 6
    assert found.whole == (1, 20, 120, 150)
    assert found.widths.sigma == pytest.approx((0.6, 0.55), rel=0.01)
    assert found.camera_file().fields.background in ("constant", "plane")


@pytest.mark.slow
@pytest.mark.parametrize(
    "made, noise, gain, level",
    [
        ({}, 2, 0, 0),
        ({"psf_sigma": (0.56, 0.53), "flux": (100, 400), "radius": 0.5, "gain": 0.05, "level": 20}, 2, 0.05, 20),
    ],
)
def test_a_thousand_frames_meet_the_aims(made, noise, gain, level):
    frames, _, _ = foreign_sequences(np.random.default_rng(7), **made)
    found = cb.calibrate(frames)
    assert found.widths.sigma == pytest.approx(made.get("psf_sigma", (0.5, 0.5)), rel=0.005)
    assert found.transfer.noise_sigma[0] == pytest.approx(noise, rel=0.02)
    assert found.transfer.gain[0] == pytest.approx(gain, rel=0.1)
    assert found.level[0] == pytest.approx(level, abs=0.2)
