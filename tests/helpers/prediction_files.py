"""Prediction files for the tests: a sample, writing raw content, and checking that a file is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.predictions import FORMAT, read_predictions

N, T = 4, 20


def read(path, **options):
    return read_predictions(path, frames_per_trajectory=T, n_trajectories=N, **options)


def sample(n=30, seed=0, optional=True):
    rng = np.random.default_rng(seed)
    table = [
        np.sort(rng.integers(0, N, n)),
        rng.integers(0, T, n),
        *rng.uniform(-3, 14, (2, n)),
        rng.uniform(0, 300, n),
    ]
    extra = (
        {"intensity": rng.uniform(1, 300, n), "sigma_x": rng.random(n), "sigma_y": rng.random(n)} if optional else {}
    )
    return Detections(*table, **extra)


def same(a, b):
    assert a.columns().keys() == b.columns().keys()
    for name, column in a.ordered().columns().items():
        np.testing.assert_array_equal(column, b.ordered().columns()[name], err_msg=name)


def rows_of(detections):
    columns = detections.columns()
    return [dict(zip(columns, row)) for row in zip(*(column.tolist() for column in columns.values()))]


ROW = {"trajectory": 1, "frame": 2, "x": 5.5, "y": 4.25, "score": 231.5}


def file_of(*rows, **header):
    return {"format": FORMAT, "predictions": list(rows), **header}


def written(tmp_path, content, name="preds.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def refused(tmp_path, content, *parts, name="preds.json", **options):
    """Check that a file is refused in one line that names it and holds all the parts."""
    path = written(tmp_path, content, name)
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in (name, *parts):
        assert part in message, message
