"""Every shipped recipe loads, names what exists, and is checked field by field."""

from __future__ import annotations

import pytest

from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.base import resolve_settings
from csist_bench.methods.registry import METHODS
from csist_bench.recipes import load_data_recipe, load_method_recipe, recipe_hash, shipped
from csist_bench.training.recipe import training_recipe

NETWORKS = [name for name, row in METHODS.items() if row.trainable]


@pytest.mark.parametrize("name", shipped("data"))
def test_data_recipes_load_under_their_own_name(name: str) -> None:
    assert load_data_recipe(name).name == name


@pytest.mark.parametrize("name", shipped("methods"))
def test_method_recipes_are_of_the_method_they_are_named_after(name: str) -> None:
    method = load_method_recipe(name).method
    assert method in METHODS
    assert name == method or name.startswith(f"{method}-")  # a variant of it


@pytest.mark.parametrize("name", [name for name in shipped("methods") if name not in METHODS])
def test_variants_have_known_settings_and_training_fields(name: str) -> None:
    recipe = load_method_recipe(name)
    assert set(recipe.settings) <= set(resolve_settings(registry.find(recipe.method), recipe.settings))
    assert training_recipe(recipe.training, name)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_a_recipe_with_known_settings_and_training_fields(name: str) -> None:
    recipe = load_method_recipe(name)
    resolved = resolve_settings(registry.find(name), recipe.settings)
    assert set(recipe.settings) <= set(resolved)
    training = training_recipe(recipe.training, name)
    network = registry.load_class(registry.find(name))
    assert training.window is None or getattr(network, "resizable", False)
    assert training.adversarial is None or hasattr(network, "critic")


def test_a_data_recipe_lists_only_departures_and_overrides_change_its_hash() -> None:
    plain, other = load_data_recipe("seqcsist"), load_data_recipe("seqcsist", ["noise_sigma=2"])
    assert (plain.trajectories, plain.frames, plain.noise_sigma, other.noise_sigma) == (5000, 20, 0.0, 2.0)
    assert recipe_hash(plain) != recipe_hash(other)
    assert recipe_hash(plain) == recipe_hash(load_data_recipe("seqcsist", ["noise_sigma=0.0"]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("noise=2", "unknown field 'noise'"),
        ("noise_sigma=-1", "noise_sigma must be"),
        ("c=4", "c must be odd"),
        ("k_max=5", "k_max must be at most 4"),
        ("intensity_min=300", "intensity_min must be at most intensity_max"),
        ("scored_frames=2:30", "scored_frames must be"),
        ("splits=[0.5, 0.1, 0.1]", "splits must sum to 1"),
        ("dtype=uint8", "bits must be in 1..8"),
    ],
)
def test_bad_fields_of_data_recipes_are_named(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_data_recipe("seqcsist", [override])


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'seqcsist-noise'"):
        load_data_recipe("seqcsist-nois")


def test_a_recipe_nested_too_deeply_is_one_line(tmp_path):
    (tmp_path / "deep.toml").write_text("curves = " + "[" * 100_000)
    with pytest.raises(InputError, match=r"deep\.toml: not a TOML recipe: nested too deeply"):
        load_data_recipe(str(tmp_path / "deep.toml"))
