"""The JSON forms."""

from __future__ import annotations

import gc
import json
from dataclasses import replace

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.predictions import FORMAT, Header, write_predictions
from tests.helpers.prediction_files import ROW, file_of, read, refused, rows_of, same, sample, written


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
    refused(tmp_path, [ROW, {**ROW, "frame": 1.5}], "$[1]: frame = 1.5")
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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_changes_nothing(tmp_path, encoding):
    for content in (file_of(ROW), [ROW]):
        path = written(tmp_path, json.dumps(content).encode(encoding))
        assert read(path).detections.x.tolist() == [5.5]


def test_indices_written_as_floats_are_those_of_whole_numbers(tmp_path):
    rows = [ROW | {"trajectory": 1.0, "frame": 2.0}, ROW | {"x": 1.0}]
    found = read(written(tmp_path, file_of(*rows))).detections
    assert found.trajectory.tolist() == [1, 1]
    assert found.trajectory.dtype == "int64"
    columns = {name: [float(value)] for name, value in ROW.items()}
    assert read(written(tmp_path, columns)).detections.frame.tolist() == [2]
    refused(tmp_path, file_of(ROW | {"frame": 2.5}), "frame must be a whole number", "$.predictions[0]: frame = 2.5")


def test_json_lines(tmp_path):
    lines = [json.dumps(row) for row in rows_of(sample())]
    for text in ("\n".join(lines), "\r\n".join(lines) + "\n\n", "\ufeff" + "\n".join(lines)):
        again = read(written(tmp_path, text.encode(), "p.jsonl"))
        same(again.detections, sample())
        assert "lines of rows without a header" in again.warnings[0]
    assert len(read(written(tmp_path, lines[0].encode(), "p.json")).detections) == 1
    bad = [lines[0], lines[1].replace('"x": ', '"x": "').replace(', "y"', '", "y"')]
    refused(tmp_path, "\n".join(bad).encode(), "line 2.x must be float, got str")
    refused(tmp_path, "\n".join(bad[::-1]).encode(), "line 1.x must be float, got str")
    refused(tmp_path, "\n".join([lines[0], lines[0]]).encode(), "keep one of them", "line 2")
    refused(tmp_path, "\n".join([lines[0], lines[1][:20]]).encode(), "not valid JSON at line 2", "cut short")


def test_columns_as_pandas_writes_them(tmp_path):
    table = {
        name: dict(zip(map(str, range(30)), values)) for name, values in sample().to_pandas().to_dict("list").items()
    }
    same(read(written(tmp_path, table)).detections, sample())
    table["y"] = dict(reversed(table["y"].items()))
    refused(tmp_path, table, "$.y must have the rows of $.trajectory, in its order")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "null"])
def test_a_standard_error_may_be_missing(tmp_path, word):
    rows = [ROW | {"sigma_x": 0.5, "sigma_y": 0.5}, ROW | {"x": 1.0, "sigma_x": "HERE", "sigma_y": "HERE"}]
    for content in (file_of(*rows), rows, {name: [row[name] for row in rows] for name in rows[0]}):
        found = read(written(tmp_path, json.dumps(content).replace('"HERE"', word).encode())).detections
        assert np.isnan(found.sigma_x).tolist() == np.isnan(found.sigma_y).tolist() == [False, True]
    lines = "\n".join(map(json.dumps, rows)).replace('"HERE"', word)
    assert np.isnan(read(written(tmp_path, lines.encode())).detections.sigma_x).tolist() == [False, True]
    del rows[1]["sigma_x"], rows[1]["sigma_y"]
    assert np.isnan(read(written(tmp_path, rows)).detections.sigma_x).tolist() == [False, True]
    refused(tmp_path, file_of(ROW | {"sigma_x": -1.0}, ROW | {"x": 1.0}), "sigma_x must be at least 0")


def test_a_field_that_stands_twice_is_refused(tmp_path):
    row = json.dumps(ROW)
    twice = row.replace('"y"', '"x": 1.0, "y"')
    refused(tmp_path, f"[{row}, {twice}]".encode(), "name each field of an object once", "'x' twice")
    refused(tmp_path, f'{{"predictions": [{twice}]}}'.encode(), "'x' twice")
    refused(tmp_path, f"{row}\n{twice}\n".encode(), "'x' twice")
    refused(tmp_path, f'{{"predictions": [{row}], "predictions": []}}'.encode(), "'predictions' twice")
    refused(tmp_path, b'{"x": [1], "x": [2]}', "'x' twice")
    same(
        read(written(tmp_path, file_of(ROW, method={"name": "x", "x": 1, "y": {"x": 2}}))).detections,
        read(written(tmp_path, [ROW])).detections,
    )


