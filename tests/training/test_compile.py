"""`compile = true`: the compiled run is the eager one, to rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.methods import registry
from csist_bench.methods.networks.weights import read_tensors
from csist_bench.training.log import read_log
from csist_bench.training.recipe import training_recipe
from csist_bench.training.run import Options, train

# The compiler, on its first import, uses what torch itself has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")

CPU = torch.device("cpu")
STEPS = 3


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch):
    """Skip where torch cannot compile; yields its counts of what it compiled."""
    import torch._dynamo.utils
    import torch._inductor.config

    monkeypatch.setattr(torch._inductor.config, "compile_threads", 1)  # no pool of processes
    torch._dynamo.reset()
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.zeros(2))
    except Exception as error:  # whatever the tool chain raises
        pytest.skip(f"torch.compile does not work here: {type(error).__name__}: {str(error).splitlines()[0]}")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield torch._dynamo.utils.counters
    torch._dynamo.reset()


def losses(store: Dataset, folder: Path, compiled: bool) -> list[float]:
    table = {"steps": STEPS, "batch_frames": 8, "lr": 1e-2, "log_every": 1, "clip_norm": 1.0, "ema": 0.5}
    recipe = training_recipe({**table, "compile": compiled})
    settings = {"features": 4, "mapped": 4}
    outcome = train(registry.find("espcn"), store, settings, recipe, Options(folder), CPU, lambda line: None)
    assert (outcome.finished, outcome.steps) == (True, STEPS)
    return [line["total"] for line in read_log(folder).losses]


def test_a_compiled_run_ends_as_an_eager_one(tiny: Dataset, tmp_path: Path, compiler) -> None:
    eager = losses(tiny, tmp_path / "eager", False)
    assert not compiler["frames"]["ok"]
    compiled = losses(tiny, tmp_path / "compiled", True)
    assert compiler["frames"]["ok"] > 0
    assert len(set(eager)) == STEPS
    np.testing.assert_allclose(compiled, eager, rtol=1e-4)
    first, second = (read_tensors(tmp_path / run / "last.safetensors")[0] for run in ("eager", "compiled"))
    assert first.keys() == second.keys()  # names as without compilation, so that any run loads them
    for name in first:
        torch.testing.assert_close(second[name], first[name], rtol=1e-3, atol=1e-4)
