"""The loss of OffGrid-Net: exact assignment, sets of slots, and mixtures of sets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from csist_bench.errors import InputError
from csist_bench.methods.networks.common.correctness import THRESHOLDS
from csist_bench.methods.networks.common.set_loss import PRESENCE, alternatives_loss, set_loss
from tests.helpers.slots import some_alternatives, some_slots

# --- assignment and loss ---------------------------------------------------------------------------------------------


def test_the_loss_under_all_assignments_is_that_of_a_multi_bernoulli_set() -> None:
    slots = some_slots(4, 3)
    slots[..., :2] *= 0.1  # they overlap, so that more than one assignment counts
    slots[..., 2] = 230.0
    xy, intensity = torch.zeros((4, 2, 2)), torch.full((4, 2), 231.0)
    best, every = set_loss(slots, xy, intensity), set_loss(slots, xy, intensity, "all")
    assert every["total"] < best["total"]
    assert every["position"] == best["position"]
    # Two targets are given to three slots: a sum over ordered pairs, the slot left over being absent.
    p = torch.sigmoid(slots[..., PRESENCE]).double()
    density = torch.empty((4, 3, 2), dtype=torch.float64)
    for j in range(2):
        truth = torch.cat([xy[:, j], intensity[:, j, None]], dim=-1)[:, None]
        sigma = slots[..., 4:]
        z = (slots[..., :3] - truth) / sigma
        density[..., j] = (-0.5 * z.square().sum(dim=-1)).exp() / sigma.prod(dim=-1) * 100.0
    sums = [
        p[:, a] * density[:, a, 0] * p[:, b] * density[:, b, 1] * (1 - p[:, 3 - a - b])
        for a, b in itertools.permutations(range(3), 2)
    ]
    expected = -torch.stack(sums).sum(dim=0).log().mean()
    assert every["total"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_loss_is_the_least_over_all_orders() -> None:
    slots = some_slots(6, 3)
    xy = torch.randn((6, 3, 2), generator=torch.Generator().manual_seed(5))
    intensity = torch.full((6, 3), 230.0)
    xy[0, 2], intensity[0, 2] = float("nan"), float("nan")
    losses = []
    for n in range(6):
        sums = []
        for order in itertools.permutations(range(3)):
            total = 0.0
            for slot, target in zip(slots[n], order, strict=True):
                x, y, s, logit, sx, sy, ss = slot.tolist()
                p = 1 / (1 + np.exp(-logit))
                if intensity[n, target].isnan():
                    total -= np.log(1 - p)
                    continue
                error = [(x - xy[n, target, 0]) / sx, (y - xy[n, target, 1]) / sy, (s - intensity[n, target]) / ss]
                total += 0.5 * sum(float(e) ** 2 for e in error) + np.log(sx * sy * ss / 100.0) - np.log(p)
            sums.append(total)
        losses.append(min(sums))
    terms = set_loss(slots, xy, intensity)
    assert terms["total"].item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert terms["total"].item() == pytest.approx(sum(t.item() for n, t in terms.items() if n != "total"), rel=1e-5)


def test_the_loss_does_not_know_the_order_of_targets_or_slots() -> None:
    slots = some_slots(5, 4)
    xy, intensity = torch.rand((5, 4, 2)), torch.full((5, 4), 230.0)
    order = torch.tensor([2, 0, 3, 1])
    expected = set_loss(slots, xy, intensity)["total"]
    assert torch.allclose(set_loss(slots, xy[:, order], intensity[:, order])["total"], expected)
    assert torch.allclose(set_loss(slots[:, order], xy, intensity)["total"], expected)


def test_fewer_slots_than_targets_are_refused() -> None:
    with pytest.raises(InputError, match="slots must be at least the 4 targets of a scene, got 3"):
        set_loss(some_slots(1, 3), torch.zeros((1, 4, 2)), torch.zeros((1, 4)))


# --- alternatives ----------------------------------------------------------------------------------------------------


def test_the_loss_of_alternatives_is_that_of_a_mixture_of_sets() -> None:
    found = some_alternatives(5, 3, 4)
    xy, intensity = 0.1 * torch.randn((5, 2, 2), generator=torch.Generator().manual_seed(2)), torch.full((5, 2), 231.0)
    terms = alternatives_loss(found, xy, intensity)
    shares = found.weight.softmax(dim=1)
    likely, judged = [], []
    for n in range(5):
        single = [set_loss(found.slots[n, a, None], xy[n, None], intensity[n, None])["total"] for a in range(3)]
        likely.append(-torch.stack([w * (-cost).exp() for w, cost in zip(shares[n], single, strict=True)]).sum().log())
        for a in range(3):
            slots = found.slots[n, a]
            gap = (slots[:, None, :2] - xy[n]).norm(dim=-1)
            # The assignment of least cost, by trying all: two targets to four slots.
            costs = {}
            for first, second in itertools.permutations(range(4), 2):
                order = [first, second, *(s for s in range(4) if s not in (first, second))]
                costs[first, second] = ordered_cost(slots[order], xy[n], intensity[n])
            chosen = min(costs, key=costs.__getitem__)
            aim = torch.zeros(4)
            for target, slot in enumerate(chosen):
                aim[slot] = sum(float(gap[slot, target] <= d) for d in THRESHOLDS) / 5
            p = found.correctness[n, a].sigmoid()
            judged.append(-0.5 * (shares[n, a] + 1 / 3) * (aim * p.log() + (1 - aim) * (1 - p).log()).sum())
    assert terms["correctness"].item() == pytest.approx((torch.stack(judged).sum() / 5).item(), rel=1e-4)
    expected = (torch.stack(likely).mean() + terms["correctness"]).item()
    assert terms["total"].item() == pytest.approx(expected, rel=1e-4)


def ordered_cost(slots: torch.Tensor, xy: torch.Tensor, intensity: torch.Tensor) -> float:
    """Cost of giving the first slots the targets in their order, the others none."""
    total = 0.0
    for index, slot in enumerate(slots):
        if index >= len(xy):
            total += float(torch.nn.functional.softplus(slot[PRESENCE]))
            continue
        error = (slot[:3] - torch.cat([xy[index], intensity[index, None]])) / slot[4:]
        total += float(0.5 * error.square().sum() + slot[4:].log().sum() - np.log(100.0))
        total += float(torch.nn.functional.softplus(-slot[PRESENCE]))
    return total
