"""Every method of the benchmark: one row each, strings only, nothing imported until a method is built.

The contract. `entry` names a class `module:Class`.

- A training-free method is a frozen msgspec struct whose fields are its settings. It answers
  `heat_maps(frames, camera) -> (B, T, c * size, c * size)` (output "grid") or
  `detect(frames, camera) -> Detections` (output "points") for frames (B, T, size, size) in grey levels.
- A network is a torch module built as `Class(sampling, settings)`, where `Class.Settings` is such a struct. Its
  `forward` maps frames (B, T, size, size) to label grids (B, T, c * size, c * size), and `methods.networks.base` runs
  it (output "grid"); or to slots of targets (B, T, K, 8), and `methods.networks.points` runs it (output "points").

`context` is "frame" where each frame is answered by itself, "trajectory" where the whole sequence is needed.
`any_shape` says that frames need not be square. `prior_tier` says what the method knows: A the optics, B + the
brightness law, C + smooth or rigid motion, D the whole generator or training on it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from csist_bench.conventions import Family, PriorTier
from csist_bench.errors import InputError, must, unknown
from csist_bench.recipes import convert, load_method_recipe, parse_overrides, shipped

SEQCSIST = "https://arxiv.org/abs/2507.09556"
DISTANET = "https://arxiv.org/abs/2505.19148"


class Method(msgspec.Struct, frozen=True):
    """One row of the registry; see the module's docstring for the fields."""

    name: str
    title: str
    family: Family
    entry: str
    paper: str
    prior_tier: PriorTier = "D"
    output: Literal["grid", "points"] = "grid"
    context: Literal["frame", "trajectory"] = "frame"
    trainable: bool = True
    any_shape: bool = False
    outside: str = ""  # of a method from outside the package: what the user called it


def _network(
    name: str,
    title: str,
    family: Family,
    paper: str,
    context: Literal["frame", "trajectory"] = "frame",
    output: Literal["grid", "points"] = "grid",
) -> Method:
    module = name.replace("++", "_plus_plus").replace("+", "_plus").replace("-", "_")
    class_name = title.replace("-", "").replace("+", "Plus")
    folder = module if family == "off-grid" else family.replace("-", "_")
    file = "network" if family == "off-grid" else module
    entry = f"csist_bench.methods.networks.{folder}.{file}:{class_name}"
    return Method(name, title, family, entry, paper, output=output, context=context)


def _free(name: str, title: str, family: Family, entry: str, paper: str, **departures: Any) -> Method:
    return Method(name, title, family, f"csist_bench.{entry}", paper, trainable=False, **departures)


_CPAM = "https://doi.org/10.1002/cpa.20042"
_VAN_CITTERT = "https://doi.org/10.1364/JOSA.62.000055"
_SEQUENCE: dict[str, Any] = {"output": "points", "context": "trajectory"}

