"""Networks off the CPU, without a GPU: on a device that holds no numbers.

A tensor that stayed behind on the CPU is an error there, as on a GPU, and so is a number that the program asks back,
for which a GPU would be waited for. Tables that are copied over in each call are counted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from csist_bench.methods.networks.base import build_network, resolve_device
from csist_bench.methods.networks.common.constants import constant, kept
from csist_bench.methods.networks.common.rendering import SceneLabels
from csist_bench.methods.registry import METHODS, Method
from csist_bench.methods.runners import (
    FRAMES_PER_PASS_OF_POINTS,
    FRAMES_PER_PASS_ON_GPU,
    LARGEST_BLOCK_OF_POINTS,
    LARGEST_BLOCK_ON_GPU,
    RunOptions,
    runner_of,
)
from csist_bench.simulation.optics import Optics
from csist_bench.training.losses import Objective
from tests.helpers.offgrid_net import CAMERA, SMALL

AWAY = torch.device("meta")
NETWORKS = [name for name, method in METHODS.items() if method.trainable]
LIGHT = {"bsrgan": ["blocks=1"], "esrgan": ["blocks=1"], "gmfn": ["blocks=2", "layers=2", "steps=2"]}
OVER_TIME = [*SMALL, "reach=2", "smooth=true", "alternatives=3"]
CASES = [
    *((name, LIGHT.get(name, [])) for name in NETWORKS),
    ("offgrid-net", OVER_TIME),
    ("offgrid-net", [*OVER_TIME, "neighbours=convolution"]),
    ("offgrid-net", [*SMALL, "alternatives=4", "start=phase"]),
    ("offgrid-net", [*SMALL, "alternatives=1", "assignments=all"]),
]
B, T = 2, 5


class Crossings(TorchDispatchMode):
    """Counts operations that take a tensor of the CPU to the device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None) -> Any:
        result = function(*args, **(kwargs or {}))
        before, after = (_devices(tree) for tree in ((args, kwargs), result))
        if "cpu" in before and AWAY.type in before | after:
            self.found[str(function)] += 1
        return result


def _devices(tree: Any) -> set[str]:
    return {leaf.device.type for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}


def given(method: Method) -> tuple[Tensor, Any]:
    """Return frames and labels of a method on the other device."""
    t = T if method.context == "trajectory" else 1
    with AWAY:
        frames = torch.zeros(B, t, 11, 11)
        if method.output == "grid":
            return frames, torch.zeros(B, t, 33, 33)
        return frames, SceneLabels(torch.zeros(B, t, 4, 2), torch.zeros(B, t, 4), torch.zeros(B), torch.zeros(B))


@pytest.mark.parametrize(("name", "overrides"), CASES)
def test_nothing_stays_behind_and_nothing_is_asked_back(name: str, overrides: list[str]) -> None:
    method = METHODS[name]
    frames, labels = given(method)
    model = build_network(name, Optics(), overrides).to(AWAY)

    def answered() -> Tensor:
        with torch.inference_mode():
            return model(frames, labels) if method.output == "points" else model(frames)

    answered()  # tables that are kept are copied once
    with Crossings() as crossings:
        answer = answered()
        terms = Objective(model.train(), slice(0, frames.shape[1]), {})(frames, labels)
        torch.autograd.backward(terms["total"])
    assert answer.device.type == AWAY.type
    assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)
    assert not crossings.found


def test_the_counting_finds_what_is_wrong() -> None:
    away = torch.zeros(2, device=AWAY)
    with Crossings() as crossings:
        torch.ones(2).to(AWAY)
    assert sum(crossings.found.values()) == 1
    with pytest.raises(RuntimeError, match="device"):
        away + torch.ones(2)
    with pytest.raises(RuntimeError):
        float(away.sum())


def test_constants_are_kept_and_serve_where_gradients_are_taken() -> None:
    like = torch.ones(2, dtype=torch.float64)
    with torch.inference_mode():
        first = constant((1.0, 2.0), like)
    assert constant((1.0, 2.0), like) is first
    assert first.dtype == torch.float64
    assert constant((1.0, 2.0), like.float()) is not first
    assert kept((1.0, 2.0), torch.float64, AWAY).device == AWAY
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    torch.autograd.backward((first * x).square().sum())
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 8.0]


@pytest.mark.parametrize(
    ("device", "largest", "batch"),
    [
        ("cpu", LARGEST_BLOCK_OF_POINTS, FRAMES_PER_PASS_OF_POINTS),
        ("meta", LARGEST_BLOCK_ON_GPU, FRAMES_PER_PASS_ON_GPU),
    ],
)
def test_passes_are_larger_off_the_cpu(monkeypatch: pytest.MonkeyPatch, device: str, largest: int, batch: int) -> None:
    monkeypatch.setattr("csist_bench.methods.networks.base.resolve_device", torch.device)
    runner = runner_of(METHODS["offgrid-net"], CAMERA, ["grid"], RunOptions(device=device))
    assert (runner.largest_block, runner._network.batch) == (largest, batch)
    told = runner_of(METHODS["offgrid-net"], CAMERA, ["grid"], RunOptions(device=device, batch=7))
    assert told._network.batch == 7


def test_a_device_that_gives_nothing_back_is_refused() -> None:
    with pytest.raises(ValueError, match="device must be auto, cpu, or a GPU of this machine such as cuda:0, got meta"):
        resolve_device("meta")
    with pytest.raises(ValueError, match=r"got cuda:99; (this PyTorch|PyTorch)"):
        resolve_device("cuda:99")
