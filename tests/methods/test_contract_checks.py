"""`check-method` finds what is broken: each clause against a method that breaks it; shipped ones keep them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.methods.contract import check_method
from csist_bench.methods.interface import AnswersHeatMaps, AnswersPoints
from csist_bench.methods.outside import register
from csist_bench.methods.registry import METHODS

pytestmark = pytest.mark.usefixtures("registry_as_it_was")

DOCS = Path(__file__).parents[2] / "docs" / "own-methods.md"


class Broken:
    """Answers the brightest pixel of each frame, and breaks one clause."""

    clause = ""

    def answer(self, frames, camera):
        b, t, _, width = frames.shape
        light = frames.reshape(b, t, -1)
        n, f = (index.ravel() for index in np.indices((b, t)))
        row, column = np.divmod(light.argmax(axis=2).ravel(), width)
        x, score = column.astype(float), light.max(axis=2).ravel()
        if self.clause == "batch":
            x += b
        if self.clause == "order":
            x += n
        if self.clause == "frames":
            x += f
        if self.clause == "random":
            x += np.random.random()  # noqa: NPY002
        if self.clause == "writes":
            frames[:] = 0
        if self.clause == "number":
            n, f, x, row, score = (column[:b] for column in (n, f, x, row, score))
        if self.clause == "score":
            score = score + n
        return Detections(n, f, x, row.astype(float), score)


@pytest.mark.parametrize(
    ("clause", "broken"),
    [
        ("", set()),
        ("batch", {"each trajectory by itself"}),
        ("order", {"each trajectory by itself", "the order of trajectories"}),
        ("frames", {"the order of frames"}),
        ("random", {"global", "the same frames", "each trajectory", "the order of traj", "the order of fr"}),
        ("writes", {"frames are left", "the same frames", "each trajectory", "the order of traj", "the order of fr"}),
        ("number", {"each trajectory", "the order of traj", "the order of fr"}),
        ("score", {"each trajectory", "the order of traj"}),
    ],
)  # fmt: skip
def test_each_clause_is_told_from_the_others(clause, broken):
    row = register(type("Broken", (Broken,), {"clause": clause}))
    checks = list(check_method(row, {}))
    found = {check.name for check in checks if not check.passed}
    assert len(found) == len(broken)
    assert all(any(name.startswith(begin) for name in found) for begin in broken)
    assert checks[-1].name == "speed"


@pytest.mark.parametrize("name", ["ml", "bid", "espcn", "offgrid-net"])
def test_shipped_methods_keep_the_contract(name):
    settings = {"iterations": 5} if name == "bid" else {}
    checks = list(check_method(METHODS[name], settings))
    assert all(check.passed for check in checks)
    assert any("gradient" in check.name for check in checks) == METHODS[name].trainable


def test_a_network_that_does_not_learn_is_found():
    import torch
    from torch import nn

    class Idle(nn.Module):
        def __init__(self, sampling, settings):
            super().__init__()
            self.used, self.idle = nn.Linear(11, 33), nn.Linear(2, 2)

        def forward(self, frames):
            return torch.repeat_interleave(self.used(frames), 3, dim=2)

    checks = {check.name: check for check in check_method(register(Idle), {})}
    assert checks["every parameter receives gradient"].found == "idle.bias, idle.weight"
    assert not checks["every parameter receives gradient"].passed


def test_the_example_of_the_documentation_keeps_the_contract():
    source = next(block for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S) if "class" in block)
    names: dict = {}
    exec(compile(source, str(DOCS), "exec"), names)
    kind = names["MyFit"]
    assert isinstance(kind(), AnswersPoints)
    assert not isinstance(kind(), AnswersHeatMaps)
    assert all(check.passed for check in check_method(register(kind), {"floor": 1.0}))
