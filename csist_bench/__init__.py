"""csist-bench: simulate, unmix and score closely-spaced infrared small targets (CSIST).

The names below are the public interface; nothing is imported before it is used.

>>> import csist_bench as cb
>>> data = cb.open_dataset("data/sample/seqcsist.zarr")
>>> found = cb.unmix(data.test, "ml")
>>> report = cb.evaluate(found, data.test)
>>> round(report.cso_map)
100
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0.dev0"

# Public name: module that holds it. `__init__.pyi` says the same to type checkers.
_PUBLIC = {
    "Camera": "simulation.camera",
    "Detections": "detections",
    "InputError": "errors",
    "evaluate": "api",
    "generate": "api",
    "label_grid": "api",
    "list_methods": "api",
    "list_recipes": "api",
    "load_network": "api",
    "load_predictions": "api",
    "open_dataset": "datasets.reading",
    "save_predictions": "api",
    "train": "api",
    "unmix": "methods.inference",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
