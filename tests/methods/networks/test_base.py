"""Settings of networks: typed, spelled out, and those that were removed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from csist_bench.errors import InputError
from csist_bench.methods.networks.base import checked_settings, network_from_settings, resolve_settings
from csist_bench.methods.registry import METHODS, find, load_class
from csist_bench.simulation.optics import Optics

NETWORKS = [name for name, row in METHODS.items() if row.trainable]
REMOVED = [
    (name, setting, only)
    for name in NETWORKS
    for setting, only in getattr(load_class(METHODS[name]), "removed_settings", {}).items()
]


@pytest.mark.parametrize("name", NETWORKS)
def test_settings_are_one_frozen_struct_with_a_default_for_each(name: str) -> None:
    kind = load_class(METHODS[name]).Settings
    assert issubclass(kind, msgspec.Struct)
    assert kind.__struct_config__.frozen
    assert kind.__struct_config__.forbid_unknown_fields
    assert resolve_settings(METHODS[name], {}) == msgspec.structs.asdict(kind())


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("edsr", {"features": 0}, "edsr settings: features must be int >= 1, got 0"),
        ("edsr", {"nothing": 1}, "edsr settings: unknown field 'nothing'; choose one of: blocks, features"),
        ("gmfn", {"steps": 1}, "gmfn settings: steps must be at least 2"),
        ("tdan", {"centre": "last"}, "tdan settings: centre must be one of own, frame10, got last"),
    ],
)
def test_a_bad_setting_is_named_with_its_rule(name: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        network_from_settings(find(name), Optics(size=3), settings)


@pytest.mark.parametrize(("name", "setting", "only"), REMOVED)
def test_a_removed_setting_may_have_the_value_that_cards_spell_out(name: str, setting: str, only: Any) -> None:
    method = find(name)
    assert checked_settings(method, {setting: only}) == checked_settings(method, {})
    with pytest.raises(InputError, match=rf"{name} settings: {setting} must be {only} \(it is no setting any more\)"):
        checked_settings(method, {setting: 7.5})
