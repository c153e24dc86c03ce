"""How likely a detection counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from csist_bench.methods.networks.common.correctness import (
    THRESHOLDS,
    correctness,
    expected_correctness,
    soft_correctness,
)


def test_expected_correctness_is_what_sampling_gives() -> None:
    sigma = torch.tensor([[0.05, 0.05], [0.03, 0.1], [0.2, 0.08], [1.0, 1.0]], dtype=torch.float64)
    error = np.random.default_rng(0).normal(size=(200_000, 2))
    for row, figure in zip(sigma.numpy(), expected_correctness(sigma).tolist(), strict=True):
        distance = np.hypot(*(error * row).T)
        assert figure == pytest.approx(np.mean([(distance <= d).mean() for d in THRESHOLDS]), abs=0.003)
    equal = torch.tensor([0.1, 0.1], dtype=torch.float64)
    closed = np.mean([1 - np.exp(-0.5 * (d / 0.1) ** 2) for d in THRESHOLDS])
    assert expected_correctness(equal).item() == pytest.approx(closed, rel=1e-9)


def test_correctness_is_the_share_of_thresholds_that_a_distance_is_within() -> None:
    distance = torch.tensor([0.0, 0.05, 0.051, 0.12, 0.25, 0.3, float("inf")], dtype=torch.float64)
    assert correctness(distance).tolist() == pytest.approx([1.0, 1.0, 0.8, 0.6, 0.2, 0.0, 0.0])


def test_softened_correctness_is_near_it_between_the_thresholds_and_falls_everywhere() -> None:
    between = torch.tensor([0.0, 0.075, 0.125, 0.175, 0.225, 0.4])
    torch.testing.assert_close(soft_correctness(between), correctness(between), atol=0.06, rtol=0.0)
    distance = torch.linspace(0.0, 0.4, 200, requires_grad=True)
    soft_correctness(distance).sum().backward()
    assert (distance.grad < 0).all()
