"""Labels of targets by their nodes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.training.sparse_labels import sparse_labels


def dense(node: np.ndarray, light: np.ndarray, n: int) -> np.ndarray:
    grid = np.zeros((*node.shape[:-1], n * n))
    for index in np.ndindex(node.shape):
        grid[(*index[:-1], node[index])] += light[index]
    return grid.reshape(*node.shape[:-1], n, n)


@given(seed=st.integers(0, 10_000), collision=st.sampled_from(["sum", "last"]))
@settings(max_examples=60, deadline=None)
def test_sparse_labels_are_the_label_grids(seed: int, collision: str) -> None:
    rng = np.random.default_rng(seed)
    optics = Optics(size=4)
    xy = rng.uniform(-1.0, 4.0, (2, 3, 5, 2))  # crowded, so that targets meet on a node, and some lie off the grid
    intensity = rng.uniform(1.0, 9.0, (2, 3, 5))
    absent = rng.random((2, 3, 5)) < 0.2
    xy[absent], intensity[absent] = np.nan, np.nan
    node, light = sparse_labels(xy, intensity, optics, collision)
    wanted = grid_from_targets(xy, intensity, optics, collision)
    np.testing.assert_allclose(dense(node, light, optics.grid_size), wanted, rtol=1e-6)


def test_labels_fall_off_with_the_distance_from_their_node() -> None:
    optics = Optics(size=3)  # 9 x 9 nodes, a third of a pixel apart, the first at -1/3 px
    xy = np.array([[1.0, 1.0], [1.1, 1.0], [1 / 3 - 0.05, 2.0 + 0.12], [np.nan, np.nan]])
    node, light = sparse_labels(xy, np.array([100.0, 200.0, 300.0, np.nan]), optics, "sum", falloff=2.0)
    assert node.tolist() == [4 * 9 + 4, 4 * 9 + 4, 7 * 9 + 2, 0]
    np.testing.assert_allclose(light, [100.0, 200 * 0.8, 300 * (1 - 2 * 0.13), 0.0], rtol=1e-6)
