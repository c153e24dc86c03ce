"""Exact assignment of slots to targets, and the sum over all assignments, for many small square problems at once.

Held and Karp's dynamic programme over sets (doi.org/10.1137/0110015): the cheapest way to give the first m slots the
targets of a set S, |S| = m, ends with slot m at one target j of S. 2^K sets and K 2^(K-1) sums per problem, all of them
tensor operations over the batch: for K <= 8 that is less work than a call to a solver, and stays on the device.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch
from torch import Tensor

from csist_bench.errors import must

MAX_SLOTS = 10


@torch.no_grad()
def best_assignment(cost: Tensor) -> Tensor:
    """Return the cheapest one-to-one assignment.

    Parameters
    ----------
    cost : Tensor, shape (N, K, K)
        Cost of giving slot i the target j; finite.

    Returns
    -------
    int64 Tensor, shape (N, K)
        Target of each slot.
    """
    n, k = cost.shape[:2]
    least = cost.new_full((n, 1 << k), float("inf"))
    least[:, 0] = 0.0
    last = torch.zeros((n, 1 << k), dtype=torch.int64, device=cost.device)  # the target given last
    for sets, members, before, price in _by_size(cost):
        value, choice = (least[:, before] + price).min(dim=-1)
        least[:, sets] = value
        last[:, sets] = members[torch.arange(len(sets), device=cost.device), choice]
    return _traced_back(last, k)


def log_sum_of_assignments(cost: Tensor) -> Tensor:
    """Return log of the sum of exp(-cost) over all one-to-one assignments: the logarithm of a permanent.

    The same programme with sums in place of minima; it carries gradients.

    Parameters
    ----------
    cost : Tensor, shape (N, K, K)
        Cost of giving slot i the target j; finite.

    Returns
    -------
    Tensor, shape (N,)
    """
    place = cost.new_zeros(1 << cost.shape[1], dtype=torch.int64)  # of a set among those of its size
    total = cost.new_zeros(len(cost), 1)
    for sets, _, before, price in _by_size(cost):
        total = torch.logsumexp(total[:, place[before]] - price, dim=-1)  # (N, M)
        place[sets] = torch.arange(len(sets), device=cost.device)
    return total[:, 0]


def _by_size(cost: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Yield for each size m the sets of m targets (M,), their members (M, m), the sets without each of them (M, m), and
    the cost (N, M, m) of giving it to slot m. Raises if there are too many slots.
    """
    k = cost.shape[1]
    if k > MAX_SLOTS:
        raise must("slots", f"be at most {MAX_SLOTS} for exact assignment", k)
    for size in range(1, k + 1):
        sets, members = _sets_of(k, size, cost.device)
        yield sets, members, sets[:, None] - (1 << members), cost[:, size - 1, :][:, members]


def _traced_back(last: Tensor, k: int) -> Tensor:
    """Follow the choices from the full set down; (N, 2^K) -> (N, K)."""
    chosen = torch.empty((len(last), k), dtype=torch.int64, device=last.device)
    state = torch.full((len(last), 1), (1 << k) - 1, dtype=torch.int64, device=last.device)
    for slot in reversed(range(k)):
        target = last.gather(1, state)
        chosen[:, slot] = target[:, 0]
        state = state - (1 << target)
    return chosen


@functools.cache
def _sets_of(k: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the sets of `size` of k targets as bit masks (M,), and their members (M, size)."""
    sets = [s for s in range(1 << k) if s.bit_count() == size]
    members = [[j for j in range(k) if s >> j & 1] for s in sets]
    with torch.inference_mode(False):  # kept for calls that take gradients, too
        return torch.tensor(sets, device=device), torch.tensor(members, device=device)