_ROWS = (
    _free("ista", "ISTA", "traditional", "methods.grid.ista:ISTA", _CPAM, prior_tier="A"),
    _free("bid", "BID", "traditional", "methods.grid.bid:BID", _VAN_CITTERT, prior_tier="A"),
    _network("srcnn", "SRCNN", "super-resolution", "https://arxiv.org/abs/1501.00092"),
    _network("gmfn", "GMFN", "super-resolution", "https://arxiv.org/abs/1907.04253"),
    _network("dbpn", "DBPN", "super-resolution", "https://arxiv.org/abs/1803.02735"),
    _network("srgan", "SRGAN", "super-resolution", "https://arxiv.org/abs/1609.04802"),
    _network("bsrgan", "BSRGAN", "super-resolution", "https://arxiv.org/abs/2103.14006"),
    _network("esrgan", "ESRGAN", "super-resolution", "https://arxiv.org/abs/1809.00219"),
    _network("rdn", "RDN", "super-resolution", "https://arxiv.org/abs/1802.08797"),
    _network("edsr", "EDSR", "super-resolution", "https://arxiv.org/abs/1707.02921"),
    _network("espcn", "ESPCN", "super-resolution", "https://arxiv.org/abs/1609.05158"),
    _network("tdan", "TDAN", "super-resolution", "https://arxiv.org/abs/1812.02898", "trajectory"),
    _network("liht", "LIHT", "unfolding", "https://arxiv.org/abs/1509.00153"),
    _network("lamp", "LAMP", "unfolding", "https://arxiv.org/abs/1612.01183"),
    _network("ista-net", "ISTA-Net", "unfolding", "https://arxiv.org/abs/1706.07929"),
    _network("fista-net", "FISTA-Net", "unfolding", "https://doi.org/10.1109/TMI.2021.3054167"),
    _network("ista-net+", "ISTA-Net+", "unfolding", "https://arxiv.org/abs/1706.07929"),
    _network("ista-net++", "ISTA-Net++", "unfolding", "https://arxiv.org/abs/2103.11554"),
    _network("lista", "LISTA", "unfolding", "https://dl.acm.org/doi/10.5555/3104322.3104374"),
    _network("usrnet", "USRNet", "unfolding", "https://arxiv.org/abs/2003.10428"),
    _network("tilista", "TiLISTA", "unfolding", "https://openreview.net/forum?id=B1lnzn0ctQ"),
    _network("rpcanet", "RPCANet", "unfolding", "https://arxiv.org/abs/2311.00917"),
    _network("derefnet", "DeRefNet", "unfolding", SEQCSIST, "trajectory"),
    _network("dista-net", "DISTA-Net", "unfolding", DISTANET),
    _network("focus", "FOCUS", "super-resolution", DISTANET),
    _free(
        "ml",
        "ML",
        "off-grid",
        "methods.ml.method:MaximumLikelihood",
        "",
        prior_tier="B",
        output="points",
        any_shape=True,
    ),
    _free(
        "ml-seq",
        "ML-seq",
        "off-grid",
        "methods.ml_seq.method:SequenceMaximumLikelihood",
        "",
        prior_tier="C",
        **_SEQUENCE,
    ),
    _free("group-map", "Group MAP", "off-grid", "methods.group_map.method:GroupMap", "", prior_tier="D", **_SEQUENCE),
    _network("offgrid-net", "OffGrid-Net", "off-grid", "", **_SEQUENCE),
)

METHODS: dict[str, Method] = {row.name: row for row in _ROWS}
_CLASSES: dict[str, type[Any]] = {}  # of methods from outside, which no import by name may find


def remember(row: Method, kind: type[Any]) -> None:
    """Add a method from outside to the registry of this process (`methods.outside`)."""
    METHODS[row.name] = row
    _CLASSES[row.name] = kind


def find(name: str) -> Method:
    """Return the row of a method; an unknown name is answered with the nearest one."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]


def torch_works() -> bool:
    """Tell whether networks can be run here: PyTorch is installed and can be imported."""
    try:
        importlib.import_module("torch")
    except ModuleNotFoundError:
        return False
    return True


def load_class(method: Method) -> type[Any]:
    """Import the class of a method; a network without torch installed is a clear error."""
    if method.name in _CLASSES:
        return _CLASSES[method.name]
    module, _, name = method.entry.partition(":")
    try:
        loaded = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "safetensors"):
            raise InputError(
                f"method {method.name!r} needs PyTorch; install it with: pip install 'csist-bench[torch]'"
            ) from None
        raise
    assert isinstance(loaded, type)
    return loaded


def settings_of(method: Method, settings: Mapping[str, Any] | Iterable[str] = ()) -> dict[str, Any]:
    """Return the settings of a method: its recipe's, with others on top, given by name or as `name=value` texts."""
    recipe = load_method_recipe(method.name).settings if method.name in shipped("methods") else {}
    return {**recipe, **(settings if isinstance(settings, Mapping) else parse_overrides(settings))}


def build_training_free(method: Method, settings: Mapping[str, Any] | Iterable[str] = ()) -> Any:
    """Return a training-free method with its settings checked."""
    if method.trainable:
        raise must("method", "be training-free", method.name)
    return convert(settings_of(method, settings), load_class(method), f"{method.name} settings")
