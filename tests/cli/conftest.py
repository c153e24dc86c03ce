"""The command line over one data set, of whose test split 7 trajectories, and an empty leaderboard."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.datasets import Dataset, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.detections import Detections
from csist_bench.recipes import load_data_recipe
from tests.helpers.bench import RECIPE, Bench


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Dataset:
    path = tmp_path_factory.mktemp("data") / "seqcsist.zarr"
    generate(path, load_data_recipe("seqcsist", RECIPE))
    return open_dataset(path)


@pytest.fixture(scope="module")
def truth(store) -> Detections:
    """Every scored target, ranked by brightness, with standard errors."""
    part = store.split("test")
    xy, intensity = part.target_xy[:, 2:18], part.target_intensity[:, 2:18]
    b, t, k = np.nonzero(np.isfinite(intensity))
    x, y, s = xy[b, t, k, 0], xy[b, t, k, 1], intensity[b, t, k]
    return Detections(b, t + 2, x, y, s, s, np.full(len(x), 0.02), np.full(len(x), 0.02), np.ones(len(x)))


@pytest.fixture
def bench(tmp_path, store, capsys) -> Bench:
    return Bench(tmp_path, store, capsys)
