"""Units of a training split in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.training.in_memory_set import epoch_order, transform_batch
from csist_bench.training.recipe import TrainingRecipe
from csist_bench.training.training_set import training_set

CPU = torch.device("cpu")


@pytest.mark.parametrize("whole", [False, True])
def test_windows_hold_the_brightest_pixel_and_labels_move_with_them(tiny: Dataset, whole: bool) -> None:
    units = training_set(tiny.split("train"), TrainingRecipe(), whole, CPU)
    window = units.windowed(7)
    frames, grids = units.batch(torch.arange(len(units)))
    crops, labels = window.batch(torch.arange(len(units)))
    assert crops.shape == (*frames.shape[:2], 7, 7)
    assert labels.shape == (*frames.shape[:2], 21, 21)
    for unit in range(len(units)):
        row, column = np.unravel_index(int(frames[unit].mean(0).argmax()), (11, 11))
        top, left = (int(np.clip(place - 3, 0, 4)) for place in (row, column))
        assert torch.equal(crops[unit], frames[unit, :, top : top + 7, left : left + 7])
        wanted = grids[unit, :, 3 * top : 3 * top + 21, 3 * left : 3 * left + 21]
        torch.testing.assert_close(labels[unit], wanted)


def test_five_pixels_hold_nearly_all_targets_of_a_frame(tiny: Dataset) -> None:
    units = training_set(tiny.split("train"), TrainingRecipe(), False, CPU)
    assert units.windowed(5).intensity.sum() / units.intensity.sum() > 0.99


def test_a_window_larger_than_the_frame_is_refused(tiny: Dataset) -> None:
    with pytest.raises(InputError, match="window size must be at most the frame's 11 px, got 13"):
        training_set(tiny.split("train"), TrainingRecipe(), False, CPU).windowed(13)


def test_epoch_orders_are_permutations_that_depend_on_seed_stage_and_epoch() -> None:
    orders = [epoch_order(*key, 50) for key in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0))]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    np.testing.assert_array_equal(orders[0], epoch_order(0, 0, 0, 50))


def test_symmetries_turn_frames_and_labels_alike(tiny: Dataset) -> None:
    units = training_set(tiny.split("train"), TrainingRecipe(), False, CPU)
    frames, labels = units.batch(torch.arange(8))
    flips = torch.tensor([[bool(index & bit) for index in range(8)] for bit in (1, 2, 4)])
    turned, grids = transform_batch(frames, labels, flips)
    g = torch.tensor(units.optics.axis_matrix, dtype=torch.float32)
    before, after = g @ labels @ g.mT - frames, g @ grids @ g.mT - turned
    # What Phi leaves of a frame turns with it, so its size stays.
    torch.testing.assert_close(after.square().sum((1, 2, 3)), before.square().sum((1, 2, 3)), rtol=1e-3, atol=1e-2)
    assert torch.equal(turned[0], frames[0])
    assert torch.equal(turned[7], frames[7].flip(-1).flip(-2).mT)
