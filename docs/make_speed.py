"""Compare the speed of two commits and write the table of speed.md, beside this script.

    python docs/make_speed.py BASE [--turns 3] [--check]

BASE (a commit) is checked out for a while; it and this checkout take turns on one processor core, each turn in a
process of its own, and the least processor time of each counts: other work on the machine only ever adds to it. The
packages that are installed are used for both. --check writes nothing and prints the table.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "speed.md"
MARKED = re.compile(r"(<!-- begin speed -->\n)(.*)(<!-- end speed -->)", re.DOTALL)
REPEATS = 3  # within a turn
MANY = 1_000_000  # detections


class Figure(NamedTuple):
    """One row: what is timed by which part with which argument, how many frames that is, and what is aimed at."""

    name: str
    part: str
    argument: Any
    frames: int  # 0: seconds are shown, not frames/s
    aim: str


FIGURES = (
    Figure("`generate`, the full set, with start-up", "generate", "seqcsist", 0, "1.4"),
    Figure("1 million detections, JSON, read and scored", "score", "many.json", 0, "1.8"),
    Figure("`ml`, frames/s, sigma 2", "unmix", ("ml", "sigma2.zarr", 100), 2000, "1.6"),
    Figure("`ml`, frames/s, sigma 5", "unmix", ("ml", "sigma5.zarr", 100), 2000, "1.6"),
    Figure("`ml-seq`, frames/s, sigma 5", "unmix", ("ml-seq", "sigma5.zarr", 100), 2000, "1.5"),
    Figure("`group-map`, frames/s, sigma 5", "unmix", ("group-map", "sigma5.zarr", 200), 4000, "1.6"),
)


# --- one turn, in a process of the commit that is timed --------------------------------------------------------------


def least(function: Callable[[], Any]) -> float:
    """Return the least processor time of a few calls, s; the first call, which may compile, is not timed."""
    function()
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return min(times)


def generate(scratch: Path, recipe: str) -> float:
    """Time a command from its start, imports included."""
    command = [sys.executable, "-m", "csist_bench", "generate", "--recipe", recipe, "--workers", "1", "--overwrite"]
    times = []
    for _ in range(1 + REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--out", str(scratch / "turn.zarr")], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times[1:])


def unmix(scratch: Path, method: str, name: str, first: int) -> float:
    """Time a method on the first trajectories of a test split."""
    import csist_bench as cb

    data = cb.open_dataset(scratch / name).test
    return least(lambda: cb.unmix(data, method, first=first, workers=1))


def score(scratch: Path, name: str) -> float:
    """Time reading and scoring of a prediction file."""
    import csist_bench as cb

    data = cb.open_dataset(scratch / "sigma5.zarr").test
    return least(lambda: cb.evaluate(cb.load_predictions(scratch / name, data), data))


PARTS: dict[str, Callable[..., float]] = {"generate": generate, "unmix": unmix, "score": score}


def turn(scratch: Path, figure: Figure, checkout: Path) -> float:
    """Return the seconds of a figure, measured by the package of a checkout in a process of one thread."""
    one = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
    arguments = list(figure.argument) if isinstance(figure.argument, tuple) else [figure.argument]
    told = json.dumps([figure.part, str(scratch), *arguments])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--turn", told],
        check=True,
        capture_output=True,
        text=True,
        cwd=checkout,
        env={**os.environ, **one},
    )
    return float(done.stdout)


def take_turn(told: str) -> None:
    """Carry out what `turn` asks of its process, on one core where the system lets one choose."""
    part, scratch, *arguments = json.loads(told)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(PARTS[part](Path(scratch), *arguments))


# --- both commits ----------------------------------------------------------------------------------------------------


def prepare(scratch: Path) -> None:
    """Make what both commits read."""
    import numpy as np

    import csist_bench as cb

    for sigma in (2, 5):
        cb.generate(scratch / f"sigma{sigma}.zarr", "seqcsist-noise", noise_sigma=sigma)
    data = cb.open_dataset(scratch / "sigma5.zarr").test
    rng = np.random.default_rng(0)
    trajectory = rng.integers(0, data.n_trajectories, MANY)
    frame = rng.integers(data.scored_frames.start, data.scored_frames.stop, MANY)
    x, y = rng.uniform(4, 6, (2, MANY))
    many = cb.Detections(trajectory, frame, x, y, rng.random(MANY))
    cb.save_predictions(many, scratch / "many.json", data=data, method="many")


def row(figure: Figure, before: float, now: float) -> str:
    """Return a figure's line of the table."""
    if figure.frames:
        shown = [f"{round(figure.frames / seconds, -2):,.0f}" for seconds in (before, now)]
    else:
        shown = [f"{seconds:.2f} s" for seconds in (before, now)]
    return f"| {figure.name} | {shown[0]} | {shown[1]} | {before / now:.2f} | {figure.aim} |"


def compare(base: str, turns: int) -> str:
    """Return the table, measured."""
    with tempfile.TemporaryDirectory() as folder:
        old, scratch = Path(folder) / "base", Path(folder) / "scratch"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(old), base], check=True, cwd=ROOT)
        try:
            scratch.mkdir()
            prepare(scratch)
            lines = ["| what | before | now | ratio | aim |", "|---|---:|---:|---:|---:|"]
            for figure in FIGURES:
                pairs = [(turn(scratch, figure, old), turn(scratch, figure, ROOT)) for _ in range(turns)]
                lines.append(row(figure, *map(min, zip(*pairs))))
                print(lines[-1], flush=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(old)], check=True, cwd=ROOT)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Carry out the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", help="the commit to compare with")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.turn:
        take_turn(told.turn)
        return
    if not told.base:
        parser.error("say which commit to compare with, such as HEAD~10")
    table = compare(told.base, told.turns)
    if not told.check:
        page = PAGE.read_text()
        PAGE.write_text(MARKED.sub(lambda found: found[1] + "\n" + table + "\n" + found[3], page))


if __name__ == "__main__":
    main()
