"""Shrinkage functions by hand."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.methods.networks.unfolding.shrinkage import hard_threshold, shrink_with_support, soft_threshold


@settings(max_examples=30, deadline=None)
@given(theta=st.floats(-2, 2), seed=st.integers(0, 999))
def test_soft_threshold_and_its_gradient(theta: float, seed: int) -> None:
    x = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    t = torch.full((5,), theta, dtype=torch.float64, requires_grad=True)
    expected = torch.sign(x) * torch.relu(x.abs() - t.abs())
    answer = soft_threshold(x, t)
    torch.testing.assert_close(answer, expected)
    weight = torch.arange(20, dtype=torch.float64).reshape(4, 5)
    for mine, composed in zip(
        torch.autograd.grad((answer * weight).sum(), (x, t)), torch.autograd.grad((expected * weight).sum(), (x, t))
    ):
        torch.testing.assert_close(mine, composed)


def test_hard_threshold_by_hand() -> None:
    x = torch.tensor([-3.0, -1.0, 0.4, 0.5, 0.75, 0.999999, 1.0, 2.0])
    answer = hard_threshold(x, torch.tensor(1.0), ramp=0.5)
    torch.testing.assert_close(answer, torch.tensor([-3.0, -1.0, 0.0, 0.0, 0.5, 1.0, 1.0, 2.0]), atol=1e-5, rtol=0)


def test_support_selection_by_hand() -> None:
    x = torch.tensor([[5.0, -4.0, 3.0, -2.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0]])
    answer = shrink_with_support(x, torch.full((10,), 1.5), share=0.2)  # the two largest pass
    expected = torch.tensor([[5.0, -4.0, 1.5, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(answer, expected)
    torch.testing.assert_close(shrink_with_support(x, torch.tensor(9.0), share=2.0), x)
