"""What each method costs: parameters and multiply-accumulates per frame, from the networks themselves."""

from __future__ import annotations

from typing import Any

from csist_bench.checks import InputError
from csist_bench.inference import shipped_weights
from csist_bench.optics import Optics
from csist_bench.registry import METHODS, Method


def method_rows() -> list[dict[str, Any]]:
    """Return one row per method; parameters and MACs of networks are None where PyTorch is not installed."""
    return [method_row(method) for method in METHODS.values()]


def method_row(method: Method) -> dict[str, Any]:
    """Return the row of one method."""
    parameters, macs = (0, None) if not method.trainable else _cost(method)
    return {
        "name": method.name,
        "title": method.title,
        "family": method.family,
        "parameters": parameters,
        "macs_per_frame": macs,
        "prior_tier": method.prior_tier,
        "paper": method.paper,
        "trainable": method.trainable,
        "output": method.output,
        "weights": shipped_weights(method.name) is not None,
    }


def _cost(method: Method) -> tuple[int | None, float | None]:
    try:
        import torch

        from csist_bench.models.base import build_network, count_parameters, macs_per_frame
    except ModuleNotFoundError:
        return None, None
    try:
        optics = Optics()
        # On the meta device nothing is allocated or computed: shapes alone give the counts.
        with torch.device("meta"):
            model = build_network(method.name, optics)
            return count_parameters(model), macs_per_frame(model, optics)
    except InputError:
        return None, None
