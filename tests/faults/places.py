"""Disks that are full, folders that may not be written, writers side by side, a clock that goes backwards."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.tools import TRACEBACK, Tally, command, environment, run, said_badly


def full_disk(folder: Path) -> Iterator[Tally]:
    """Run commands where nothing more can be written: on a small tmpfs, else with a limit on the size of files."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder], capture_output=True
    ).returncode
    how = "a tmpfs of 200 kB" if mounted == 0 else "RLIMIT_FSIZE of 20 kB (mounting is not permitted here)"
    tally = Tally(f"disk full, by {how}")
    pictures = folder.with_name("pictures")
    subprocess.run(command("export", "data/sample/seqcsist.zarr", pictures), env=environment(), check=True)
    limit = None if mounted == 0 else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        for words in (
            command("generate", "--set", "trajectories=600", "--out", folder / "set.zarr", "--executor", "serial"),
            command("run", "ml", "--data", "data/sample/seqcsist.zarr", "--out", folder / "preds.json"),
            command("leaderboard", "--html", folder / "index.html"),
            command("export", "data/sample/seqcsist.zarr", folder / "out"),
            command("import", pictures, folder / "imported.zarr"),
        ):
            done = subprocess.run(
                words, env=environment(), capture_output=True, text=True, preexec_fn=limit, check=False
            )
            small = "preds.json" in " ".join(words)  # a few kB: they may fit
            tally.add(said_badly(done.returncode, done.stdout + done.stderr, (0, 2) if small else (2,)))
    finally:
        if mounted == 0:
            subprocess.run(["umount", folder], check=True)
    yield tally


def read_only(folder: Path) -> Iterator[Tally]:
    """Run commands that write into a folder that may not be written; root may, so a file stands where it would be."""
    folder.mkdir(parents=True, exist_ok=True)
    blocked = folder / "blocked"
    as_root = os.geteuid() == 0
    blocked.write_text("") if as_root else blocked.mkdir(mode=0o500)
    tally = Tally("read-only" + (", by a file in the folder's place (root may write anywhere)" if as_root else ""))
    for words in (
        command("generate", "--set", "trajectories=4", "--out", blocked / "set.zarr"),
        command("run", "ml", "--data", "data/sample/seqcsist.zarr", "--out", blocked / "preds.json"),
        command("leaderboard", "--markdown", blocked / "README.md"),
        command("evaluate", "docs/example.json", "--data", "data/sample/seqcsist.zarr", "--report", blocked / "report"),
        command("export", "data/sample/seqcsist.zarr", blocked / "out"),
        command("train", "espcn", "--data", "data/sample/seqcsist.zarr", "--out", blocked / "run"),
    ):
        tally.add(said_badly(*run(words), expected=(2,)))
    yield tally


def many_submits(folder: Path, count: int = 20) -> Iterator[Tally]:
    """Submit rows side by side: each is there once."""
    folder.mkdir(parents=True, exist_ok=True)
    data, board = folder / "small.zarr", folder / "board.csv"
    run(command("generate", "--set", "trajectories=8", "--out", data))
    run(command("run", "ista", "--data", data, "--out", folder / "preds.json"))
    fixed = ("--data", data, "--leaderboard", board, "--bootstrap", "5")
    started = [
        subprocess.Popen(
            command("submit", folder / f"preds{i}.json", *fixed, "--seed", i), env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for i in range(count) if _shifted(folder, i)
    ]  # fmt: skip
    tally = Tally(f"{count} submits at a time")
    for each in started:
        text = each.communicate()[0]
        tally.add(said_badly(each.returncode, text))
    rows = board.read_text().count("\n") - 1 if board.is_file() else 0
    tally.add(None if rows == count else f"{rows} rows of {count}")
    yield tally


def _shifted(folder: Path, place: int) -> Path:
    """Write answers that differ from one file to the next by one score."""
    table = json.loads((folder / "preds.json").read_text())
    del table["digest"]
    table["predictions"][0]["score"] += place + 1
    path = folder / f"preds{place}.json"
    path.write_text(json.dumps(table))
    return path


def two_writers(folder: Path, trials: int = 6) -> Iterator[Tally]:
    """Make two sets in one place at a time: one writer is refused by name, and what is there is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tally = Tally("two writers")
    for trial in range(trials):
        path = folder / f"set{trial}.zarr"
        started = []
        for seed in (1, 2):
            words = command("generate", "--set", "trajectories=600", "--seed", seed, "--out", path, "--overwrite")
            started.append(subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, text=True))
            time.sleep(0.1 * trial)
        said = [each.communicate()[1] for each in started]
        codes = [each.returncode for each in started]
        fault = None
        if any(TRACEBACK in text for text in said):
            fault = f"traceback: {said}"
        elif sorted(codes) not in ([0, 2], [0, 0]):
            fault = f"exit codes {codes}: {said}"
        elif 2 in codes and "process" not in said[codes.index(2)]:
            fault = f"the refused writer is not told by whom: {said[codes.index(2)]}"
        tally.add(fault or said_badly(*run(command("validate", path))))
        shutil.rmtree(path)
    yield tally


CLOCK = """
import sys, time
real = time.time
time.time = lambda: real() - 86400.0 * 400
from csist_bench.cli import main
main(sys.argv[1:])
"""


def clock_back(folder: Path) -> Iterator[Tally]:
    """Go on with work of tomorrow: by a clock patched in the process, since setting that of the machine is not ours."""
    folder.mkdir(parents=True, exist_ok=True)
    tally = Tally("clock 400 days back (patched in the process)")
    path = folder / "set.zarr"
    words = ["generate", "--set", "trajectories=600", "--out", str(path), "--executor", "serial"]
    begun = subprocess.Popen(command(*words), env=environment(), stderr=subprocess.DEVNULL)
    time.sleep(2.5)
    begun.kill()
    begun.wait()
    tally.add(said_badly(*run([sys.executable, "-c", CLOCK, *words, "--resume"])))
    tally.add(said_badly(*run([sys.executable, "-c", CLOCK, "validate", str(path)])))
    yield tally
