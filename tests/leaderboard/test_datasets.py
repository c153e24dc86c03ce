"""What a data set is called on the leaderboard."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard.datasets import dataset_label, dataset_recipe, recipe_from_text
from csist_bench.recipes import load_data_recipe


@pytest.mark.parametrize(
    "name, changes, label, full",
    [
        ("seqcsist", [], "seqcsist", "seqcsist"),
        ("seqcsist", ["seed=7"], "seqcsist", "seqcsist"),
        ("seqcsist-noise", [], "seqcsist-noise sigma=2", "seqcsist-noise"),
        ("seqcsist-noise", ["noise_sigma=5"], "seqcsist-noise sigma=5", "seqcsist-noise noise_sigma=5.0"),
        ("seqcsist", ["trajectories=8"], "seqcsist trajectories=8", "seqcsist trajectories=8"),
        ("seqcsist", ['curves=["line"]', "rotate=true"], 'seqcsist curves=["line"] rotate=true',
         'seqcsist curves=["line"] rotate=true'),
    ],
)  # fmt: skip
def test_a_data_set_is_called_by_its_recipe_and_what_departs_from_it(name, changes, label, full):
    recipe = load_data_recipe(name, changes)
    assert dataset_label(recipe) == label
    assert dataset_recipe(recipe) == full
    assert dataset_label(recipe_from_text(full)) == label
