"""Compiled kernels: numbers in, numbers out; no input/output, no validation, no randomness, always serial.

Setting `CSIST_BENCH_NO_NUMBA=1` runs the same code as plain Python (slow; for machines where numba cannot compile).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

NO_NUMBA = os.environ.get("CSIST_BENCH_NO_NUMBA", "") not in ("", "0")


def jit(function: F) -> F:
    """Compile with numba (cached on disk, GIL released); unchanged under `CSIST_BENCH_NO_NUMBA=1`.

    A division by zero gives inf or NaN, as in NumPy: a branch at each one costs a tenth of a fit.
    """
    return _compiled(function)


def jit_bare(function: F) -> F:
    """Compile as `jit` a kernel that makes no array: references to those it is given are not counted."""
    return _compiled(function, nrt=False)


def jit_within(function: F) -> F:
    """Compile as `jit`, as a part of whatever calls it.

    Every compiled function is optimised anew within each of its callers, and theirs: a step of a deep chain that has
    one caller costs seconds as a function of its own.
    """
    return _compiled(function, inline="always")


def when_compiling(told: Callable[[], None]) -> None:
    """Call back once, when the first function is about to be compiled rather than taken from the cache on disk."""
    if NO_NUMBA:
        return
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        waiting = True

        def on_start(self, _: object) -> None:
            if self.waiting:
                self.waiting = False
                told()

        def on_end(self, _: object) -> None:
            pass

    event.register("numba:compile", Listener())


def _compiled(function: F, inline: str = "never", nrt: bool = True) -> F:
    if NO_NUMBA:
        return function
    import numba

    options = {"nogil": True, "error_model": "numpy", "inline": inline, "no_cfunc_wrapper": True, "_nrt": nrt}
    try:
        compiled: F = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep the cache (read-only install, no home folder): compile anew each time
        compiled = numba.njit(**options)(function)
    return compiled


@dataclass_transform()
def by_reference(cls: type[T]) -> type[T]:
    """Make a class of arrays that kernels hand on as one pointer; it is made in kernels alone.

    A NamedTuple is handed on field by field, seven numbers an array: with forty arrays most of the time that compiling
    takes goes into that. Fields cannot have defaults; they are given in order, and only read outside of kernels.
    """
    if NO_NUMBA:
        return dataclass(cls)
    from numba.core import types
    from numba.experimental import structref

    home = {"__module__": cls.__module__, "__doc__": cls.__doc__}
    kind = structref.register(type(f"{cls.__name__}Type", (types.StructRef,), home))  # type: ignore[attr-defined]
    # Where the cache of compiled functions looks for it.
    setattr(sys.modules[cls.__module__], kind.__name__, kind)
    proxy = type(cls.__name__, (structref.StructRefProxy,), home)
    structref.define_proxy(proxy, kind, list(cls.__annotations__))
    for name in cls.__annotations__:
        setattr(proxy, name, property(_reader(name)))
    return proxy


def _reader(name: str) -> Callable[[object], object]:
    """Return what reads a field outside of kernels, compiled when it is first used."""
    import numba

    def read(record: object) -> object:
        return getattr(record, name)

    compiled: Callable[[object], object] = numba.njit(read)
    return compiled
