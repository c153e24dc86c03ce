from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.methods.networks.common.sampling import fit_initialiser
from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.training.recipe import TrainingRecipe
from csist_bench.training.training_set import sparse_labels, training_set
from tests.helpers.tiny_sets import FRAMES, tiny_store

CPU = torch.device("cpu")


def test_the_recipe_says_how_labels_fall_off(tiny: Dataset) -> None:
    split, plain = tiny.split("train"), training_set(tiny.split("train"), TrainingRecipe(), False, CPU)
    lowered = training_set(split, TrainingRecipe(label_falloff=2.0), False, CPU)
    assert torch.equal(lowered.node, plain.node)
    there = plain.intensity > 0
    share = (lowered.intensity / plain.intensity)[there]
    assert float(share.max()) <= 1.0
    assert 0.5 < float(share.min()) < 0.7  # a node's corner is 0.236 px away


def test_frames_and_labels_of_single_frame_units(tiny: Dataset) -> None:
    split = tiny.split("train")
    units = training_set(split, TrainingRecipe(), False, CPU)
    assert units.frames.shape == (14 * FRAMES, 1, 11, 11)
    frames, labels = units.batch(torch.tensor([0, FRAMES + 2]))
    np.testing.assert_array_equal(frames[:, 0].numpy(), split.frames[[0, 1], [0, 2]])
    wanted = grid_from_targets(split.target_xy, split.target_intensity, units.optics)[[0, 1], [0, 2]]
    np.testing.assert_allclose(labels[:, 0].numpy(), wanted, rtol=1e-6)


def test_only_scored_frames_when_the_recipe_says_so(tiny: Dataset) -> None:
    split = tiny.split("train")
    units = training_set(split, TrainingRecipe(frames="scored", trajectories=2), False, CPU)
    np.testing.assert_array_equal(units.frames[:, 0].numpy(), split.frames[:2, 1:5].reshape(8, 11, 11))


def test_whole_trajectories_keep_all_frames_and_count_the_scored_ones(tiny: Dataset) -> None:
    units = training_set(tiny.split("train"), TrainingRecipe(), True, CPU)
    assert units.frames.shape == (14, FRAMES, 11, 11)
    assert units.scored == slice(1, 5)
    assert units.batch(torch.arange(3))[1].shape == (3, FRAMES, 33, 33)


def test_a_constant_background_is_subtracted(tmp_path_factory: pytest.TempPathFactory) -> None:
    plain = tiny_store(tmp_path_factory.mktemp("d") / "plain.zarr", 10)
    raised = tiny_store(tmp_path_factory.mktemp("d") / "raised.zarr", 10, "background=constant", "background_mean=30.0")
    first, second = (training_set(s.split("train"), TrainingRecipe(), True, CPU).frames for s in (plain, raised))
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)


def test_the_initialiser_is_fitted_to_the_label_grids(tiny: Dataset) -> None:
    split = tiny.split("train")
    units = training_set(split, TrainingRecipe(), False, CPU)
    grids = grid_from_targets(split.target_xy, split.target_intensity, units.optics).reshape(-1, 33, 33)
    np.testing.assert_allclose(units.initialiser(1e-2), fit_initialiser(grids, units.optics, 1e-2), atol=1e-4)


def test_a_split_beyond_the_memory_limit_says_what_would_fit(tiny: Dataset) -> None:
    with pytest.raises(InputError, match=r"max_ram must be at least .* --set trajectories=\d+"):
        training_set(tiny.split("train"), TrainingRecipe(max_ram=1e-5), False, CPU)


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
