"""Compiled kernels: numbers in, numbers out; no input/output, no validation, no randomness, always serial.

Setting `CSIST_BENCH_NO_NUMBA=1` runs the same code as plain Python (slow; for machines where numba cannot compile).
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

WAIT_S = 60.0  # for another process that compiles the same function, before it is done here all the same
NO_NUMBA = os.environ.get("CSIST_BENCH_NO_NUMBA", "") not in ("", "0")


def jit(function: F) -> F:
    """Compile with numba (cached on disk, GIL released); unchanged under `CSIST_BENCH_NO_NUMBA=1`.

    A division by zero gives inf or NaN, as in NumPy: a branch at each one costs a tenth of a fit.
    """
    return _compiled(function)


def jit_inner(function: F) -> F:
    """Compile as `jit` a kernel that is called by kernels: without what Python calls it through.

    That is a tenth of what compiling takes. Where Python calls it all the same, as tests do, it is compiled within
    another that calls it, anew in each process.
    """
    return _compiled(function, inner=True)


def jit_bare(function: F) -> F:
    """Compile as `jit_inner` a kernel that makes no array: references to those it is given are not counted."""
    return _compiled(function, inner=True, nrt=False)


def jit_within(function: F) -> F:
    """Compile as `jit`, as a part of whatever calls it.

    Every compiled function is optimised anew within each of its callers, and theirs: a step of a deep chain that has
    one caller costs seconds as a function of its own.
    """
    return _compiled(function, inline="always")


def compile_for(kernel: Callable[..., object], *arguments: object) -> None:
    """Compile a kernel for arguments of the types that these have, and do not call it."""
    if not NO_NUMBA:
        import numba

        kernel.compile(tuple(numba.typeof(argument) for argument in arguments))  # type: ignore[attr-defined]


def when_compiling(told: Callable[[bool], None]) -> Callable[[], None]:
    """Call back once, when the first function is about to be compiled rather than taken from the cache on disk.

    What is called learns whether the function will be kept there. Calling what is returned ends the waiting.
    """
    if NO_NUMBA:
        return lambda: None
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        waiting = True

        def on_start(self, begun: Any) -> None:
            if self.waiting:
                self.waiting = False
                told(begun.data["dispatcher"].stats.cache_path is not None)

        def on_end(self, _: object) -> None:
            pass

    listener = Listener()
    event.register("numba:compile", listener)
    return lambda: event.unregister("numba:compile", listener)


def _compiled(function: F, inline: str = "never", nrt: bool = True, inner: bool = False) -> F:
    if NO_NUMBA:
        return function
    import numba

    options = {"nogil": True, "error_model": "numpy", "inline": inline, "_nrt": nrt}
    options |= {"no_cfunc_wrapper": True, "no_cpython_wrapper": inner}
    try:
        compiled = _in_one_process(numba.njit(cache=True, **options)(function))
    except RuntimeError:  # nowhere to keep the cache (read-only install, no home folder): compile anew each time
        compiled = numba.njit(**options)(function)
    made: F = _called_through_another(compiled) if inner else compiled
    return made


def _called_through_another(dispatcher: Any) -> Any:
    """Let Python call a function that was compiled without an entrance for it: by one that only calls it."""

    def remember(compiled: Any) -> None:
        dispatcher.overloads[tuple(compiled.signature.args)] = compiled

    # Not told to numba's table of what Python may call, where there would be nothing behind it. What Python does not
    # find there it asks for.
    dispatcher.add_overload = remember
    dispatcher._compile_for_args = lambda *_: _caller_of(dispatcher)
    return dispatcher


@functools.cache
def _caller_of(dispatcher: Any) -> Any:
    import numba

    return numba.njit(nogil=True)(lambda *arguments: dispatcher(*arguments))


def _in_one_process(dispatcher: Any) -> Any:
    """Let a function be compiled by one process at a time; others wait for it and take it from the cache on disk.

    It also keeps two processes from writing one index of the cache at once, which would lose entries or swap them.
    Functions are locked with those that call them, or that the run comes to first (`methods.ahead`), never the other
    way round, so that no two processes wait for each other.
    """
    from numba.core.compiler_lock import global_compiler_lock

    compile_here = dispatcher.compile

    def compile_once(signature: Any) -> Any:
        with global_compiler_lock:  # first, or a thread that holds it could wait for one that wants it
            if signature in dispatcher.overloads:
                return compile_here(signature)
            with _locked(dispatcher), _garbage_kept():
                return compile_here(signature)

    dispatcher.compile = compile_once
    return dispatcher


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Do not look for garbage meanwhile: a compiler makes so many objects that this takes a twentieth of its time."""
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


@contextmanager
def _locked(dispatcher: Any) -> Iterator[None]:
    """Hold the lock of a function's files in the cache; where none can be had, go on without."""
    from filelock import FileLock, Timeout

    function, lock = dispatcher.py_func, None
    try:
        os.makedirs(dispatcher.stats.cache_path, exist_ok=True)
        name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}.lock"
        lock = FileLock(os.path.join(dispatcher.stats.cache_path, name))
        lock.acquire(timeout=WAIT_S, poll_interval=0.02)
    except (OSError, Timeout, NotImplementedError):  # a folder that is read only, a file system without locks
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


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
