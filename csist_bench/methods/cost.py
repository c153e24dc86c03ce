"""What each method costs: parameters and multiply-accumulates per frame, counted on the networks themselves.

Counting imports PyTorch and runs every network on shapes alone, which takes seconds. The counts are kept in the user's
cache folder under a digest of the source that they were counted from, so that a change of any network, or of what its
recipe sets, counts anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from csist_bench.files import PACKAGE, cache_folder, replace_file
from csist_bench.methods.networks.weight_files import shipped_weights
from csist_bench.methods.registry import METHODS, Method, settings_of
from csist_bench.recipes import shipped
from csist_bench.simulation.optics import Optics

Cost = tuple[int, float]  # parameters, multiply-accumulates per frame


class _Kept(msgspec.Struct):
    """The file of counts: the digest of the source that they were counted from, and the counts by method."""

    source: str
    costs: dict[str, Cost]


def method_rows() -> list[dict[str, Any]]:
    """Return one row per method; parameters and MACs of networks are None where PyTorch is not installed."""
    costs = _costs(METHODS.values())
    return [_row(method, costs) for method in METHODS.values()]


def method_row(method: Method) -> dict[str, Any]:
    """Return the row of one method."""
    return _row(method, _costs([method]))


def variant_costs(method: Method, settings: Mapping[str, Any]) -> Cost | None:
    """Return the costs of a network with settings of its own; None without PyTorch.

    Settings that are not the network's, such as those of its labels, are passed over.
    """
    try:
        from csist_bench.methods.networks.base import resolve_settings
    except ModuleNotFoundError:
        return None
    usual = settings_of(method)
    known = resolve_settings(method, usual)
    return _counted(method, {**usual, **{name: value for name, value in settings.items() if name in known}})


def _row(method: Method, costs: dict[str, Cost]) -> dict[str, Any]:
    parameters, macs = costs.get(method.name, (None, None)) if method.trainable else (0, None)
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
        "outside": method.outside or None,
    }


def _costs(methods: Iterable[Method]) -> dict[str, Cost]:
    """Return the costs of at least these networks, counting those that are not kept yet; {} without PyTorch."""
    try:
        source = _source_digest()
    except importlib.metadata.PackageNotFoundError:
        return {}
    file = cache_folder() / "costs.json"
    costs = _read(file, source)
    new = [method for method in methods if method.trainable and (method.outside or method.name not in costs)]
    if new:
        try:
            counted = {method.name: _counted_if_it_can(method) for method in new}
            costs |= {name: cost for name, cost in counted.items() if cost is not None}
        except ModuleNotFoundError:  # PyTorch is listed as installed and cannot be imported
            return costs
        with contextlib.suppress(OSError):  # where nothing can be written, they are counted each time
            # Networks from outside are counted each time: their source is not in the digest.
            own = {name: cost for name, cost in costs.items() if name in METHODS and not METHODS[name].outside}
            replace_file(file, msgspec.json.encode(_Kept(source, own)))
    return costs


def _counted_if_it_can(method: Method) -> Cost | None:
    """Return the costs of a network; None for one from outside that cannot be run on shapes alone."""
    try:
        return _counted(method, settings_of(method))
    except ModuleNotFoundError:
        raise
    except Exception:
        if method.outside:
            return None
        raise


def _counted(method: Method, settings: Mapping[str, Any]) -> Cost:
    import torch

    from csist_bench.methods.networks.base import count_parameters, macs_per_frame, network_from_settings

    optics = Optics()
    # On the meta device nothing is allocated or computed: shapes alone give the counts.
    with torch.device("meta"):
        model = network_from_settings(method, optics, settings)
        return count_parameters(model), macs_per_frame(model, optics)


def _source_digest() -> str:
    """Return a digest of all that the counts depend on."""
    source = [
        *(PACKAGE / "methods" / "networks").rglob("*.py"),
        PACKAGE / "methods" / "registry.py",
        PACKAGE / "simulation" / "optics.py",
    ]
    digest = hashlib.sha256(importlib.metadata.version("torch").encode())
    for path in sorted([*source, *shipped("methods").values()]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _read(file: Path, source: str) -> dict[str, Cost]:
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):  # not there, or not what was written
        return {}
    return kept.costs if kept.source == source else {}
