"""Folders of text files."""

from __future__ import annotations

import pytest

from csist_bench.errors import InputError
from csist_bench.files.convention import Convention
from tests.helpers.prediction_files import read


def test_folder_of_text_files(tmp_path):
    for name, text in (("image_45", "5.5 4.25 231.5\n6 7 8\n"), ("0", ""), ("image_21", "1 2 3")):
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "notes.md").write_text("not read")
    again = read(tmp_path)
    found = again.detections
    rows = sorted(zip(found.trajectory.tolist(), found.frame.tolist(), found.x, found.y, found.score))
    assert rows == [(1, 1, 1, 2, 3), (2, 5, 5.5, 4.25, 231.5), (2, 5, 6, 7, 8)]
    assert again.header.n_frames == 3
    said = [warning.partition(": ")[2] for warning in again.warnings]
    assert said == ["1 other files or folders not read", "no header; the data set is not verified"]


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ({"image_3.txt": "1 2"}, "image_3.txt:1: '1 2'"),
        ({"image_3.txt": "1 2 3\n\n1 two 3"}, "image_3.txt:3: '1 two 3'"),
        ({"image_3.txt": "1 2 3 4"}, "every line must be 'x y score'"),
        ({"image_3.txt": "nan 2 3"}, "image_3.txt:1: x = nan"),
        ({"image_3.txt": "1 2 3", "3.txt": "1 2 3"}, "name the same frame"),
        ({"image_80.txt": ""}, "image_id must be in [0, 80)"),
        ({"frame7.txt": "1 2 3"}, "frame7.txt"),
        ({"readme.md": "1 2 3"}, "must hold text files"),
        ({"image_3.txt": "1 2 3\n1 2 4"}, "image_3.txt:2"),
    ],
)
def test_bad_folders(tmp_path, files, part):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "1.5 2.5 3\n4 5 6\n",
        "1.5\t2.5\t3\r\n4\t5\t6\r\n",
        "1.5,2.5,3\n4, 5, 6\n",
        "1.5;2.5;3\n4;5;6\n",
        "1,5 2,5 3\n4 5 6\n",
        "1,5;2,5;3\n4;5;6\n",
        "\ufeffx y score\n1.5 2.5 3\n4 5 6\n",
        "# mytool\n# x,y,score\nX,Y,SCORE\n1.5,2.5,3\n4,5,6\n",
    ],
)
def test_text_files_in_every_dialect(tmp_path, text):
    (tmp_path / "image_45.txt").write_bytes(text.encode())
    found = read(tmp_path).detections
    assert [found.x.tolist(), found.y.tolist(), found.score.tolist()] == [[1.5, 4.0], [2.5, 5.0], [3.0, 6.0]]


def test_frames_counted_from_one(tmp_path):
    (tmp_path / "80.txt").write_text("1 2 3\n")
    found = read(tmp_path, convention=Convention(first_frame=1)).detections
    assert (found.trajectory.item(), found.frame.item()) == (3, 19)
    (tmp_path / "0.txt").write_text("")
    with pytest.raises(InputError, match=r"image_id must be in \[1, 81\); offending: 0\.txt"):
        read(tmp_path, convention=Convention(first_frame=1))


def test_a_comma_that_could_part_thousands_is_refused(tmp_path):
    (tmp_path / "image_3.txt").write_text("1 2 3\n1,234 2,345 3\n")
    with pytest.raises(InputError, match=r"tell decimals from thousands.*image_3\.txt:2: x = 1,234"):
        read(tmp_path)
    (tmp_path / "image_4.txt").write_text("0,5 2 3\n")
    assert read(tmp_path).detections.x.tolist() == [1.0, 1.234, 0.5]


def test_two_commas_in_a_value_are_no_number(tmp_path):
    (tmp_path / "image_3.txt").write_text("1,2,3 2 3\n")
    with pytest.raises(InputError, match=r"image_3\.txt:1: '1,2,3 2 3'"):
        read(tmp_path)
