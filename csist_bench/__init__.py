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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors; `_PUBLIC` says the same at run time
    from csist_bench.api import calibrate as calibrate
    from csist_bench.api import evaluate as evaluate
    from csist_bench.api import generate as generate
    from csist_bench.api import label_grid as label_grid
    from csist_bench.api import list_methods as list_methods
    from csist_bench.api import list_recipes as list_recipes
    from csist_bench.api import load_camera as load_camera
    from csist_bench.api import load_network as load_network
    from csist_bench.api import load_predictions as load_predictions
    from csist_bench.api import save_predictions as save_predictions
    from csist_bench.api import train as train
    from csist_bench.datasets.frame_files import BareFrames as BareFrames
    from csist_bench.datasets.frame_files import read_frames as read_frames
    from csist_bench.datasets.reading import open_dataset as open_dataset
    from csist_bench.detections import Detections as Detections
    from csist_bench.errors import InputError as InputError
    from csist_bench.methods.inference import unmix as unmix
    from csist_bench.simulation.camera import Camera as Camera

__version__ = "0.2.0.dev0"

# Public name: module that holds it. The block above says the same to type checkers.
_PUBLIC = {
    "BareFrames": "datasets.frame_files",
    "Camera": "simulation.camera",
    "Detections": "detections",
    "InputError": "errors",
    "calibrate": "api",
    "evaluate": "api",
    "generate": "api",
    "label_grid": "api",
    "list_methods": "api",
    "list_recipes": "api",
    "load_camera": "api",
    "load_network": "api",
    "load_predictions": "api",
    "open_dataset": "datasets.reading",
    "read_frames": "datasets.frame_files",
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
