"""Folders of text files."""

from __future__ import annotations

import pytest

from csist_bench.errors import InputError
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
    assert any("1 other files" in warning for warning in again.warnings)


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
