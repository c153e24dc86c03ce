"""What a recipe asks of a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from tests.helpers.training_runs import ESPCN, go


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
