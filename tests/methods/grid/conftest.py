import pytest

from csist_bench.simulation.rendering import render_shard
from tests.helpers.sets import tiny_recipe


@pytest.fixture(scope="module")
def frames():
    """Frames (5, 4, 11, 11): twenty frames fill one block of the solver and begin another."""
    return render_shard(tiny_recipe(), range(5)).frames
