"""One figure of a benchmark, how it is shown, and the machine it is of."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple


@dataclass(frozen=True)
class Measure:
    """One figure: what, value, unit, the goal it is held to ('' if none), and the step of the run that measured it."""

    name: str
    value: float
    unit: str
    goal: str = ""
    step: str = ""


class Step(NamedTuple):
    """Figures that are measured together: all of them, or, where one fails, none that can be relied on."""

    name: str
    measure: Callable[[], Iterator[Measure]]


@dataclass(frozen=True)
class NetworkOptions:
    """How networks are measured: where, with which number type of products, compiled or not; which, () for all."""

    device: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    methods: tuple[str, ...] = ()


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def best_of(function: Callable[[], Any], repeats: int = 3) -> float:
    """Return the least wall time of a few calls, s."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def line_of(measure: Measure) -> str:
    """Return one line for a terminal."""
    value = f"{measure.value:,.3g}" if abs(measure.value) < 1000 else f"{measure.value:,.0f}"
    goal = f"  (goal {measure.goal})" if measure.goal else ""
    return f"{measure.name:<44} {value:>12} {measure.unit}{goal}"
