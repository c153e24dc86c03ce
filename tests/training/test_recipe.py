from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from csist_bench import files
from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.base import resolve_settings
from csist_bench.methods.networks.weights import read_card
from csist_bench.training.recipe import (
    RUN_OPTIONS,
    AdversarialRecipe,
    TrainingRecipe,
    WindowRecipe,
    training_hash,
    training_hash_1,
    training_recipe,
)


def test_an_empty_table_gives_the_defaults() -> None:
    assert training_recipe({}) == TrainingRecipe()


def test_sub_tables_and_dotted_names_reach_the_same_fields() -> None:
    wanted = TrainingRecipe(window=WindowRecipe(size=7, lr=1e-4))
    assert training_recipe({"window": {"size": 7, "lr": 1e-4}}) == wanted
    assert training_recipe({"window.size": 7, "window.lr": 1e-4}) == wanted
    assert training_recipe({"window": {"size": 5, "lr": 1e-4}, "window.size": 7}) == wanted
    assert training_recipe({"adversarial.pixel": 1.0}).adversarial == AdversarialRecipe(pixel=1.0)


def test_a_sub_table_can_be_switched_off() -> None:
    assert training_recipe({"window": {"size": 7}, "window.size": 9}).window == WindowRecipe(size=9)
    assert training_recipe({"window": False}).window is None


def test_a_resolved_recipe_gives_itself() -> None:
    import msgspec

    recipe = training_recipe({"window.size": 7, "adversarial.pixel": 1.0, "loss_weights": {"symmetry": 0.1}})
    assert training_recipe(msgspec.to_builtins(recipe)) == recipe


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"learning_rate": 1e-3}, r"unknown field 'learning_rate'"),
        ({"epoch": 3}, r"did you mean 'epochs'"),
        ({"lr": 0}, r"lr must be .*> 0"),
        ({"lr": "fast"}, r"lr must be float, got fast"),
        ({"lr": math.inf}, r"lr must be finite, got inf"),
        ({"window": {"lr": math.nan}}, r"lr must be"),
        ({"ema": 1.0}, r"ema must be .*< 1"),
        ({"batch_frames": 0}, r"batch_frames must be .*>= 1"),
        ({"window": {"size": 4}}, r"window size must be odd"),
        ({"window": {"sizes": 5}}, r"window: unknown field 'sizes'; did you mean 'size'"),
        ({"window.sizes": 5}, r"window: unknown field 'sizes'"),
        ({"windows.size": 5}, r"unknown field 'windows.size'"),
        ({"window": 5}, r"window must be"),
        ({"loss_weights": {"a": -1}}, r"loss_weights.* must be"),
        ({"schedule": "cosin"}, r"schedule must be"),
        ({"compile": "yes"}, r"compile must be bool"),
    ],
)
def test_bad_fields_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        training_recipe(table)


def test_the_hash_depends_on_departures_alone() -> None:
    method = registry.find("espcn")
    plain = training_hash(method, {}, TrainingRecipe())
    # Defaults that are spelled out are the same recipe; fields and settings to come will be such defaults.
    assert training_hash(method, resolve_settings(method, {}), training_recipe({"lr": 1e-3, "epochs": 5})) == plain
    others = [
        training_hash(method, {"features": 8}, TrainingRecipe()),
        training_hash(method, {}, TrainingRecipe(lr=2e-3)),
        training_hash(method, {}, TrainingRecipe(window=WindowRecipe())),
        training_hash(method, {}, TrainingRecipe(window=WindowRecipe(size=7))),
        training_hash(registry.find("srcnn"), {}, TrainingRecipe()),
    ]
    assert len({plain, *others}) == 6


def test_the_hash_leaves_out_run_options_and_names_the_weights_that_training_started_from() -> None:
    method, plain = registry.find("espcn"), TrainingRecipe()
    options = {"compile": True, "validate_batch": 7, "log_every": 3, "save_minutes": 1.0, "max_ram": 2.0}
    assert set(options) == set(RUN_OPTIONS)
    hurried = training_recipe(options)
    assert training_hash(method, {}, hurried) == training_hash(method, {}, plain)
    assert training_hash_1(method, {}, hurried) != training_hash_1(method, {}, plain)
    from_weights = [training_hash(method, {}, plain, digest) for digest in ("", "a", "b")]
    assert len({*from_weights, training_hash_1(method, {}, plain)}) == 4


CARDS = sorted((files.packaged("weights")).glob("*.json"))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_the_hash_of_every_shipped_card_follows_from_its_recipe_by_its_scheme(path: Path) -> None:
    card = read_card(path)
    method, recipe = registry.find(card.method), training_recipe(card.recipe)
    schemes = {
        1: training_hash_1(method, card.settings, recipe),
        2: training_hash(method, card.settings, recipe, card.initial_weights),
    }
    assert card.recipe_hash == schemes[card.hash_scheme]
