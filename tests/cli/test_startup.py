"""What a command loads: nothing heavy for `--help`, no PyTorch where no network runs."""

import subprocess
import sys

import pytest

from csist_bench.cli import COMMANDS
from tests.helpers.sets import tiny_set

HEAVY = ("numba", "scipy", "zarr", "torch", "pandas", "matplotlib", "dask", "PIL", "filelock")

CODE = """
import sys
from csist_bench.cli import main
try:
    main(sys.argv[2:])
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *[name for name in sys.argv[1].split(",") if name in sys.modules])
"""


def loaded(*arguments):
    """Return which heavy packages a command has loaded by its end."""
    command = [sys.executable, "-W", "error", "-c", CODE, ",".join(HEAVY), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("startup")
    tiny_set(path / "set.zarr")
    return path


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "--help"], ["train", "--help"], ["submit", "-h"]]
)
def test_help_loads_nothing_heavy(arguments):
    assert loaded(*arguments) == set()


def test_the_table_of_commands_imports_none_of_them():
    code = "import sys, csist_bench.cli; print(*[m for m in sys.modules if m.startswith('csist_bench')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"csist_bench", "csist_bench.cli"}
    assert len(COMMANDS) == 21


def test_the_core_works_without_torch_and_scoring_without_pandas(folder):
    data = ("--data", folder / "set.zarr")
    few = [word for s in ("trajectories=10", "frames=3", "scored_frames=:") for word in ("--set", s)]
    assert not loaded("generate", "--out", folder / "new.zarr", *few) & {"torch", "pandas", "matplotlib"}
    for method in ("bid", "ml"):
        out = folder / f"{method}.json"
        settings = ["--set", "iterations=2"] if method == "bid" else []
        used = loaded("run", method, *data, "--out", out, "--limit", "1", *settings)
        assert not used & {"torch", "pandas", "matplotlib"}
    assert not loaded("evaluate", folder / "bid.json", *data) & {"torch", "pandas", "matplotlib"}
    assert not loaded("info", folder / "bid.json") & {"torch", "pandas", "numba", "matplotlib"}


def test_a_recipe_is_described_without_anything_heavy():
    assert loaded("info", "seqcsist", "--json") == set()


def test_the_module_is_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "csist_bench", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("csist-bench, version ")
