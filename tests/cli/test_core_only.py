"""Every command where only the core is installed: it works, or says in one line what to install."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from csist_bench.cli import COMMANDS, EXTRAS
from tests.helpers.sets import tiny_set

NEEDS_TORCH = "needs PyTorch; install it with: pip install 'csist-bench[torch]'"
# What the cases below work on.
MADE_BEFORE = (
    ["run", "bid", "--data", "set.zarr", "--set", "iterations=2"],
    ["submit", "preds.json", "--data", "set.zarr", "--leaderboard", "board.csv"],
    ["export", "set.zarr", "published"],
)
# Arguments of each command, and what it says where it ends with exit code 2 (None: it works).
CASES: list[tuple[list[str], str | None]] = [
    (["generate", "--set", "trajectories=40", "--out", "new.zarr"], None),
    (["generate", "--set", "trajectories=40", "--out", "dask.zarr", "--executor", "dask:local"], "[dask]"),
    (["info", "set.zarr"], None),
    (["info", "memory://set.zarr"], "[remote]"),
    (["info", "s3://bucket/set.zarr"], "[remote]"),
    (["generate", "--set", "trajectories=40", "--out", "s3://bucket/set.zarr"], "[remote]"),
    (["validate", "set.zarr"], None),
    (["calibrate", "dark.npy"], None),
    (["export", "set.zarr", "exported"], None),
    (["import", "published", "again.zarr"], None),
    (["run", "bid", "--data", "set.zarr", "--set", "iterations=2", "--out", "bid.json"], None),
    (["run", "bid", "--data", "set.zarr", "--set", "iterations=2", "--out", "preds.parquet"], "[parquet]"),
    (["run", "espcn", "--data", "set.zarr", "--out", "net.json"], NEEDS_TORCH),
    (["run", "offgrid-net", "--data", "set.zarr", "--out", "net.json"], NEEDS_TORCH),
    (["run", "tdan", "--data", "set.zarr", "--out", "net.json", "--weights", "runs/none.safetensors"], NEEDS_TORCH),
    (["train", "espcn", "--data", "set.zarr"], NEEDS_TORCH),
    (["train", "offgrid-net", "--data", "set.zarr"], NEEDS_TORCH),
    (["merge", "--help"], None),
    (["track", "preds.json", "--out", "tracked.json"], None),
    (["evaluate", "preds.json", "--data", "set.zarr"], None),
    (["compare", "preds.json", "preds.json", "--data", "set.zarr"], None),
    (["limit", "--data", "set.zarr"], None),
    (["submit", "preds.json", "--data", "set.zarr", "--leaderboard", "own.csv"], None),
    (["leaderboard", "--leaderboard", "board.csv", "--html", "page.html"], None),
    (["leaderboard", "--leaderboard", "board.csv", "--check"], None),
    (["plot", "frames", "--data", "set.zarr", "--out", "frames.png"], None),
    (["methods"], None),
    (["check-method", "bid", "--set", "iterations=2"], None),
    (["check-method", "espcn"], NEEDS_TORCH),
    (["doctor"], None),
    (["demo", "--help"], None),
    (["bench", "--help"], None),
]


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """Return a function that runs a command in a folder of its own, without the packages of the extras."""
    home = tmp_path_factory.mktemp("core")
    site = home / "site"
    site.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if re.split(r"[-.]", entry.name.lower())[0] not in EXTRAS:
            (site / entry.name).symlink_to(entry)
    work = home / "work"
    work.mkdir()
    tiny_set(work / "set.zarr")
    np.save(work / "dark.npy", np.random.default_rng(0).normal(10, 2, (40, 11, 11)))
    repository = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(repository)])}

    def run(arguments):
        # -S: no site-packages but those named above.
        command = [sys.executable, "-S", "-m", "csist_bench", *arguments]
        return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)

    for arguments in MADE_BEFORE:
        assert run(arguments).returncode == 0
    return run


def test_the_packages_of_the_extras_are_hidden_here_and_there_outside(core):
    importlib.metadata.version("torch")
    assert "PyTorch is not installed" in core(["doctor"]).stdout


def test_every_command_is_swept():
    assert {arguments[0] for arguments, _ in CASES} == set(COMMANDS)


@pytest.mark.parametrize(("arguments", "said"), CASES, ids=[" ".join(arguments) for arguments, _ in CASES])
def test_a_command_works_or_says_what_to_install(core, arguments, said):
    done = core(arguments)
    assert "Traceback" not in done.stderr, done.stderr
    if said is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
