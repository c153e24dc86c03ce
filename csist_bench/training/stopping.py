"""When a run is to pause: after some minutes, or on SIGINT or SIGTERM."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Asks the loop to save and stop; a second signal interrupts at once.

    Parameters
    ----------
    max_minutes : float
        Minutes from now (0: no limit).
    """

    def __init__(self, max_minutes: float = 0.0) -> None:
        self.deadline = time.monotonic() + 60 * max_minutes if max_minutes else float("inf")
        self.reason = ""
        self._previous: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Tell whether to stop now."""
        if not self.reason and time.monotonic() > self.deadline:
            self.reason = "--max-minutes is over"
        return bool(self.reason)

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.reason:
            raise KeyboardInterrupt
        self.reason = f"{signal.Signals(number).name} received"
