"""Networks with their weights: which file is meant, what it holds, and what a prediction file says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csist_bench.errors import must
from csist_bench.methods.knowledge import tier_of_weights
from csist_bench.methods.networks.weight_files import weights_file
from csist_bench.methods.registry import Method, load_class, settings_of
from csist_bench.simulation.camera import Camera

if TYPE_CHECKING:
    from csist_bench.methods.networks.weights import WeightsCard

USUAL_SCENES = {"seqcsist": 1.0}  # what a stream draws by default


def trained(
    row: Method, camera: Camera, settings: Mapping[str, Any], weights: str | Path | None, sha256: str = ""
) -> tuple[Any, dict[str, Any], float]:
    """Return a network with its weights, what a prediction file says of them, and the PSF's width they are of, px.

    Size and nodes of the frames must be those of the weights; the PSF may depart, which is the caller's to say.
    """
    if settings:
        name, value = next(iter(settings.items()))
        raise must("--set", "be left out for a network (its settings are in its weights)", f"{name}={value}")
    path = weights_file(row, weights, sha256)
    from csist_bench.methods.networks.weights import load_weights

    model, card = load_weights(path, row.name)
    if replace(card.optics, psf_sigma=camera.optics.psf_sigma) != camera.optics:
        raise must(f"{path}: optics of the weights", f"be those of the data {camera.optics}", card.optics)
    about = {
        "settings": _departures(row, card),
        "recipe_hash": card.recipe_hash,
        "trained_on": card.dataset,
        "prior_tier": tier_of_weights(card.prior_tier, card.dataset, card.recipe),
        "pretrained": bool(card.initial_weights or card.recipe.get("start_from")),
        "begun_from": _begun_from(card),
        "training_minutes": round(card.minutes, 2),
        "training_device": card.device,
        "seed": card.recipe.get("seed"),
    }
    return model, about, card.optics.psf_sigma


def _begun_from(card: WeightsCard) -> str:
    """Return what weights the training started from: a method, a digest of the file, or both; nothing if from none."""
    digest = f"sha256:{card.initial_weights[:12]}" if card.initial_weights else ""
    return " ".join(text for text in (card.recipe.get("start_from"), digest) if text)


def _departures(row: Method, card: WeightsCard) -> dict[str, Any]:
    """Return what tells weights apart from those of the method's own recipe: settings, labels, scenes, no critic."""
    from csist_bench.methods.networks.base import resolve_settings

    usual = resolve_settings(row, settings_of(row))
    own = resolve_settings(row, card.settings)  # weights of an earlier version may lack a setting
    chosen = {name: value for name, value in own.items() if value != usual[name]}
    falloff, stream = card.recipe.get("label_falloff"), card.recipe.get("stream") or {}
    if falloff:
        chosen["label_falloff"] = falloff
    if stream.get("scenes", USUAL_SCENES) != USUAL_SCENES:
        chosen["scenes"] = " + ".join(stream["scenes"])
    if hasattr(load_class(row), "critic") and not (card.recipe.get("adversarial") or {}).get("adversarial"):
        chosen["adversarial"] = 0
    return chosen
