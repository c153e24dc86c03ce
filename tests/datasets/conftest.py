"""Stored sets of both schemas, for tests of damage."""

import shutil

import pytest

from csist_bench.datasets import layout
from tests.helpers.sets import as_schema_1, tiny_set

RECIPES = ("seqcsist", "seqcsist-8bit")


@pytest.fixture(scope="module", params=[1, 2])
def schema(request):
    return request.param


@pytest.fixture(scope="module", params=RECIPES)
def stored(request, schema, tmp_path_factory):
    """Ten trajectories a shard; of either schema."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FRAMES_PER_CHUNK", 4)
        path = tiny_set(tmp_path_factory.mktemp("stored") / "set.zarr", request.param)
    return as_schema_1(path) if schema == 1 else path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A set as this version writes it."""
    return tiny_set(tmp_path_factory.mktemp("store") / "set.zarr")


@pytest.fixture
def copy_of_made(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy.zarr")


@pytest.fixture
def copied(stored, tmp_path):
    return shutil.copytree(stored, tmp_path / "set.zarr")
