"""Running commands that may be killed, and comparing what they leave."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TRACEBACK = "Traceback (most recent call last)"


@dataclass
class Tally:
    """How many trials of a kind there were, and what went wrong in which."""

    kind: str
    trials: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, fault: str | None) -> None:
        """Count a trial; `fault` says what was wrong, if anything."""
        self.trials += 1
        if fault:
            self.faults.append(fault)
            print(f"  FAULT {self.kind}: {fault}", flush=True)

    def __str__(self) -> str:
        return f"{self.kind}: {self.trials} trials, {len(self.faults)} faults"


def command(*words: object) -> list[str]:
    """Return the words of a csist-bench command run by this interpreter."""
    return [sys.executable, "-m", "csist_bench", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a command: one thread, this checkout."""
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def run(words: Sequence[str], *, limit: float = 600, **more: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and all that it said."""
    done = subprocess.run(words, env=environment(**more), capture_output=True, text=True, timeout=limit, check=False)
    return done.returncode, done.stdout + done.stderr


def killed(words: Sequence[str], after: float) -> bool:
    """Kill a command and all its processes after so many seconds; False where it ended before."""
    started = subprocess.Popen(
        words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        started.wait(after)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        return True


def seconds_of(action: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def digest_of(path: Path) -> str:
    """Return a digest of a file, or of the names and bytes of all files of a folder."""
    state = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for item in files:
        state.update(item.relative_to(path).as_posix().encode() + b"\0" + item.read_bytes())
    return state.hexdigest()


def said_badly(code: int, text: str, expected: Sequence[int] = (0,)) -> str | None:
    """Say what is wrong with how a command ended: a traceback, another exit code, or several lines of error."""
    if TRACEBACK in text:
        lines = text[text.index(TRACEBACK) :].splitlines()
        return "traceback: " + next((line for line in lines[1:] if line and not line.startswith(" ")), lines[-1])
    if code not in expected:
        return f"exit code {code}: {text.strip()[-300:]}"
    errors = [line for line in text.splitlines() if line.startswith("csist-bench: error:")]
    return f"{len(errors)} lines of error" if len(errors) > 1 else None
