"""Exact assignments, and the sum over all of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from csist_bench.errors import InputError
from csist_bench.methods.networks.common.assignment import best_assignment, log_sum_of_assignments


@pytest.mark.parametrize("k", [1, 2, 4, 8])
def test_the_assignment_is_that_of_a_solver(k: int) -> None:
    cost = torch.rand((30, k, k), generator=torch.Generator().manual_seed(k)) - 0.5
    found = best_assignment(cost)
    for matrix, chosen in zip(cost.numpy(), found.numpy(), strict=True):
        np.testing.assert_array_equal(chosen, linear_sum_assignment(matrix)[1])


def test_more_slots_than_can_be_assigned_exactly_are_refused() -> None:
    with pytest.raises(InputError, match="slots must be at most 10 for exact assignment, got 11"):
        best_assignment(torch.zeros((1, 11, 11)))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_sum_over_assignments_is_a_permanent(k: int) -> None:
    cost = 3 * torch.randn((7, k, k), generator=torch.Generator().manual_seed(k), dtype=torch.float64)
    cost.requires_grad_(True)
    sums = [cost[:, range(k), order].sum(dim=1).neg().exp() for order in itertools.permutations(range(k))]
    found = log_sum_of_assignments(cost)
    torch.testing.assert_close(found, torch.stack(sums).sum(dim=0).log())
    assert torch.autograd.gradcheck(log_sum_of_assignments, cost.detach()[:2].requires_grad_(True))
