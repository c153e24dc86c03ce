"""Units of a training split: in memory, and read in groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from csist_bench.datasets import Dataset, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.weights import read_tensors
from csist_bench.recipes import load_data_recipe
from csist_bench.training.log import read_log
from csist_bench.training.recipe import TrainingRecipe, training_recipe
from csist_bench.training.run import Options, Outcome, train
from csist_bench.training.training_set import training_set
from csist_bench.training.unit_sets import ChunkedTrainingSet, InMemoryTrainingSet, epoch_order, transform_batch

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


FRAMES, CHUNK = 100, 10  # trajectories of 100 frames: ten a chunk
LITTLE = 2.2e-3  # GB: four chunks of 0.53 MB fit
TRAJECTORIES = 42  # so that the last group is short


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """42 trajectories of 100 frames to train on."""
    path = tmp_path_factory.mktemp("data") / "long.zarr"
    generate(path, load_data_recipe("seqcsist", ["trajectories=60", f"frames={FRAMES}", "scored_frames=40:44"]))
    return open_dataset(path)


def both(store: Dataset, whole: bool, **recipe) -> tuple[ChunkedTrainingSet, InMemoryTrainingSet]:
    split = store.split("train")
    grouped = training_set(split, TrainingRecipe(max_ram=LITTLE, **recipe), whole, CPU)
    at_once = training_set(split, TrainingRecipe(**recipe), whole, CPU)
    assert isinstance(grouped, ChunkedTrainingSet)
    assert isinstance(at_once, InMemoryTrainingSet)
    return grouped, at_once


def assert_same_units(grouped: ChunkedTrainingSet, at_once: InMemoryTrainingSet) -> None:
    assert (len(grouped), grouped.sequence_length, grouped.scored) == (
        len(at_once),
        at_once.sequence_length,
        at_once.scored,
    )
    assert (grouped.optics, grouped.device) == (at_once.optics, at_once.device)
    generator = torch.Generator().manual_seed(0)
    for count in (1, 7, 40):
        index = torch.randint(len(at_once), (count,), generator=generator)
        for mine, theirs in zip(grouped.batch(index), at_once.batch(index), strict=True):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("frames", ["all", "scored"])
def test_units_are_those_of_the_split_in_memory(long: Dataset, whole: bool, frames: str) -> None:
    grouped, at_once = both(long, whole, frames=frames)
    assert [stop - start for start, stop in grouped.bounds] == [CHUNK] * 4 + [2]
    assert_same_units(grouped, at_once)
    assert_same_units(grouped.windowed(5), at_once.windowed(5))


def test_part_of_a_split_is_read_in_groups_too(long: Dataset) -> None:
    split = long.split("train")
    few = training_set(split, TrainingRecipe(max_ram=1.7e-3 * 1.3, trajectories=42), True, CPU)
    assert len(few) == 42
    assert isinstance(
        training_set(split, TrainingRecipe(max_ram=LITTLE, trajectories=40), True, CPU), InMemoryTrainingSet
    )


@pytest.mark.parametrize("whole", [False, True])
def test_the_initialiser_is_that_of_the_split_in_memory(long: Dataset, whole: bool) -> None:
    grouped, at_once = both(long, whole)
    np.testing.assert_allclose(grouped.initialiser(1e-2), at_once.initialiser(1e-2), atol=1e-5)
    np.testing.assert_allclose(grouped.windowed(5).initialiser(1e-2), at_once.windowed(5).initialiser(1e-2), atol=1e-5)


def test_an_epoch_takes_every_unit_once_and_groups_one_after_another(long: Dataset) -> None:
    grouped, _ = both(long, False)
    orders = [grouped.epoch_order(*key) for key in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0))]
    for order in orders:
        assert sorted(order) == list(range(TRAJECTORIES * FRAMES))
        group = order // (CHUNK * FRAMES)
        assert np.count_nonzero(np.diff(group)) == len(grouped.bounds) - 1
        assert np.abs(np.diff(order)).max() > CHUNK * FRAMES / 2  # within a group at random
    assert len({tuple(order) for order in orders}) == 4
    assert len({tuple(np.unique(order // (CHUNK * FRAMES), return_index=True)[1]) for order in orders}) > 1
    np.testing.assert_array_equal(orders[0], grouped.epoch_order(0, 0, 0))


def test_a_pass_reads_each_group_once_and_holds_two_at_most(long: Dataset) -> None:
    grouped, _ = both(long, False)
    asked, read = [], grouped.read
    grouped.read = lambda start, stop: asked.append((start, stop)) or read(start, stop)
    order = torch.from_numpy(grouped.epoch_order(0, 0, 0))
    for index in order.split(64):
        grouped.batch(index)
        assert len(grouped._held) <= 2
    assert sorted(asked) == grouped.bounds


def test_a_limit_below_four_chunks_says_what_would_do(long: Dataset) -> None:
    split = long.split("train")
    with pytest.raises(
        InputError, match=r"max_ram must be at least 0\.00213 GB, 4 chunks of the train split, got 0\.002"
    ):
        training_set(split, TrainingRecipe(max_ram=0.002), False, CPU)
    assert isinstance(training_set(split, TrainingRecipe(max_ram=0.00213), False, CPU), ChunkedTrainingSet)


def test_a_split_without_targets_is_refused_in_groups_too(long: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    split = long.split("train")
    read = type(split).read

    def emptied(self, name, start=0, stop=None):
        values = read(self, name, start, stop)
        return np.full_like(values, np.nan) if name.startswith("target_") and values.dtype.kind == "f" else values

    monkeypatch.setattr(type(split), "read", emptied)
    with pytest.raises(InputError, match="the train split must hold at least one target on the grid to train on"):
        training_set(split, TrainingRecipe(max_ram=LITTLE), False, CPU)


def go(store: Dataset, folder: Path, **options) -> Outcome:
    """A run over more than one epoch of groups, with a windowed stage; Q is fitted."""
    recipe = training_recipe(
        {"steps": 2, "batch_frames": 2000, "window.steps": 3, "lr": 1e-2, "max_ram": LITTLE, "log_every": 1}
    )
    settings = {"features": 2, "mapped": 2}
    where = Options(folder, **options)
    return train(registry.find("srcnn"), store, settings, recipe, where, CPU, lambda line: None)


def test_a_run_in_groups_that_is_paused_ends_as_an_uninterrupted_one(long: Dataset, tmp_path: Path) -> None:
    whole = go(long, tmp_path / "whole")
    outcome, pauses = go(long, tmp_path / "parts", max_minutes=1e-9), 0
    while not outcome.finished:
        outcome, pauses = go(long, tmp_path / "parts", max_minutes=1e-9, resume=True), pauses + 1
    assert pauses == 3
    assert (outcome.steps, outcome.best) == (whole.steps, whole.best)
    first, second = (read_log(tmp_path / run).losses for run in ("whole", "parts"))
    assert [line["total"] for line in first] == [line["total"] for line in second]
    for name in ("best", "last"):
        tensors = [read_tensors(tmp_path / run / f"{name}.safetensors")[0] for run in ("whole", "parts")]
        assert [key for key in tensors[0] if not torch.equal(tensors[0][key], tensors[1][key])] == []
