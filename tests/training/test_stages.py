"""What a recipe asks of a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.training.distributed import World
from csist_bench.training.recipe import training_recipe
from csist_bench.training.stages import stages_of
from tests.helpers.training_runs import ESPCN, go
from tests.helpers.unit_sets import random_units


def test_a_network_tied_to_the_grid_has_no_window_stage(tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="window must be left out for lamp"):
        go(tiny, tmp_path / "run", "lamp", {"layers": 1}, {"steps": 1, "window.size": 5})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["lista", "liht", "lamp", "tilista"])
def test_layers_stacked_in_one_parameter_are_not_for_muon(tiny: Dataset, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"optimiser must be adam or adamw for {name}"):
        go(tiny, tmp_path / "run", name, {"layers": 1}, {"steps": 1, "optimiser": "muon"})


def test_an_adversarial_recipe_needs_a_critic(tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="adversarial must be left out for espcn"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, {"steps": 1, "adversarial.pixel": 1.0})


def taken(count: int = 20, frames: int = 1, processes: int = 1, **table) -> list[tuple[str, int, int, float, int]]:
    recipe = training_recipe({"batch_frames": 4, "batch_trajectories": 2, **table})
    stages = stages_of(recipe, random_units(count, 11, frames), World(processes))
    return [(s.name, s.steps, s.batch, s.lr, s.data.optics.size) for s in stages]


def test_the_length_is_in_epochs_unless_steps_are_given() -> None:
    assert taken(epochs=3.0, lr=0.5) == [("full", 15, 4, 0.5, 11)]
    assert taken(epochs=3.0, steps=7, lr=0.5) == [("full", 7, 4, 0.5, 11)]
    assert taken(frames=3, epochs=1.0, lr=0.5) == [("full", 10, 2, 0.5, 11)]


def test_a_window_comes_first_with_what_it_has_of_its_own() -> None:
    window = {"window.size": 5, "window.epochs": 2.0, "window.lr": 0.25, "window.batch_frames": 10}
    assert taken(steps=7, lr=0.5, **window) == [("window", 4, 10, 0.25, 5), ("full", 7, 4, 0.5, 11)]
    assert taken(steps=7, lr=0.5, window=True)[0][2:4] == (4, 0.5)


def test_a_batch_is_at_most_the_data_and_must_be_shared_evenly() -> None:
    assert taken(count=3, steps=1)[0][2] == 3
    with pytest.raises(InputError, match="batch must be divisible by the 3 processes, got 4"):
        taken(processes=3)
