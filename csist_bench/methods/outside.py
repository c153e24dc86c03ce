"""Methods from outside the package: of installed packages, of a file, of a module; and what keeps their answers sound.

Code is loaded only where the user names it (a command line, a call) or has installed it (entry points of the group
`csist_bench.methods`): `registry.find`, which recipes, weights and data sets go through, never loads any.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import INDICES, Detections
from csist_bench.errors import InputError, must, show, unknown
from csist_bench.methods.interface import About
from csist_bench.methods.registry import METHODS, Method, load_class, remember, settings_of
from csist_bench.recipes import convert
from csist_bench.simulation.camera import Camera

GROUP = "csist_bench.methods"


def resolve(text: str) -> Method:
    """Return the row of a method that a user names.

    Parameters
    ----------
    text : str
        A name in the registry, an installed entry point, `path/to/file.py:Class`, or `package.module:Class`.

    Raises
    ------
    InputError
        If there is no such method, file, module or class, if it fails to load, or if it is no method.
    """
    if text in METHODS:
        return METHODS[text]
    if ":" in text:
        place, _, name = text.rpartition(":")
        module = _module_of_file(Path(place)) if place.endswith(".py") else _module(place, text)
        return register(_class_of(module, name, text), where=text)
    installed = installed_methods()
    if text in installed:
        return _registered_point(installed[text])
    raise unknown("method", text, [*METHODS, *installed])


def installed_methods() -> dict[str, EntryPoint]:
    """Return the entry points of installed packages by name; nothing is loaded."""
    return {point.name: point for point in entry_points(group=GROUP)}


def register_installed() -> list[str]:
    """Load every installed method; return one line for each that fails."""
    failed = []
    for point in installed_methods().values():
        try:
            _registered_point(point)
        except InputError as error:
            failed.append(str(error))
    return failed


def _registered_point(point: EntryPoint) -> Method:
    if point.name in METHODS:
        if METHODS[point.name].entry == point.value:
            return METHODS[point.name]
        raise must(f"method {point.name!r} of {point.value}", "have a name of its own", "one that is taken")
    module = _module(point.module, point.value)
    return register(_class_of(module, point.attr, point.value), where=point.value, name=point.name)


def register(kind: type[Any], *, where: str = "", name: str = "") -> Method:
    """Make a class a method of this process and return its row; a class that is one already has the row it has.

    Raises
    ------
    InputError
        If the class is no method, or its name is that of another one.
    """
    where = where or f"{kind.__module__}:{kind.__qualname__}"
    about = getattr(kind, "about", About())
    if not isinstance(about, About):
        raise must(f"{where}: about", "be a csist_bench.methods.interface.About", type(about).__name__)
    trainable = _is_network(kind)
    row = Method(
        name or _kebab(kind.__name__),
        about.title or kind.__name__,
        about.family,
        f"{kind.__module__}:{kind.__qualname__}",
        about.paper,
        about.prior_tier,
        about.output if trainable else _output(kind, where),
        about.context,
        trainable,
        about.any_shape,
        outside=where,
    )
    known = METHODS.get(row.name)
    if known is not None and known.entry != row.entry:
        raise must(f"{where}: the name {row.name}", "not be taken by another method", known.entry, "rename the class")
    remember(row, kind)
    return row


def _is_network(kind: type[Any]) -> bool:
    torch = sys.modules.get("torch")  # whoever made a torch module has imported it
    return torch is not None and issubclass(kind, torch.nn.Module)


def _output(kind: type[Any], where: str) -> Any:
    has = {"points": callable(getattr(kind, "answer", None)), "grid": callable(getattr(kind, "heat_maps", None))}
    found = [output for output, there in has.items() if there]
    if len(found) != 1:
        rule = "have one method answer(frames, camera) or heat_maps(frames, camera), or be a torch.nn.Module"
        raise must(where, rule, "both" if found else "neither")
    return found[0]


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").strip("-").lower()


# --- loading ---------------------------------------------------------------------------------------------------------


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: no such file; a method is named as path/to/file.py:Class")
    full = path.resolve()
    name = f"csist_bench_outside_{full.stem}_{hashlib.sha256(str(full).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, full)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    _also_search(full.parent)  # for the modules that lie beside it
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        raise _failed(str(path), "was not loaded", error) from error
    return module


def _module(name: str, where: str) -> ModuleType:
    _also_search(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(f"{where}: no module {name!r}; it must be installed or lie below this folder") from None
        raise _failed(where, "was not loaded", error) from error
    except Exception as error:
        raise _failed(where, "was not loaded", error) from error


def _also_search(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _class_of(module: ModuleType, name: str, where: str) -> type[Any]:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        own = [n for n, one in vars(module).items() if isinstance(one, type) and one.__module__ == module.__name__]
        raise must(where, "name a class of the module", name, f"its classes are: {', '.join(own) or 'none'}")
    return found


def _failed(where: str, what: str, error: BaseException) -> InputError:
    """Return one line for an exception in a user's own code: where in it, and what."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    remedy = "CSIST_BENCH_DEBUG=1 shows all of it"
    return InputError(f"{where} {what}: {type(error).__name__}: {show(str(error))}{place}; {remedy}")


