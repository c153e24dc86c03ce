"""`python -m tests.camera_aims` at a tiny scale: that its frames are what they are said to be, and that it works."""

from __future__ import annotations

import json

import numpy as np
import pytest

from csist_bench.detections import Detections
from tests.camera_aims import calibrating
from tests.camera_aims.__main__ import main
from tests.camera_aims.measured import Measured, pulls
from tests.camera_aims.rows import BEGIN, END
from tests.camera_aims.scenes import IMAGERS, scene_of


def exact(scene, scale=1.0, sigma=0.1):
    """Return detections off by normal errors of `scale` times their predicted ones."""
    n, t, k = np.nonzero(np.isfinite(scene.light))
    xy = scene.xy[n, t, k]
    error = scale * sigma * np.random.default_rng(0).standard_normal(xy.shape)
    sd = np.full(len(n), sigma)
    found = Detections(n, t, *(xy + error).T, score=np.ones(len(n)), sigma_x=sd, sigma_y=sd)
    return found.ordered()


@pytest.mark.parametrize("name", IMAGERS)
def test_noise_of_the_frames_is_that_of_the_camera_told(name):
    imager = IMAGERS[name]
    scene = scene_of(imager, (7,), 40)
    corner = scene.frames[:, :, :2, :2].astype(float)
    away = corner - corner.mean(axis=(0, 1))
    camera = scene.levelled
    level = corner.mean()
    assert away.std() == pytest.approx(np.sqrt(camera.noise_sigma**2 + camera.shot_gain * level), rel=0.05)
    brightest = np.median(scene.frames.max(axis=(2, 3)))
    assert np.sqrt(camera.shot_gain * brightest) == pytest.approx(imager.shot_ratio * imager.noise, rel=0.1)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_pulls_are_the_errors_over_the_predicted(scale):
    scene = scene_of(IMAGERS["sharp"], (8,), 30)
    spread, error, right, count = pulls(exact(scene, scale, 0.01), scene)
    assert spread == pytest.approx(scale, rel=0.05)
    assert error == pytest.approx(scale / np.sqrt(count), rel=0.6)  # errors here are independent
    assert right == 1.0
    assert count == 2 * np.isfinite(scene.light).sum()
    one_missing = exact(scene, scale).select(np.arange(np.isfinite(scene.light).sum()) > 0)
    assert pulls(one_missing, scene)[2] == 1 - 1 / 600


def test_the_command_writes_rows_and_tables(tmp_path):
    page, out = tmp_path / "page.md", tmp_path / "rows.json"
    page.write_text(f"# Before\n\n{BEGIN}\nstale\n{END}\n\nAfter\n")
    options = ["--cameras", "sharp", "--scale", "0.05", "--out", str(out), "--markdown", str(page)]
    assert main(["background", *options]) == 0
    assert main(["misfit", *options]) == 0
    rows = json.loads(out.read_text())
    assert {row["part"] for row in rows} == {"background", "misfit"}
    by_what = {row["what"]: row for row in rows}
    assert by_what["plane fitted against removed"]["figure"].count(" ") > 2
    assert by_what["`group-map`, sequences: told right"]["figure"] == "said in 0 of 1 runs"
    assert by_what["`group-map`, sequences: level told 20 too low"]["met"] == "yes"
    text = page.read_text()
    assert text.startswith("# Before")
    assert text.endswith(f"{END}\n\nAfter\n")
    assert "stale" not in text
    assert all(f"| {row['figure']} |" in text for row in rows)


def test_a_camera_is_calibrated_with_its_intensities_told_and_without():
    measured = Measured(("sharp",), 0.1)
    for told in (False, True):
        found, seconds = measured.calibration("sharp", intensity_told=told)
        assert found.camera.intensity_free != told
        assert found.transfer.noise_sigma[0] == pytest.approx(2.0, rel=0.1)
        assert seconds > 0


@pytest.mark.long
def test_a_calibration_is_judged_by_several_draws():
    measured = Measured(("level",), 0.1)
    rows = {row.what: row for row in calibrating.rows_of(measured)}
    assert len(rows) == 7
    noise = [measured.calibration("level", draw=draw)[0].transfer.noise_sigma[0] for draw in range(2)]
    assert noise[0] != noise[1]
    by = 50 * np.hypot(noise[0] - 2, noise[1] - 2) / np.sqrt(2)
    assert rows["read noise"].figure.startswith(f"{by:.1f} % (said: +- ")
    assert rows["read noise"].met == ("yes" if by <= 2 else "no")
    assert "%" in rows["PSF widths, x and y"].figure
    assert rows["gain"].aim == "within 10.0 %"


@pytest.mark.parametrize("wrong", [["everything"], ["--scale", "0"], ["--markdown", "nowhere.md"]])
def test_bad_options_end_in_one_line(wrong, capsys):
    with pytest.raises(SystemExit) as end:
        main(wrong)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err
