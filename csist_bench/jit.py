"""Compiled kernels: numbers in, numbers out; no input/output, no validation, no randomness, always serial.

Setting `CSIST_BENCH_NO_NUMBA=1` runs the same code as plain Python (slow; for machines where numba cannot compile).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

NO_NUMBA = os.environ.get("CSIST_BENCH_NO_NUMBA", "") not in ("", "0")


def jit(function: F) -> F:
    """Compile with numba (cached on disk, GIL released); unchanged under `CSIST_BENCH_NO_NUMBA=1`."""
    return _compiled(function, "python")


def jit_ieee(function: F) -> F:
    """Compile as `jit`, but let a division by zero give inf or NaN: loops that divide can then be vectorised."""
    return _compiled(function, "numpy")


def _compiled(function: F, error_model: str) -> F:
    if NO_NUMBA:
        return function
    import numba

    try:
        compiled: F = numba.njit(cache=True, nogil=True, error_model=error_model)(function)
    except RuntimeError:  # nowhere to keep the cache (read-only install, no home folder): compile anew each time
        compiled = numba.njit(nogil=True, error_model=error_model)(function)
    return compiled
