"""`python -m tests.mutants PACKAGE...`: change the code, run the package's tests, and list what no test saw.

A seeded sample of each package, which stays as it is where the code does; kernels run as plain Python. A mutant is
killed when a test fails, or when the tests that take less than half of the limit on the sound code do not end within
it. Times are processor times, so that load kills nothing. The whole tree is copied first: the checkout is not touched.
Example: python -m tests.mutants evaluation simulation --sample 100 --out mutants.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

from tests.mutants.changes import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("evaluation", "simulation", "datasets", "predictions")
COPIED = ("csist_bench", "tests", "pyproject.toml")


def main() -> int:
    """Run the command; exit code 1 where less than the asked share is killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("packages", nargs="*", default=PACKAGES, help=f"default: {' '.join(PACKAGES)}")
    parser.add_argument("--sample", type=int, default=100, help="mutants a package (default 100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of processor time a mutant (default 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--least", type=float, default=0.9, help="share that must be killed (default 0.9)")
    parser.add_argument("--out", type=Path, help="JSON file with every mutant and what became of it")
    asked = parser.parse_args()
    shares, table = [], []
    for package in asked.packages:
        chosen = sample(package, asked.sample, asked.seed)
        fates = judged(package, chosen, asked.jobs, asked.limit)
        killed = sum(fate != "survived" for fate in fates)
        shares.append(killed / len(chosen))
        table += [{"package": package, "mutant": str(mutant), "fate": fate} for mutant, fate in zip(chosen, fates)]
        print(f"{package}: {killed} of {len(chosen)} killed", flush=True)
        if asked.out:
            asked.out.write_text(json.dumps(table, indent=1) + "\n")
    return int(min(shares) < asked.least)


def sample(package: str, count: int, seed: int) -> list[Mutant]:
    """Return a seeded sample of the mutants of a package, in the order of files and lines.

    Each is drawn by a digest of its own, without its line: a change of the code changes few of a sample.
    """
    found, drawn, seen = [], [], Counter[str]()
    for path in sorted((ROOT / "csist_bench" / package).rglob("*.py")):
        for made in mutants_of(path):
            mutant = replace(made, path=made.path.relative_to(ROOT))
            name = f"{mutant.path.as_posix()}: {mutant.before} -> {mutant.after}"
            drawn.append(hashlib.sha256(f"{seed} {name} {seen[name]}".encode()).digest())
            seen[name] += 1
            found.append(mutant)
    chosen = sorted(sorted(range(len(found)), key=drawn.__getitem__)[:count])
    return [found[place] for place in chosen]


def judged(package: str, mutants: Sequence[Mutant], jobs: int, limit: float) -> list[str]:
    """Return what became of each mutant: "failed", "too slow" or "survived"."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: Queue[Path] = Queue()
        for job in range(jobs):
            trees.put(_copied(Path(folder) / str(job)))
        first = trees.get()
        seconds = {
            plain: _seconds(first, package, plain, limit) for plain in {_is_kernel(mutant) for mutant in mutants}
        }
        trees.put(first)

        def judge(mutant: Mutant) -> str:
            tree = trees.get()
            try:
                fate = _fate(tree, mutant, seconds[_is_kernel(mutant)], limit)
            finally:
                trees.put(tree)
            if fate != "failed":  # at once: a run takes its time, and load makes tests too slow
                print(f"  {fate}: {mutant}", flush=True)
            return fate

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(judge, mutants))


def _copied(tree: Path) -> Path:
    tree.mkdir()
    for item in ROOT.iterdir():
        if item.name in COPIED:
            (shutil.copytree if item.is_dir() else shutil.copy2)(item, tree / item.name)
        elif not item.name.startswith("."):
            (tree / item.name).symlink_to(item)
    return tree


def _is_kernel(mutant: Mutant) -> bool:
    return "_kernels" in mutant.path.as_posix()


def _tests(tree: Path, package: str) -> list[Path]:
    return sorted((tree / "tests" / package).rglob("test_*.py"))


def _seconds(tree: Path, package: str, plain: bool, limit: float) -> dict[str, float]:
    """Return the seconds of each test file of a package on the sound code; one that fails there is an error.

    Files that take longer than the limit (kernels as plain Python do) are left out, which is said.
    """
    seconds = {}
    for path in _tests(tree, package):
        name = path.relative_to(tree).as_posix()
        code, taken = _run(tree, [path], plain, limit)
        if code is None:
            print(f"  left out, over {limit:g} s: {name} (plain Python: {plain})", flush=True)
        elif code not in (0, 5):
            sys.exit(f"{name} fails on the sound code (plain Python: {plain})")
        else:
            seconds[name] = taken
    return seconds


def _fate(tree: Path, mutant: Mutant, seconds: dict[str, float], limit: float) -> str:
    """Run the tests of the changed module, then the others that fit, from the quickest on."""
    path = tree / mutant.path
    sound = path.read_text(encoding="utf-8")
    path.write_text(mutant.text, encoding="utf-8")
    try:
        for names in _batches(f"test_{mutant.path.stem.strip('_')}.py", seconds, limit / 2):
            code, _ = _run(tree, [tree / name for name in names], _is_kernel(mutant), limit)
            if code != 0:
                return "too slow" if code is None else "failed"
    finally:
        path.write_text(sound, encoding="utf-8")
    return "survived"


def _batches(own: str, seconds: dict[str, float], most: float) -> list[list[str]]:
    """Return the test files of a module by itself and the others that together take at most so long.

    What the quickest takes alone is taken for what a start takes, which they share.
    """
    start = min(seconds.values(), default=0.0)
    first = [name for name in seconds if Path(name).name == own]
    others, total = [], start
    for name in sorted(seconds.keys() - set(first), key=seconds.__getitem__):
        total += seconds[name] - start
        if total <= most:
            others.append(name)
    return [batch for batch in (first, others) if batch]


def _run(tree: Path, tests: Sequence[Path], plain: bool, limit: float) -> tuple[int | None, float]:
    env = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "CSIST_BENCH_NO_NUMBA": "1" if plain else ""}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *map(str, tests)]
    return ended(command, limit, cwd=tree, env=env)


def ended(command: Sequence[str], limit: float, **where: Any) -> tuple[int | None, float]:
    """Run a command; return its exit code, None where it took over `limit` s of processor time, and the s it took.

    One that only waits is ended after ten times the limit by the clock; whatever it started ends with it.
    """
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **where
    ) as process:
        most = math.ceil(limit)
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (most, most + 5))
        timer = threading.Timer(10 * limit, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode if process.returncode >= 0 else None, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
