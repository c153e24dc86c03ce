"""A network trained to its row: how the recipe is fitted to the time, and what is held against which row."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from csist_bench.errors import InputError
from csist_bench.speed import to_row
from csist_bench.speed.to_row import Budget, fitting, row_of, train_to_row
from csist_bench.training.recipe import TrainingRecipe, training_recipe
from tests.helpers.tiny_sets import tiny_store

CPU = torch.device("cpu")


def outcome_of(generator):
    """Return what a generator yields, and what it returns."""
    yielded = []
    while True:
        try:
            yielded.append(next(generator))
        except StopIteration as end:
            return yielded, end.value


def timed(monkeypatch: pytest.MonkeyPatch, seconds) -> None:
    monkeypatch.setattr(to_row, "_step_s", lambda name, store, recipe, settings, device: seconds(recipe))


@pytest.mark.parametrize(("seconds", "times"), [(100.0, 1), (35.0, 2), (25.0, 4), (1.0, 8)])
def test_a_batch_is_as_many_times_the_recipes_as_the_time_asks(tmp_path: Path, monkeypatch, seconds, times) -> None:
    timed(monkeypatch, lambda recipe: 0.1 if recipe.batch_frames < 512 else 0.15)
    table = {"steps": 500, "batch_frames": 128, "calibration.steps": 10, "stream.noise": [0.0, 5.0]}
    store = tiny_store(tmp_path / "set.zarr")
    yielded, (recipe, chosen) = outcome_of(fitting("offgrid-net", store, training_recipe(table), {}, CPU, seconds))
    assert chosen == times
    assert (recipe.steps, recipe.batch_frames) == (-(-500 // times), 128 * times)
    assert recipe.calibration.steps == -(-10 // times)
    assert len(yielded) == {1: 1, 2: 2, 4: 3, 8: 4}[times]
    assert yielded[0].value == pytest.approx(100.0)


@pytest.mark.parametrize(("rounded_s", "precision"), [(0.09, "tf32"), (0.05, "bfloat16")])
def test_bfloat16_is_taken_on_a_gpu_where_it_pays(tmp_path: Path, monkeypatch, rounded_s, precision) -> None:
    timed(monkeypatch, lambda recipe: rounded_s if recipe.precision == "bfloat16" else 0.1)
    monkeypatch.setattr(to_row, "_count", lambda *arguments: 1)
    _, (recipe, _) = outcome_of(fitting("edsr", None, TrainingRecipe(), {}, torch.device("cuda"), 100.0))
    assert recipe.precision == precision


def test_rows_are_those_of_the_recipe_itself() -> None:
    assert row_of("edsr", "seqcsist", 0.0).decoder == "grid"
    row = row_of("offgrid-net", "seqcsist-noise", 5.0)
    assert (row.settings, row.rank, row.decoder) == ("", "score", "own")
    with pytest.raises(InputError, match="edsr on seqcsist, sigma 7 must have one row, got 0"):
        row_of("edsr", "seqcsist", 7.0)


def test_a_tiny_network_is_trained_and_held_against_its_row() -> None:
    training = {"steps": 2, "batch_frames": 4, "precision": "float32"}
    budget = Budget(60.0, 20, {"features": 2, "blocks": 1}, training)
    found = {measure.name.strip(): measure for measure in train_to_row("edsr", CPU, budget)}
    assert found["steps"].value == 2
    assert found["steps"].unit == "of 1 x the recipe's batch"
    score = found["edsr: CSO-mAP on seqcsist"]
    assert 0 <= score.value <= 100
    row = row_of("edsr", "seqcsist", 0.0)
    assert score.goal == f">= {row.cso_map_low:.2f}, the row is {row.cso_map:.2f}"
    assert found["answered"].value > 0
