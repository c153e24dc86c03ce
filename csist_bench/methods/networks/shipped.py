"""Networks with their weights: which file is meant, what it holds, and what a prediction file says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from csist_bench import files
from csist_bench.errors import InputError, must
from csist_bench.methods.knowledge import tier_of_weights
from csist_bench.methods.registry import METHODS, Method, load_class, settings_of
from csist_bench.simulation.sensor import Camera

if TYPE_CHECKING:
    from csist_bench.methods.networks.weights import WeightsCard

USUAL_SCENES = {"seqcsist": 1.0}  # what a stream draws by default


def trained(
    row: Method, camera: Camera, overrides: list[str], weights: str | Path | None
) -> tuple[Any, dict[str, Any]]:
    """Return a network with its weights, and what a prediction file says of them."""
    if overrides:
        raise must("--set", "be left out for a network (its settings are in its weights)", overrides[0])
    path = _file_of(row, weights)
    if path is None:
        have = [name for name in METHODS if METHODS[name].trainable and shipped_weights(name)]
        raise InputError(
            f"no trained weights of {row.name!r} are shipped; train it (csist-bench train {row.name}) or pass --weights"
            f" (shipped: {', '.join(have) or 'none'})"
        )
    from csist_bench.methods.networks.weights import load_weights

    model, card = load_weights(path, row.name)
    if card.optics != camera.optics:
        raise must(f"{path}: optics of the weights", f"be those of the data {camera.optics}", card.optics)
    return model, {
        "settings": _departures(row, card),
        "recipe_hash": card.recipe_hash,
        "trained_on": card.dataset,
        "prior_tier": tier_of_weights(card.prior_tier, card.dataset, card.recipe),
        "begun_from": _begun_from(card),
        "training_minutes": round(card.minutes, 2),
        "training_device": card.device,
        "seed": card.recipe.get("seed"),
    }


def _begun_from(card: WeightsCard) -> str:
    """Return what weights the training started from: a method, a digest of the file, or both; nothing if from none."""
    digest = f"sha256:{card.initial_weights[:12]}" if card.initial_weights else ""
    return " ".join(text for text in (card.recipe.get("start_from"), digest) if text)


def _departures(row: Method, card: WeightsCard) -> dict[str, Any]:
    """Return what tells weights apart from those of the method's own recipe: settings, labels, scenes, no critic."""
    from csist_bench.methods.networks.base import resolve_settings

    usual = resolve_settings(row, settings_of(row, []))
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


def _file_of(row: Method, weights: str | Path | None) -> Path | None:
    """Return the file that `--weights` means: a path, the name of a shipped variant, or by default the method's own."""
    if weights is None or weights == "":
        return shipped_weights(row.name)
    variant = shipped_weights(str(weights)) if str(weights).startswith(row.name) else None
    return variant or Path(weights)


def shipped_weights(name: str) -> Path | None:
    """Return the weights file that travels with the package, if there is one."""
    path = files.packaged("weights") / f"{name}.safetensors"
    return path if path.is_file() else None
