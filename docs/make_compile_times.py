"""Measure how long the first run after an installation compiles, and write the tables of speed.md, beside this script.

    python docs/make_compile_times.py [--check]

Each method answers 1,000 frames with an empty cache of compiled code, once on one core and once on two. Processor time
is that of the run itself, and of the second process that compiles beside it; other work on the machine adds to wall
time far more than to it. --check writes nothing and prints the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "speed.md"
MARKED = re.compile(r"(<!-- begin compiling -->\n)(.*)(<!-- end compiling -->)", re.DOTALL)
RUNS = (("ml", 0.0), ("ml", 5.0), ("ml-seq", 5.0), ("group-map", 5.0))  # and the noise, grey levels
TRAJECTORIES = 50  # of 20 frames each
LARGEST = 10  # functions that are shown

# A run that says at its end what it took: wall and processor time, that of its child, and the functions it compiled.
TIMED = """
import atexit, json, resource, sys, time
began, open_calls, own = time.perf_counter(), [], {}

def report():
    here, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({
        "wall": time.perf_counter() - began,
        "run": here.ru_utime + here.ru_stime,
        "second": child.ru_utime + child.ru_stime,
        "functions": own,
    }))

atexit.register(report)
from numba.core import event

class Listener(event.Listener):
    def on_start(self, begun):
        function = begun.data["dispatcher"].py_func
        module = (function.__module__ or "").rpartition(".")[2]
        open_calls.append([f"{module}.{function.__qualname__}", time.process_time(), 0.0])
    def on_end(self, _):
        name, start, within = open_calls.pop()
        whole = time.process_time() - start
        own[name] = own.get(name, 0.0) + whole - within
        if open_calls:
            open_calls[-1][2] += whole

event.register("numba:compile", Listener())
from csist_bench.__main__ import main
main(sys.argv[1:])
"""


def first_run(scratch: Path, method: str, sigma: float, cores: int) -> dict[str, Any]:
    """Return what a run with an empty cache took on so many cores."""
    with tempfile.TemporaryDirectory(dir=scratch) as cache:
        chosen = sorted(os.sched_getaffinity(0))[:cores]
        out = ["--limit", str(TRAJECTORIES), "--frames", "all", "--out", f"{cache}/preds.json"]
        done = subprocess.run(
            [sys.executable, "-c", TIMED, "run", method, "--data", str(scratch / f"sigma{sigma:g}.zarr"), *out],
            env={**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": str(ROOT)},
            preexec_fn=lambda: os.sched_setaffinity(0, chosen),
            capture_output=True,
            text=True,
            check=True,
        )
    took: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return took


def measured() -> str:
    """Return both tables."""
    import csist_bench as cb

    lines = ["| first run, 1,000 frames | one core | two cores: the run | beside it | until it ends |"]
    lines.append("|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for sigma in {sigma for _, sigma in RUNS}:
            cb.generate(scratch / f"sigma{sigma:g}.zarr", "seqcsist-noise", noise_sigma=sigma)
        functions: dict[str, float] = {}
        for method, sigma in RUNS:
            alone, two = (first_run(scratch, method, sigma, cores) for cores in (1, 2))
            functions = functions or alone["functions"]
            title = f"`{method}`, " + (f"sigma {sigma:g}" if sigma else "noise-free")
            took = alone["run"], two["run"], two["second"], two["wall"]
            lines.append(f"| {title} | {' | '.join(f'{seconds:.1f} s' for seconds in took)} |")
            print(lines[-1], f"one core: {alone['wall']:.1f} s until it ends", flush=True)
    ordered = sorted(functions.items(), key=lambda one: -one[1])
    lines += ["", "| function, `ml` noise-free | s |", "|---|---:|"]
    lines += [f"| `{name}` | {seconds:.1f} |" for name, seconds in ordered[:LARGEST]]
    lines.append(f"| {len(ordered) - LARGEST} others | {sum(seconds for _, seconds in ordered[LARGEST:]):.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Carry out the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    told = parser.parse_args()
    tables = measured()
    print(tables)
    if not told.check:
        page = PAGE.read_text()
        PAGE.write_text(MARKED.sub(lambda found: found[1] + "\n" + tables + "\n" + found[3], page))


if __name__ == "__main__":
    main()
