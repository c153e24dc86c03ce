"""How long calls take on a device, and how much of its memory. A GPU works behind the program's back: it is waited for.

Calls before the first measured one are not counted: they choose convolutions, compile, and fill the caches of
allocators.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from csist_bench.methods.networks.base import resolve_device
from csist_bench.speed.measures import best_of

WARM_UP = 3  # calls
ROUND_S, MOST_CALLS = 0.25, 200  # of a measured round on a GPU


def seconds_of(function: Callable[[], Any], device: torch.device, rounds: int = 3, warm: bool = False) -> float:
    """Return the least time of a call, s: by the wall on a CPU, by the device's own clock on a CUDA GPU.

    A round on a GPU is as many calls as take a quarter of a second, between two events of its stream. A function that
    is `warm` has been called before.
    """
    if device.type != "cuda":
        if not warm:
            function()
        return best_of(lambda: _waited(function, device), rounds)
    with torch.cuda.device(device):
        for _ in range(0 if warm else WARM_UP):
            function()
        torch.cuda.synchronize()
        once = best_of(lambda: _waited(function, device), 1)
        calls = min(MOST_CALLS, max(1, round(ROUND_S / once)))
        return min(_round_s(function, calls) for _ in range(rounds)) / calls


def _round_s(function: Callable[[], Any], calls: int) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    begin.record()
    for _ in range(calls):
        function()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000


def _waited(function: Callable[[], Any], device: torch.device) -> None:
    function()
    wait_for(device)


def wait_for(device: torch.device) -> None:
    """Return once the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def first_call_s(function: Callable[[], Any], device: torch.device) -> float:
    """Return the wall time of a first call, s, in which compilers do their work."""
    began = time.perf_counter()
    _waited(function, device)
    return time.perf_counter() - began


def peak_mb(function: Callable[[], Any], device: torch.device) -> float | None:
    """Return the most memory of a CUDA GPU that tensors take during a call, MB; None where it is not counted."""
    if device.type != "cuda":
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    _waited(function, device)
    return torch.cuda.max_memory_allocated(device) / 1e6


def device_name(device: str) -> str:
    """Return what a device is called, a GPU by its model.

    Raises
    ------
    InputError
        If there is no such device.
    """
    resolved = resolve_device(device)
    if resolved.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(resolved)}"
    return f"{resolved.type}, {torch.get_num_threads()} threads" if resolved.type == "cpu" else resolved.type
