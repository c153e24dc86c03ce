"""What `run` says of a camera that does not fit, and where a prediction file keeps it."""

import json

import numpy as np
import pytest

from csist_bench.cli.plot_command.frames import misfit_text
from csist_bench.predictions import read_predictions
from csist_bench.predictions.header import Header
from tests.helpers.command_line import CommandLine
from tests.helpers.foreign_sequences import sequences

OFF = "the frames do not fit the camera told"
WIDTH = "sequences of the frames show a PSF of"


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture
def said(cli, tmp_path):
    def run(method, *options, **made):
        np.save(tmp_path / "a.npy", sequences(5, count=30, **made).frames)
        out = tmp_path / "a.npz"
        _, err = cli.passes("run", method, "--data", tmp_path / "a.npy", "--noise-sigma", "2", "--out", out,
                            "--overwrite", *options)  # fmt: skip
        return err, read_predictions(out, frames_per_trajectory=20, n_trajectories=30).header

    return run


def test_a_run_that_was_told_right_says_nothing_of_it(said):
    for method in ("ml", "ml-seq"):
        err, header = said(method)
        assert OFF not in err
        assert WIDTH not in err
        assert "psf_sigma = 0.5" in err  # what is assumed is said
        assert np.shape(header.misfit["per_frame"]) == (30, 20)
        assert np.mean(header.misfit["per_frame"]) == pytest.approx(header.misfit["mean"], rel=1e-3)


def test_a_psf_that_is_6_percent_wider_is_said_by_every_kind_of_method(said):
    assert OFF in said("ml-seq", widths=(0.53, 0.53))[0]
    for method in ("ml", "bid"):
        err, header = said(method, widths=(0.53, 0.53))
        assert f"{WIDTH} 0.5" in err
        assert "px along x, told 0.5" in err
    assert header.misfit is None  # nodes of a grid are not judged


def test_a_level_that_was_not_told_is_said_and_one_that_is_fitted_is_not(said):
    assert OFF in said("ml", level=20.0)[0]
    err, header = said("ml", "--camera-set", "background=constant", level=20.0)
    assert OFF not in err
    assert header.method["camera"] == {"background": "constant", "noise_sigma": 2.0}


def test_what_a_method_does_not_use_is_said(said):
    err, _ = said("bid", "--camera-set", "psf_sigma=[0.52, 0.5]", "--camera-set", 'intensity="free"')
    assert "bid does not use what the camera tells of: two PSF widths; that intensities are unknown" in err


def test_the_figure_of_a_frame_stands_in_its_title():
    header = Header(frames="2:4", misfit={"unit": "chi2 per pixel", "per_frame": [[1.0, 2.0], [3.0, 4.5]]})
    assert misfit_text(header, 1, 3) == "\nchi$^2$ 4.50 per pixel"
    assert misfit_text(header, 1, 1) == misfit_text(header, 1, 4) == misfit_text(header, 2, 2) == ""
    assert misfit_text(Header(misfit={"unit": "grey levels", "per_frame": [[0.25]]}), 0, 0) == "\n0.25 grey levels left"
    assert misfit_text(Header(), 0, 0) == misfit_text(Header(misfit={"per_frame": "x"}), 0, 0) == ""


def test_a_file_whose_misfit_is_no_table_is_refused(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps({"misfit": [1], "predictions": []}))
    with pytest.raises(ValueError, match=r"\$\.misfit must be an object"):
        read_predictions(tmp_path / "p.json", frames_per_trajectory=1, n_trajectories=1)
