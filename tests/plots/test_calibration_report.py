"""The picture of a calibration, and what it says where a figure was not found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import csist_bench as cb
from csist_bench.plots.calibration_report import calibration_report
from csist_bench.simulation.camera_file import CameraFile, fields_of
from tests.helpers.unknown_sensors import foreign_sequences


@pytest.fixture(scope="module")
def found():
    frames, _, _ = foreign_sequences(
        np.random.default_rng(3), n=10, frames=8, counts=(2, 2), radius=0.9, flux=(400, 900), level=20
    )
    return cb.calibrate(frames)


def test_all_panels_are_drawn(found, tmp_path):
    calibration_report(found, tmp_path / "full.png", "frames")
    image = np.asarray(Image.open(tmp_path / "full.png").convert("L"))
    middle = image.shape[0] // 2, image.shape[1] // 2
    for rows in (slice(None, middle[0]), slice(middle[0], None)):
        for columns in (slice(None, middle[1]), slice(middle[1], None)):
            assert (image[rows, columns] < 250).mean() > 0.02


def test_the_figures_stand_in_the_picture(found, tmp_path):
    calibration_report(found, tmp_path / "full.svg", "frames of mine")
    # Text of an SVG is drawn as paths, each commented with what it says.
    text = (tmp_path / "full.svg").read_text()
    for part in ("frames of mine", f"{found.widths.sigma[0]:.4f}", "Photon transfer", "Fitted intensities"):
        assert part in text, part


def test_a_law_that_was_told_is_drawn_as_such(found, tmp_path):
    told = replace(found, told=CameraFile(fields_of({"intensity": [400, 900]}, "told")), intensity_law=None)
    calibration_report(told, tmp_path / "told.svg")
    text = (tmp_path / "told.svg").read_text()
    assert "law told: 400 to 900" in text
    assert "no law told" not in text


def test_what_was_not_found_is_said(tmp_path):
    nothing = cb.calibrate(np.random.default_rng(0).normal(100, 3, (5, 20, 11, 11)))
    calibration_report(nothing, tmp_path / "none.svg")
    assert (tmp_path / "none.svg").read_text().count("no targets were seen") == 2
