"""The JSON forms."""

from __future__ import annotations

import json

import pytest

from csist_bench.predictions import FORMAT, Header, write_predictions
from tests.helpers.prediction_files import ROW, file_of, read, refused, same, sample, written


def test_canonical_json_is_plain_and_has_one_row_a_line(tmp_path):
    write_predictions(tmp_path / "p.json", sample(3), Header({"name": "m"}, "seqcsist", "test", "sha256:1", 64))
    text = (tmp_path / "p.json").read_text()
    content = json.loads(text)
    assert content["format"] == FORMAT
    assert content["dataset"] == {"name": "seqcsist", "split": "test", "fingerprint": "sha256:1"}
    assert content["n_frames"] == 64
    assert set(content["predictions"][0]) == {
        "trajectory",
        "frame",
        "x",
        "y",
        "score",
        "intensity",
        "sigma_x",
        "sigma_y",
    }
    assert len(text.splitlines()) == 5


def test_bare_coco_list_is_taken_with_a_warning(tmp_path):
    rows = [{"image_id": 45, "x": 1, "y": 2, "score": 3, "category_id": 1, "bbox": [0, 0, 1, 1]}]
    again = read(written(tmp_path, rows))
    assert again.detections.frame.tolist() == [5]
    assert "bare list" in again.warnings[0]


@pytest.mark.parametrize("nested", [True, False])
def test_column_form(tmp_path, nested):
    detections = sample()
    columns = {name: values.tolist() for name, values in detections.columns().items()}
    content = {"format": FORMAT, **({"predictions": columns} if nested else columns)}
    same(read(written(tmp_path, content)).detections, detections)
    path = "$.predictions" if nested else "$"
    columns["y"][7] = "7"  # the list is shared with the content
    refused(tmp_path, content, f"{path}.y[7] must be float, got str")
    (columns if nested else content)["y"] = columns["x"][:-1]
    refused(tmp_path, content, "columns must be equally long")


def test_rows_of_the_wrong_kind_are_all_named(tmp_path):
    bad = [{**ROW, "x": "5"} for _ in range(7)]
    five = [f"$.predictions[{i}].x must be float, got str" for i in range(1, 6)]
    refused(tmp_path, file_of(ROW, *bad), *five, "and 2 more")
    refused(tmp_path, [ROW, {**ROW, "frame": 1.5}], "$[1].frame must be int")
    refused(
        tmp_path, file_of({k: v for k, v in ROW.items() if k != "score"}), "$.predictions[0] must have the field score"
    )
    refused(tmp_path, file_of(ROW, 7), "$.predictions[1] must be object, got int")
    refused(tmp_path, file_of({**ROW, "x": None}), "$.predictions[0].x must be float, got null")
    refused(tmp_path, file_of({**ROW, "x": True}), "$.predictions[0].x must be float, got bool")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_named_by_their_path(tmp_path, word):
    text = json.dumps(file_of(ROW, ROW | {"y": "HERE"})).replace('"HERE"', word)
    refused(tmp_path, text.encode(), "all numbers finite", "$.predictions[1].y must be finite")
    columns = {name: [value, value + 1] for name, value in ROW.items()} | {"y": [1.0, "HERE"]}
    refused(tmp_path, json.dumps(columns).replace('"HERE"', word).encode(), "$.y[1] must be finite")


def test_columns_beside_a_header_that_is_wrong(tmp_path):
    refused(tmp_path, {"x": [10**30], "predictions": False}, "$.predictions must be")


def test_a_column_given_in_some_rows_only(tmp_path):
    refused(
        tmp_path, file_of(ROW, ROW | {"x": 1.0, "intensity": 2.0}), "intensity must be given in every row or in none"
    )
    refused(tmp_path, file_of({"x": 1, "y": 2, "score": 3}), "missing: trajectory, frame")
