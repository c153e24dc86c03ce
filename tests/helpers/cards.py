"""Cards of untrained weights for tests."""

from __future__ import annotations

from collections.abc import Iterable

from csist_bench.methods import registry
from csist_bench.methods.networks.base import resolve_settings
from csist_bench.methods.networks.weights import WeightsCard


def card_of(name: str, overrides: Iterable[str] = ()) -> WeightsCard:
    method = registry.find(name)
    return WeightsCard(
        method=name,
        settings=resolve_settings(method, registry.settings_of(method, overrides)),
        psf_sigma=0.5,
        size=11,
        c=3,
        recipe={},
        recipe_hash="sha256:0",
        dataset="tiny",
        fingerprint=None,
        step=0,
    )
