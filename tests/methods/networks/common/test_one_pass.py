from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.base import macs_per_frame
from csist_bench.methods.networks.common import one_pass
from csist_bench.methods.networks.common.one_pass import Perceptron, linear_gelu
from csist_bench.simulation.optics import Optics
from tests.helpers.offgrid_net import network


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes that are answered in one pass; skips where PyTorch cannot."""
    if one_pass._FUSED is None:
        pytest.skip("this PyTorch has no fused linear layer")
    calls: list[tuple[int, ...]] = []
    operator = one_pass._FUSED

    def recorded(x: Tensor, *rest: object) -> Tensor:
        calls.append(tuple(x.shape))
        return operator(x, *rest)

    monkeypatch.setattr(one_pass, "_FUSED", recorded)
    return calls


@pytest.mark.parametrize("shape", [(1, 22), (300, 22), (40, 4, 22), (2, 3, 4, 22)])
def test_one_pass_answers_as_two_do(fused: list, shape: tuple[int, ...]) -> None:
    layer, x = nn.Linear(22, 64), torch.randn(shape)
    with torch.inference_mode():
        found = linear_gelu(layer, x)
        torch.testing.assert_close(found, functional.gelu(layer(x)), rtol=1e-6, atol=1e-6)
    assert fused == [shape]


def test_layers_in_turn_are_those_of_a_plain_sequence(fused: list) -> None:
    layers = (nn.GELU(), nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 7), nn.Linear(7, 2))
    mine, plain, x = Perceptron(*layers), nn.Sequential(*layers), torch.randn(9, 5)
    assert mine.state_dict().keys() == plain.state_dict().keys()
    with torch.inference_mode():
        torch.testing.assert_close(mine(x), plain(x), rtol=1e-6, atol=1e-6)
    assert fused == [(9, 5)]


def test_what_learns_counts_or_rounds_takes_two_passes(fused: list) -> None:
    layer, x = nn.Linear(4, 4), torch.randn(3, 4)
    torch.autograd.backward(linear_gelu(layer, x).sum())
    assert layer.weight.grad is not None
    with torch.inference_mode():
        assert linear_gelu(layer.double(), x.double()).dtype == torch.float64
        assert linear_gelu(layer.float(), torch.zeros(0, 4)).shape == (0, 4)
        with torch.autocast("cpu", torch.bfloat16):
            assert linear_gelu(layer, x).dtype == torch.bfloat16
    assert macs_per_frame(network(), Optics(), 2) > 0
    assert fused == []


def test_a_pytorch_without_the_operator_answers_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = nn.Linear(4, 8), torch.randn(3, 4)
    with torch.inference_mode():
        found = linear_gelu(layer, x)
        monkeypatch.setattr(one_pass, "_FUSED", None)
        torch.testing.assert_close(found, linear_gelu(layer, x), rtol=1e-6, atol=1e-6)
