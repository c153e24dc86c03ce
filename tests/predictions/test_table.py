"""The rules that every format shares."""

from __future__ import annotations

import pytest

from tests.helpers.prediction_files import ROW, file_of, read, refused, rows_of, sample, written


def test_image_id_stands_for_the_pair(tmp_path):
    row = {"image_id": 45, "x": 1, "y": 2, "score": 3}
    found = read(written(tmp_path, file_of(row))).detections
    assert (found.trajectory.tolist(), found.frame.tolist()) == ([2], [5])
    refused(tmp_path, file_of({**row, "image_id": 80}), "image_id must be in [0, 80)", "$.predictions[0]")
    refused(tmp_path, file_of({**row, "trajectory": 2, "frame": 4}), "image_id must be trajectory * 20 + frame")


@pytest.mark.parametrize("value", [1000001, -2e6, 1e300])
@pytest.mark.parametrize("column", ["x", "y", "score", "intensity"])
def test_absurd_values_are_refused(tmp_path, column, value):
    refused(tmp_path, file_of(ROW | {column: value}), f"{column} must be finite and at most 1e+06", "$.predictions[0]")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"trajectory": 4}, "trajectory must be in [0, 4)"),
        ({"trajectory": -1}, "trajectory must be in [0, 4)"),
        ({"frame": 20}, "frame must be in [0, 20)"),
        ({"frame": 10**18}, "frame must be in [0, 20)"),
        ({"frame": 10**25}, "must be an index"),
        ({"frame": 10**400}, "frame"),
        ({"x": 10**30}, "x must be finite and at most 1e+06"),
        ({"x": 10**400}, "x"),
        ({"sigma_x": -0.1}, "sigma_x must be at least 0"),
    ],
)
def test_indices_and_errors_out_of_range(tmp_path, change, part):
    refused(tmp_path, file_of(ROW | change), part, "$.predictions[0]")


def test_duplicate_rows_are_refused_in_any_order(tmp_path):
    rows = [ROW | {"x": float(i % 10), "score": i} for i in range(18)]
    refused(tmp_path, file_of(*rows), "must not have equal trajectory", "$.predictions[10]", "and 3 more")
    rows = rows_of(sample())
    assert len(read(written(tmp_path, file_of(*rows))).detections) == 30
    refused(tmp_path, file_of(*rows, rows[3]), "$.predictions[30]")
