from __future__ import annotations

import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from csist_bench.errors import InputError
from csist_bench.speed import device_clock
from csist_bench.speed.device_clock import device_name, first_call_s, peak_mb, seconds_of

CPU = torch.device("cpu")


def test_a_call_on_a_cpu_is_warmed_up_once_unless_it_is_warm() -> None:
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        time.sleep(0.002)

    assert 0.002 <= seconds_of(call, CPU, 2) < 1
    assert len(calls) == 3
    seconds_of(call, CPU, 1, warm=True)
    assert len(calls) == 4
    assert first_call_s(call, CPU) >= 0.002


def test_memory_is_counted_on_cuda_alone() -> None:
    assert peak_mb(lambda: pytest.fail("was called"), CPU) is None


def test_on_a_gpu_events_frame_enough_calls_behind_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # No GPU here: what stands in for it advances a clock by 0.05 s a call, and holds events against it.
    clock, calls, waits = [0.0], [0], [0]

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = clock[0]

        def synchronize(self) -> None:
            waits[0] += 1

        def elapsed_time(self, other: Event) -> float:
            return 1000 * (other.at - self.at)

    def call() -> None:
        calls[0] += 1
        clock[0] += 0.05

    stand_in = SimpleNamespace(Event=Event, device=lambda device: nullcontext(), synchronize=lambda *device: None)
    monkeypatch.setattr(device_clock.torch, "cuda", stand_in)
    monkeypatch.setattr(device_clock, "best_of", lambda function, rounds: function() or 0.05)
    assert seconds_of(call, torch.device("cuda"), rounds=2) == pytest.approx(0.05)
    assert calls[0] == device_clock.WARM_UP + 1 + 2 * 5  # a round of a quarter of a second holds five
    assert waits[0] == 2


def test_a_device_is_called_by_name() -> None:
    assert device_name("cpu") == f"cpu, {torch.get_num_threads()} threads"
    with pytest.raises(InputError, match="device must be auto, cpu"):
        device_name("cuda:99")
