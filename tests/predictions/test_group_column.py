"""The optional column `group`, in every form."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections, concatenate
from csist_bench.errors import InputError
from csist_bench.predictions import read_predictions, write_predictions
from csist_bench.predictions.header import Header


def read(path):
    return read_predictions(path, frames_per_trajectory=2, n_trajectories=2)


def found(group=True):
    index = np.array([0, 0, 1])
    one = Detections(index, index, np.arange(3.0), np.ones(3), np.ones(3))
    return replace(one, group=np.array([0, 12, 3])) if group else one


@pytest.mark.parametrize("suffix", ["json", "json.gz", "csv", "npz", "parquet"])
def test_it_is_written_and_read_back(tmp_path, suffix):
    path = tmp_path / f"p.{suffix}"
    write_predictions(path, found(), Header(method={"name": "X"}))
    back = read(path).detections
    assert back.group.dtype == np.int64
    assert back.group.tolist() == [0, 12, 3]
    write_predictions(path, found(group=False), Header(method={"name": "X"}))
    assert read(path).detections.group is None
    assert suffix == "parquet" or b"group" not in path.read_bytes()


def test_it_stands_as_a_whole_number(tmp_path):
    write_predictions(tmp_path / "p.json", found(), Header())
    assert json.loads((tmp_path / "p.json").read_text())["predictions"][1]["group"] == 12
    write_predictions(tmp_path / "p.csv", found(), Header())
    assert (tmp_path / "p.csv").read_text().splitlines()[2].endswith(",12")


@pytest.mark.parametrize("value", ["1.5", "-1"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_no_index_is_refused(tmp_path, value, form):
    path = tmp_path / f"p.{form}"
    path.write_text(
        f"trajectory,frame,x,y,score,group\n0,0,1,1,1,{value}\n"
        if form == "csv"
        else f'{{"predictions": [{{"trajectory": 0, "frame": 0, "x": 1, "y": 1, "score": 1, "group": {value}}}]}}'
    )
    with pytest.raises(InputError, match="group must be a whole number"):
        read(path)


def test_it_is_part_of_the_digest(tmp_path):
    path = tmp_path / "p.json"
    write_predictions(path, found(), Header())
    path.write_text(path.read_text().replace('"group":12', '"group":13'))
    with pytest.raises(InputError, match="content must be what the digest in its header says"):
        read(path)


def test_columns_of_json_may_hold_it(tmp_path):
    path = tmp_path / "p.json"
    path.write_text('{"trajectory": [0], "frame": [0], "x": [1], "y": [1], "score": [1], "group": [2]}')
    assert read(path).detections.group.tolist() == [2]


def test_it_goes_through_tables_and_joins():
    table = found().to_pandas()
    assert Detections.from_pandas(table).group.tolist() == [0, 12, 3]
    assert concatenate([found(), found(group=False)]).group is None
    assert concatenate([found(), found()]).group.tolist() == [0, 12, 3, 0, 12, 3]
