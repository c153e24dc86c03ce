from __future__ import annotations

import os
import signal
import time

import pytest

from csist_bench.training.stopping import StopRequest


def test_without_a_limit_or_signal_nothing_stops() -> None:
    with StopRequest() as stop:
        assert not stop()


def test_the_limit_counts_from_the_start() -> None:
    assert not StopRequest(max_minutes=60.0)()
    stop = StopRequest(max_minutes=1e-9)
    time.sleep(0.001)
    assert stop()
    assert "--max-minutes" in stop.reason


def test_the_first_signal_asks_and_the_second_interrupts() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        assert stop.reason == "SIGTERM received"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
