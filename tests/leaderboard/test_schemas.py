"""The shipped JSON Schemas are those of the structs, take what is handed in, and refuse what is broken."""

from __future__ import annotations

import copy
import gzip
import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard import published_rows, read_rows
from csist_bench.leaderboard.folder import read_submission
from csist_bench.leaderboard.schemas import SCHEMAS, made_anew, schema_text
from csist_bench.predictions import read_predictions
from tests.helpers.rows import row

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "example.json"


def validator(name):
    schema = json.loads(schema_text(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def is_well(name, content):
    return validator(name).is_valid(json.loads(json.dumps(content)))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_shipped_schema_is_what_the_structs_say(name):
    assert schema_text(name) == made_anew(name), "make it again: python -m csist_bench.leaderboard.schemas"


def test_another_schema_is_refused():
    with pytest.raises(InputError, match="unknown schema 'rows'; did you mean 'row'"):
        schema_text("rows")


def test_every_committed_row_validates():
    check = validator("row")
    rows = [*read_rows(ROOT / "leaderboard" / "leaderboard.csv"), *published_rows()]
    assert len(rows) > 400
    for one in rows:
        check.validate(json.loads(json.dumps(one.values())))


@pytest.mark.parametrize(
    "change",
    [
        {"cso_map": 101},
        {"cso_map": "60"},
        {"family": "magic"},
        {"tier": "official"},
        {"method": ""},
        {"method": "two\nlines"},
        {"paper": "example.org"},
        {"predictions_sha256": "sha256:abc"},
        {"dataset_fingerprint": ""},
        {"date": "yesterday"},
        {"frames_per_second": 0},
        {"parameters": 1.5},
        {"scores": 1},
    ],
    ids=str,
)
def test_a_broken_row_does_not(change):
    good = row().values()
    assert is_well("row", good)
    assert not is_well("row", good | change)


@pytest.mark.parametrize("name", ["method", "family", "dataset", "tier", "cso_map", "ap25"])
def test_a_row_without_what_it_needs_does_not(name):
    values = row().values()
    del values[name]
    assert not is_well("row", values)


def predictions(**changes):
    return {
        "format": "csist-bench/predictions@1",
        "dataset": {"name": "seqcsist", "split": "test", "fingerprint": "sha256:" + "a" * 64},
        "method": {"name": "MyNet", "anything": [1]},
        "n_frames": 12000,
        "predictions": [{"trajectory": 0, "frame": 2, "x": 5.31, "y": 4.02, "score": 231.2}],
        **changes,
    }


def test_the_shipped_example_validates():
    assert is_well("predictions", json.loads(EXAMPLE.read_text()))


COLUMNS = {"x": [1.0], "y": [1.0], "score": [1.0], "trajectory": [0], "frame": [2]}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"dataset": None, "n_frames": None},
        {"dataset": "seqcsist", "method": "MyNet"},
        {"frames": "2:18"},
        {"predictions": []},
        {"predictions": COLUMNS},
        {"predictions": [{"image_id": 2, "x": 5, "y": 4, "score": 1}]},
    ],
    ids=str,
)
def test_what_the_schema_takes_the_reader_takes(change, tmp_path):
    content = predictions(**change)
    assert is_well("predictions", content)
    path = tmp_path / "preds.json"
    path.write_text(json.dumps(content))
    read_predictions(path, frames_per_trajectory=20, n_trajectories=3)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "csist-bench/predictions@2"},
        {"dataset": ["seqcsist"]},
        {"dataset": {"split": 1}},
        {"method": 3},
        {"n_frames": -1},
        {"n_frames": "12000"},
        {"frames": 2},
        {"digest": 5},
        {"misfit": "none"},
        {"predictions": None},
        {"predictions": [{"trajectory": 0, "frame": 2, "x": 5.31, "y": 4.02}]},
        {"predictions": [{"trajectory": 0, "x": 5.31, "y": 4.02, "score": 1}]},
        {"predictions": [{"trajectory": 0, "frame": 2, "x": "5", "y": 4.02, "score": 1}]},
    ],
    ids=str,
)
def test_what_the_reader_refuses_the_schema_refuses(change, tmp_path):
    content = predictions(**change)
    assert not is_well("predictions", content)
    path = tmp_path / "preds.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError):
        read_predictions(path, frames_per_trajectory=20, n_trajectories=3)
    del content["predictions"]
    assert not is_well("predictions", content)


@pytest.fixture(scope="module")
def submission(tmp_path_factory):
    """A folder with a submission, and what its row.toml holds."""
    from tests.helpers.submissions import written_submission

    folder = written_submission(tmp_path_factory.mktemp("submissions"))
    return folder, tomllib.loads((folder / "row.toml").read_text())


def test_a_submission_validates_and_so_do_its_predictions(submission):
    folder, content = submission
    assert is_well("submission", content)
    assert is_well("predictions", json.loads(gzip.decompress((folder / "predictions.json.gz").read_bytes())))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "csist-bench/submission@2"),
        (("told",), ["everything"]),
        (("bootstrap",), 0),
        (("extra",), 1),
        (("predictions", "sha256"), "abc"),
        (("predictions", "address"), "file:///etc/passwd"),
        (("predictions", "size"), 5),
        (("row", "tier"), "reproduced"),
        (("row", "cso_map"), 200.0),
        (("row", "supersedes"), "sha256:" + "0" * 64),
        (("row", "extra"), ""),
        (("training",), [{}]),
        (("training",), [{"recipe": "seqcsist", "indices": "some"}]),
        (("training",), [{"recipe": "seqcsist", "other": "more"}]),
    ],
    ids=str,
)
def test_a_broken_submission_does_not_and_is_not_read(submission, tmp_path, path, value):
    folder, content = submission
    content = copy.deepcopy(content)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not is_well("submission", content)
    from tests.helpers.submissions import copied

    broken = copied(folder, tmp_path / "broken", content)
    with pytest.raises(InputError, match=r"row\.toml"):
        read_submission(broken)
