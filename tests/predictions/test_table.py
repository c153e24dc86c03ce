"""The rules that every format shares."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.predictions.table import IndexBounds, _strictly_rising, detections_from_columns
from tests.helpers.prediction_files import ROW, N, T, file_of, read, refused, rows_of, sample, written


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


@pytest.mark.parametrize("sign", [1, -1])
def test_values_up_to_the_limits_are_taken(tmp_path, sign):
    limits = {"x": 1e6, "y": 1e6, "score": 1e6, "intensity": 1e6, "track": 2**53 - 1}
    row = ROW | {name: sign * value for name, value in limits.items()} | {"sigma_x": 0.0, "sigma_y": 1e6}
    found = read(written(tmp_path, file_of(row))).detections
    assert {name: getattr(found, name).item() for name in row} == row
    for name in limits:
        above = row[name] + sign if name == "track" else np.nextafter(row[name], sign * np.inf)
        rule = "track must be in [" if name == "track" else f"{name} must be finite and at most 1e+06"
        refused(tmp_path, file_of(row | {name: above}), rule)
    refused(tmp_path, file_of(row | {"sigma_x": -5e-324}), "sigma_x must be at least 0")
    refused(tmp_path, file_of(row | {"sigma_y": np.nextafter(1e6, 2e6)}), "sigma_y must be finite and at most 1e+06")


@pytest.mark.parametrize("name", ["x", "score", "sigma_x", "frame", "image_id", "group", "track"])
def test_a_column_holds_one_number_a_row(name):
    def checked(values):
        columns = {key: np.array([value]) for key, value in ROW.items()} | {name: values}
        return detections_from_columns(columns, "file", lambda row, name: "", IndexBounds(T, N))

    for values in (np.array(["1"]), np.array([True]), np.array([1j]), np.ones((1, 1))):
        with pytest.raises(InputError, match=rf"column {name} must hold one (whole )?number per row"):
            checked(values)
    for kind in (np.int8, np.uint64, np.float16, np.longdouble, ">f4"):
        found = checked(np.array([22 if name == "image_id" else 2], kind))
        assert getattr(found, "trajectory" if name == "image_id" else name).tolist() == [1 if name == "image_id" else 2]


def test_strictly_rising_is_what_sorting_says():
    """Of three keys of 0, 1 and 2, the last of which counts most; a third of the draws are sorted first."""
    rng = np.random.default_rng(0)
    seen = set()
    for draw in range(600):
        keys = rng.integers(0, 3, (3, rng.integers(1, 5)))
        keys = keys if draw % 3 else keys[:, np.lexsort(tuple(keys))]
        rows = [tuple(row) for row in keys[::-1].T.tolist()]
        expected = all(one < next_ for one, next_ in itertools.pairwise(rows))
        assert _strictly_rising(tuple(keys)) == expected, rows
        seen.add((expected, len(rows) > 1))
    assert len(seen) == 3


def test_duplicates_are_found_in_any_order_and_rows_that_differ_in_one_column_are_none(tmp_path):
    rows = [{"trajectory": t, "frame": f, "x": x, "y": y, "score": 1} for t, f, x, y in np.ndindex(2, 2, 2, 2)]
    rng = np.random.default_rng(1)
    for _ in range(30):
        order = rng.permutation(len(rows))[: rng.integers(2, 17)]
        shuffled = [rows[i] for i in order]
        assert len(read(written(tmp_path, file_of(*shuffled))).detections) == len(order)
        again = int(rng.integers(len(order)))
        shuffled.append(shuffled[again] | {"score": 2})
        refused(tmp_path, file_of(*shuffled), "two rows must not have equal", f"$.predictions[{len(order)}]")


def test_the_most_rows_of_a_split():
    assert IndexBounds(None, 4).most_rows is IndexBounds(4, None).most_rows is IndexBounds(None, 4).n_images is None
    assert IndexBounds(20, 4).most_rows == 1_000_000
    assert IndexBounds(20, 6).most_rows == 1_200_000
    IndexBounds(20, 6).require_rows(1_200_000, "file")
    IndexBounds(None, 6).require_rows(10**12, "file")
    with pytest.raises(InputError, match=r"file must hold at most 1,200,000 rows .*, got 1,200,001"):
        IndexBounds(20, 6).require_rows(1_200_001, "file")


def test_numbers_from_one_are_guessed_at_only_where_they_are_all_there(tmp_path):
    def says(guess, *frames):
        content = file_of(*({**ROW, "frame": frame} for frame in frames))
        with pytest.raises(InputError) as caught:
            read(written(tmp_path, content))
        assert ("--first-frame 1" in str(caught.value)) is guess

    says(True, 1, 20)
    says(False, 2, 20)
    says(False, 1, 21)
    says(False, 0, 20)
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, file_of(ROW, ROW | {"trajectory": 4})))
    assert "--first-frame" not in str(caught.value)


def test_indices_without_an_end_are_at_most_what_a_float_keeps():
    def checked(**changed):
        columns = {key: np.array([value]) for key, value in (ROW | changed).items()}
        return detections_from_columns(columns, "file", lambda row, name: "row", IndexBounds(None, None))

    for name in ("trajectory", "frame", "group"):
        for value in (0, 2**53 - 1, float(2**53 - 1)):
            assert getattr(checked(**{name: value}), name).tolist() == [int(value)]
        for value in (-1, 2**53, float(2**53)):
            with pytest.raises(InputError, match=rf"{name} must be a whole number, at least 0"):
                checked(**{name: value})
