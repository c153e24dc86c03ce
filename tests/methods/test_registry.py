import inspect
import sys

import msgspec
import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard import published_rows
from csist_bench.methods.registry import METHODS, build_training_free, find, load_class, settings_of

TRAINING_FREE = [name for name, row in METHODS.items() if not row.trainable]


def test_rows_are_keyed_by_the_published_name_in_lower_case():
    for name, row in METHODS.items():
        assert name == row.name
        assert name == row.title.lower().replace(" ", "-")
    assert len({row.title for row in METHODS.values()}) == len(METHODS)


def test_every_published_method_has_a_row_of_its_family():
    published = {row.method: row.family for row in published_rows()}
    titles = {row.title: row.family for row in METHODS.values()}
    assert len(published) == 23
    assert published.items() <= titles.items()


def test_every_published_method_names_its_paper():
    missing = [
        name for name, row in METHODS.items() if row.family != "off-grid" and not row.paper.startswith("https://")
    ]
    assert missing == []


@pytest.mark.parametrize("name", METHODS)
def test_every_entry_is_a_class_of_the_kind_its_row_says(name):
    row = METHODS[name]
    loaded = load_class(row)
    assert row.entry == f"{loaded.__module__}:{loaded.__qualname__}"
    if row.trainable:
        from torch import nn

        assert issubclass(loaded, nn.Module)
    else:
        assert issubclass(loaded, msgspec.Struct)
        assert hasattr(loaded, {"grid": "heat_maps", "points": "detect"}[row.output])
    assert inspect.getmodule(loaded).__doc__


@pytest.mark.parametrize("name", TRAINING_FREE)
def test_training_free_methods_are_built_from_their_recipe_and_are_frozen(name):
    built = build_training_free(METHODS[name])
    encoded = {field.encode_name: field.name for field in msgspec.structs.fields(built)}
    for setting, value in settings_of(METHODS[name]).items():
        assert getattr(built, encoded[setting]) == value
    with pytest.raises(AttributeError):
        setattr(built, next(iter(encoded.values())), None)


def test_settings_given_take_the_place_of_the_recipes():
    assert build_training_free(METHODS["ista"], ["lambda=3", "iterations=7"]).penalty == 3
    assert settings_of(METHODS["ista"], ["iterations=7"])["iterations"] == 7


def test_a_mistyped_method_is_answered_with_the_nearest():
    for typed, meant in (("lista2", "lista"), ("ISTA", "ista"), ("deref-net", "derefnet"), ("group_map", "group-map")):
        with pytest.raises(InputError, match=f"unknown method '{typed}'; did you mean '{meant}'"):
            find(typed)
    with pytest.raises(InputError, match="choose one of: bid, bsrgan, "):
        find("%%%")
    assert find("ista-net++") is METHODS["ista-net++"]


def test_a_network_is_not_built_as_training_free():
    with pytest.raises(InputError, match="method must be training-free, got srcnn"):
        build_training_free(METHODS["srcnn"])


def test_a_network_without_torch_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("csist_bench.methods.networks")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"'srcnn' needs PyTorch; install it with: pip install 'csist-bench\[torch\]'"):
        load_class(METHODS["srcnn"])


def test_a_broken_module_is_not_taken_for_missing_torch():
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        load_class(msgspec.structs.replace(METHODS["srcnn"], entry="csist_bench.methods.networks.nowhere:SRCNN"))
