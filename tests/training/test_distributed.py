"""Two processes under torchrun, on the CPU, train as one does: gradients are averaged over the same global batches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from csist_bench.cli.train_command import command
from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.methods.networks.weights import read_tensors
from csist_bench.training.distributed import World
from csist_bench.training.log import read_log

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
RECIPE = ["--set", "steps=4", "--set", "batch_frames=16", "--set", "augment=true", "--set", "clip_norm=20.0"]
SETTINGS = ["--set", "settings.features=6", "--set", "settings.mapped=4"]


def arguments(store: Dataset, out: Path) -> list[str]:
    return ["--data", store.path, "--out", str(out), "--device", "cpu", "--threads", "1", *RECIPE, *SETTINGS]


@pytest.mark.long
def test_two_processes_train_as_one(tiny: Dataset, tmp_path: Path) -> None:
    alone = CliRunner().invoke(command, ["espcn", *arguments(tiny, tmp_path / "one")])
    assert alone.exit_code == 0, alone.output
    together = subprocess.run(
        [sys.executable, *TORCHRUN, "-m", "csist_bench", "train", "espcn", *arguments(tiny, tmp_path / "two")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert together.returncode == 0, together.stderr
    assert together.stdout.count("finished after 4 steps") == 1, "one process alone reports"
    one, two = (read_tensors(tmp_path / run / "last.safetensors")[0] for run in ("one", "two"))
    for name in one:
        # The gradient's sum is taken in another order; Adam divides by its size, hence no tighter bound.
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-6)
    moved = read_tensors(tmp_path / "one" / "resume.safetensors")[0]
    assert any(tensor.any() for name, tensor in moved.items() if name.endswith("exp_avg"))
    assert len(read_log(tmp_path / "two").scores) == len(read_log(tmp_path / "one").scores)


def test_shares_tile_the_batch() -> None:
    batch = torch.arange(12)
    shares = [World(3, rank).share(batch) for rank in range(3)]
    assert torch.equal(torch.cat(shares), batch)


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(InputError, match="batch must be divisible by the 2 processes, got 3"):
        World(2, 0).require_divisible(3)