def test_a_long_header_does_not_slow_the_reading_down(tmp_path, monkeypatch):
    """With the misfit of 12,000 frames in the header, rows are still told from the head by counting."""
    misfit = {"unit": "chi2 per pixel", "per_frame": [[1.0123] * 16] * 750}
    table = {"format": FORMAT, "n_frames": 12000, "misfit": misfit, "predictions": [ROW]}
    path = written(tmp_path, table)
    assert path.stat().st_size > 1 << 16
    monkeypatch.setattr("csist_bench.predictions.json_faults._require_once", lambda *_: pytest.fail("read twice"))
    assert len(read(path).detections) == 1


def test_a_large_file_is_not_decoded_again_to_be_explained(tmp_path, monkeypatch):
    monkeypatch.setattr("csist_bench.predictions.json_faults.LARGEST_EXPLAINED", 10)
    refused(tmp_path, file_of(ROW, {**ROW, "x": "5"}), "$.predictions[1].x must be float, got str", "first fault")


def test_half_of_a_surrogate_pair_is_refused(tmp_path):
    refused(tmp_path, json.dumps(file_of(ROW | {"\ud800": 1})).encode(), "preds.json")
    refused(tmp_path, json.dumps([ROW | {"\ud800": 1}]).encode(), "preds.json")


def test_the_first_index_that_is_too_large_is_named(tmp_path):
    rows = [ROW | {"track": 127}, ROW | {"track": 2**53 - 1, "x": 1.0}]
    for large in (2**64, 10**25, -(2**63) - 1):
        content = file_of(*rows, ROW | {"x": 2.0, "track": large})
        refused(tmp_path, content, "$.predictions[2].track must be an index")
    refused(tmp_path, file_of(ROW | {"track": 2**63}), "$.predictions[0].track must be an index")
    # NumPy keeps them as they are; it is the range of tracks that refuses them.
    for large in (2**63 - 1, -(2**63)):
        refused(tmp_path, file_of(*rows, ROW | {"x": 2.0, "track": large}), "track must be in", "$.predictions[2]")


def test_a_standard_error_that_is_missing_is_left_out(tmp_path):
    some = replace(sample(), sigma_x=np.where(np.arange(30) % 2, np.nan, 0.5))
    write_predictions(tmp_path / "p.json", some, Header())
    rows = json.loads((tmp_path / "p.json").read_text())["predictions"]
    assert [row.get("sigma_x", "none") for row in rows].count("none") == 15
    same(read(tmp_path / "p.json").detections, some)


def test_nan_and_infinity_may_stand_in_one_file(tmp_path):
    rows = [ROW | {"sigma_x": "A", "sigma_y": 1.0}, ROW | {"x": 1.0, "sigma_x": 0.5, "sigma_y": "B"}]
    text = json.dumps(rows).replace('"A"', "NaN").replace('"B"', "Infinity")
    found = read(written(tmp_path, text.encode())).detections
    assert np.isnan(found.sigma_x).tolist() == [True, False]
    assert np.isnan(found.sigma_y).tolist() == [False, True]


@pytest.mark.parametrize("content", [b"{'a': 1}", b"[{1: 2}]  \n", b'{"predictions": [}, ]}' + b" " * 4000])
def test_only_a_file_that_ends_early_is_called_cut_short(tmp_path, content):
    refused(tmp_path, content, "not valid JSON at line 1")
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, content))
    assert "cut short" not in str(caught.value)
    refused(tmp_path, content.rstrip(b"]} \n"), "not valid JSON at line 1", "(the file seems to be cut short)")


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(tmp_path, enabled):
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        read(written(tmp_path, file_of(ROW)))
        assert gc.isenabled() is enabled
        refused(tmp_path, file_of(ROW, ROW), "keep one of them")
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_five_rows_are_named_and_the_others_counted(tmp_path):
    for count, more in ((5, False), (6, True)):
        with pytest.raises(InputError) as caught:
            read(written(tmp_path, file_of(*({**ROW, "x": "5"} for _ in range(count)))))
        assert str(caught.value).count("must be float, got str") == 5
        assert ("and 1 more" in str(caught.value)) is more


def test_a_column_of_text_is_named_beside_one_of_nan(tmp_path):
    columns = {"sigma_x": ["HERE", 1.0]} | {name: [value, value + 1] for name, value in ROW.items()}
    text = json.dumps(columns | {"y": [1.0, "7"]}).replace('"HERE"', "NaN")
    refused(tmp_path, text.encode(), "$.y[1] must be float, got str")
