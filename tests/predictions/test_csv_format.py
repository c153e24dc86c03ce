"""The CSV forms."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.files.convention import Convention
from csist_bench.predictions import Header, write_predictions
from tests.helpers.prediction_files import read, refused, same, written


def test_thunderstorm_table(tmp_path):
    head = '"id","frame","x [nm]","y [nm]","sigma [nm]","intensity [photon]","uncertainty_xy [nm]"\n'
    path = written(tmp_path, (head + "1,46,600.0,475.0,50,231.5,5\n").encode(), "storm.csv")
    again = read(path, pixel_size_nm=100.0)
    found = again.detections
    assert (found.trajectory[0], found.frame[0]) == (2, 5)
    values = (found.x[0], found.y[0], found.score[0], found.intensity[0], found.sigma_x[0], found.sigma_y[0])
    assert values == pytest.approx((5.5, 4.25, 231.5, 231.5, 0.05, 0.05))
    assert "counted from 1" in again.warnings[0]
    refused(tmp_path, path.read_bytes(), "--pixel-size-nm", name="storm.csv")
    refused(tmp_path, path.read_bytes(), "nm > 0", name="storm.csv", pixel_size_nm=-1.0)
    zero = (head + "1,0,600.0,475.0,50,231.5,5\n").encode()
    refused(tmp_path, zero, "frame must be at least 1", "line 2", name="storm.csv", pixel_size_nm=100.0)
    part = b"frame,x [nm],y [nm]\n1,2,3\n"
    needs = "have the columns frame, x [nm], y [nm], intensity [photon], got a table without intensity [photon]"
    refused(tmp_path, part, needs, name="storm.csv", pixel_size_nm=100.0)


def test_csv_columns_in_any_order_quoted_with_blank_lines_and_a_byte_order_mark(tmp_path):
    text = '\ufeffscore,"x",y,note,frame,trajectory\n"3",1,2,7,5,2\n\n4,1.5,2,8,5,2\n'
    again = read(written(tmp_path, text.encode(), "p.csv"))
    assert again.detections.x.tolist() == [1, 1.5]
    assert again.detections.score.tolist() == [3, 4]
    assert any("note" in warning for warning in again.warnings)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"a,b\n1,2\n", "begin with a line of column names"),
        (b"\xff\xfe\x00", "not text"),
        (b"x,y\n1,2\n", "missing: score, trajectory, frame"),
        (b"x,y,score,trajectory,frame\n1,2,3,0,0\n1,2,3,0\n", "line 3 has 4 fields instead of 5"),
        (b"x,y,score,trajectory,frame\n1,2,3,0,0,9\n", "line 2 has 6 fields instead of 5"),
        (b"x,y,score,trajectory,frame\n\n1,two,3,0,0\n", "line 3: y 'two' is not a number"),
        (b"x,y,score,trajectory,frame\n1,nan,3,0,0\n", "line 2: y = nan"),
        (b"x,y,score,trajectory,frame\n\n1,2,3,0,20\n", "line 3: frame = 20"),
        (b"x,y,score,trajectory,frame\n1,2,3,0.5,0\n", "trajectory must be a whole number"),
        (b"x,x,y,score,trajectory,frame\n1,1,2,3,0,0\n", "name each column once"),
        (b"x,y,score,trajectory,frame\n1,2,3,0,0\n1,2,4,0,0\n", "line 3"),
    ],
)
def test_bad_tables(tmp_path, content, part):
    refused(tmp_path, content, part, name="preds.csv")


THUNDERSTORM = '"id","frame","x [nm]","y [nm]","intensity [photon]","uncertainty_xy [nm]"\n'


@pytest.mark.parametrize("word", ["NaN", "Infinity", "", "NA"])
def test_a_fit_without_an_error_estimate_is_blank(tmp_path, word):
    text = THUNDERSTORM + f"1,46,600.0,475.0,231.5,{word}\n2,46,500.0,475.0,231.5,7.5\n"
    found = read(written(tmp_path, text.encode(), "storm.csv"), pixel_size_nm=100.0).detections
    assert np.isnan(found.sigma_x).tolist() == [True, False]
    only = read(written(tmp_path, text.rpartition("2,46")[0].encode(), "storm.csv"), pixel_size_nm=100.0).detections
    assert only.sigma_x is None
    own = f"trajectory,frame,x,y,score,sigma_x\n1,2,3,4,5,{word}\n1,2,4,4,5,0.5\n"
    found = read(written(tmp_path, own.encode(), "p.csv")).detections
    assert np.isnan(found.sigma_x).tolist() == [True, False]
    write_predictions(tmp_path / "again.csv", found, Header())
    same(read(tmp_path / "again.csv").detections, found)


def test_thunderstorm_in_counts_and_with_bright_photons(tmp_path):
    text = (THUNDERSTORM + "1,46,600.0,475.0,1216200.0,5\n").encode()
    assert read(written(tmp_path, text, "storm.csv"), pixel_size_nm=100.0).detections.score.tolist() == [1216200.0]
    text = text.replace(b"[photon]", b"[AU]")
    assert read(written(tmp_path, text, "storm.csv"), pixel_size_nm=100.0).detections.score.tolist() == [1216200.0]


def test_options_stand_over_thunderstorms_own_convention(tmp_path):
    path = written(tmp_path, (THUNDERSTORM + "1,45,600.0,475.0,231.5,5\n").encode(), "storm.csv")
    asked = Convention(first_frame=0, origin="centre", axes="yx")
    again = read(path, pixel_size_nm=100.0, convention=asked)
    assert (again.detections.trajectory[0], again.detections.frame[0]) == (2, 5)
    assert (again.detections.x[0], again.detections.y[0]) == (4.75, 6.0)
    assert again.convention == asked
    assert read(path, pixel_size_nm=100.0).convention == Convention(1, "corner", "xy")
    zero = (THUNDERSTORM + "1,0,600.0,475.0,231.5,5\n").encode()
    refused(tmp_path, zero, "--first-frame 0", "line 2: frame = 0", name="storm.csv", pixel_size_nm=100.0)


def test_first_frame_origin_and_axes(tmp_path):
    text = b"trajectory,frame,x,y,score,sigma_x,sigma_y\n3,20,5.5,1.25,9,0.1,0.2\n"
    asked = Convention(first_frame=1, origin="corner", axes="yx")
    found = read(written(tmp_path, text, "p.csv"), convention=asked).detections
    values = (found.trajectory, found.frame, found.x, found.y, found.sigma_x, found.sigma_y)
    assert [value.item() for value in values] == [3, 19, 0.75, 5.0, 0.2, 0.1]
    refused(tmp_path, text, "frame must be in [0, 20)", "line 2: frame = 20", name="p.csv")
    refused(tmp_path, text.replace(b",20,", b",0,"), "frame must be in [1, 21)", name="p.csv", convention=asked)
    image = b"image_id,x,y,score\n80,5.5,1.25,9\n"
    found = read(written(tmp_path, image, "p.csv"), convention=Convention(1)).detections
    assert (found.trajectory.item(), found.frame.item()) == (3, 19)


def test_frames_from_one_are_guessed_at_in_the_error(tmp_path):
    rows = "".join(f"0,{frame},1,2,3\n" for frame in range(1, 21))
    refused(tmp_path, ("trajectory,frame,x,y,score\n" + rows).encode(), "pass --first-frame 1", name="p.csv")


def test_thunderstorm_photons_may_be_at_most_a_million_millions(tmp_path):
    text = THUNDERSTORM + "1,46,600.0,475.0,{},5\n"
    found = read(written(tmp_path, text.format("1e12").encode(), "storm.csv"), pixel_size_nm=100.0).detections
    assert found.score.tolist() == found.intensity.tolist() == [1e12]
    bright = text.format("1.0001e12").encode()
    refused(tmp_path, bright, "score must be finite and at most 1e+12", name="storm.csv", pixel_size_nm=100.0)