# --- answering -------------------------------------------------------------------------------------------------------


class OutsideMethod:
    """A method without training from outside, whose answers are checked before they are used."""

    def __init__(self, row: Method, settings: Mapping[str, Any]) -> None:
        kind, settings = load_class(row), settings_of(row, settings)
        self.name = row.name
        if issubclass(kind, msgspec.Struct):
            self.own = convert(settings, kind, f"{row.name} settings")
        elif settings:
            raise must(f"{row.name} settings", "be fields of a class that is a msgspec.Struct", ", ".join(settings))
        else:
            self.own = kind()

    def detect(self, frames: NDArray[Any], camera: Camera) -> Detections:
        """Return the method's detections in frames (B, T, S, S).

        Raises
        ------
        InputError
            If the method fails, or its answers are not such as its interface promises.
        """
        found = self._called("answer", frames, camera)
        if not isinstance(found, Detections):
            raise must(f"{self.name}: answer", "return csist_bench.Detections", type(found).__name__)
        for name, column in found.columns().items():
            self._require_column(name, np.asarray(column), len(found.x), frames.shape[:2])
        return found

    def _require_column(self, name: str, column: NDArray[Any], rows: int, given: tuple[int, ...]) -> None:
        where = f"{self.name}: {name} of its answers"
        if column.shape != (rows,) or column.dtype.kind not in "iuf":
            raise must(where, f"be numbers of shape ({rows},)", f"{column.dtype} of shape {column.shape}")
        if not np.isfinite(column).all() and not name.startswith("sigma"):
            raise must(where, "be finite", f"{column[~np.isfinite(column)][0]} in {(~np.isfinite(column)).sum()} rows")
        if name in INDICES[:2]:
            stop = given[INDICES.index(name)]
            wrong = (column < 0) | (column >= stop) | (column != np.floor(column))
            if wrong.any():
                remedy = "indices count within the frames that the call was given"
                raise must(where, f"be whole numbers in [0, {stop})", column[wrong][0].item(), remedy)

    def heat_maps(self, frames: NDArray[Any], camera: Camera) -> NDArray[Any]:
        """Return the method's heat maps (B, T, c S, c S) of frames (B, T, S, S); raises as `detect`."""
        maps = np.asarray(self._called("heat_maps", frames, camera))
        side = camera.optics.c * frames.shape[-1]
        expected = (*frames.shape[:2], side, side)
        if maps.shape != expected or maps.dtype.kind not in "iuf":
            raise must(f"{self.name}: heat_maps", f"be numbers of shape {expected}", f"{maps.dtype} {maps.shape}")
        if not np.isfinite(maps).all():
            raise must(f"{self.name}: heat_maps", "be finite", f"{(~np.isfinite(maps)).sum():,} values that are not")
        return maps

    def _called(self, what: str, frames: NDArray[Any], camera: Camera) -> Any:
        try:
            return getattr(self.own, what)(frames, camera)
        except InputError:
            raise
        except Exception as error:
            raise _failed(self.name, f"failed in {what}", error) from error
