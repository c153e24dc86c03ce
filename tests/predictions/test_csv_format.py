"""The CSV forms."""

from __future__ import annotations

import pytest

from tests.helpers.prediction_files import read, refused, written


def test_thunderstorm_table(tmp_path):
    head = '"id","frame","x [nm]","y [nm]","sigma [nm]","intensity [photon]","uncertainty_xy [nm]"\n'
    path = written(tmp_path, (head + "1,46,600.0,475.0,50,231.5,5\n").encode(), "storm.csv")
    again = read(path, pixel_size_nm=100.0)
    found = again.detections
    assert (found.trajectory[0], found.frame[0]) == (2, 5)
    values = (found.x[0], found.y[0], found.score[0], found.intensity[0], found.sigma_x[0], found.sigma_y[0])
    assert values == pytest.approx((5.5, 4.25, 231.5, 231.5, 0.05, 0.05))
    assert "count from 1" in again.warnings[0]
    refused(tmp_path, path.read_bytes(), "--pixel-size-nm", name="storm.csv")
    refused(tmp_path, path.read_bytes(), "nm > 0", name="storm.csv", pixel_size_nm=-1.0)
    zero = (head + "1,0,600.0,475.0,50,231.5,5\n").encode()
    refused(tmp_path, zero, "frame must be at least 1", "line 2", name="storm.csv", pixel_size_nm=100.0)
    part = b"frame,x [nm],y [nm]\n1,2,3\n"
    refused(tmp_path, part, "intensity [photon]", name="storm.csv", pixel_size_nm=100.0)


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
        (b"x,y,score,trajectory,frame\n\n1,two,3,0,0\n", "line 3: 'two' is not a number"),
        (b"x,y,score,trajectory,frame\n1,nan,3,0,0\n", "line 2: y = nan"),
        (b"x,y,score,trajectory,frame\n\n1,2,3,0,20\n", "line 3: frame = 20"),
        (b"x,y,score,trajectory,frame\n1,2,3,0.5,0\n", "trajectory must be a whole number"),
        (b"x,x,y,score,trajectory,frame\n1,1,2,3,0,0\n", "name each column once"),
        (b"x,y,score,trajectory,frame\n1,2,3,0,0\n1,2,4,0,0\n", "line 3"),
    ],
)
def test_bad_tables(tmp_path, content, part):
    refused(tmp_path, content, part, name="preds.csv")
