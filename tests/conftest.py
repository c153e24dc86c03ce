from __future__ import annotations

import pytest

from csist_bench.datasets import Dataset
from tests.helpers.tiny_sets import tiny_store


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """20 trajectories of 6 frames: 14 to train on, 3 to validate."""
    return tiny_store(tmp_path_factory.mktemp("data") / "tiny.zarr")
