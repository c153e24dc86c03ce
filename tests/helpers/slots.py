"""Slots for tests."""

from __future__ import annotations

import torch

from csist_bench.methods.networks.common.set_loss import LEARNED, Alternatives


def some_slots(n: int, k: int, seed: int = 0) -> torch.Tensor:
    slots = torch.randn((n, k, LEARNED), generator=torch.Generator().manual_seed(seed))
    slots[..., 2] = 235 + 10 * slots[..., 2]
    slots[..., 4:6] = 0.1 * slots[..., 4:6].exp()
    slots[..., 6] = 10 * slots[..., 6].exp()
    return slots


def some_alternatives(n: int, a: int, k: int) -> Alternatives:
    """Return random alternatives of n frames, a sets of k slots each."""
    generator = torch.Generator().manual_seed(1)
    slots = some_slots(n * a, k, seed=3).unflatten(0, (n, a))
    slots[..., :2] *= 0.2
    weight, right = torch.randn((n, a), generator=generator), torch.randn((n, a, k), generator=generator)
    return Alternatives(slots, weight, right, 0.5 * torch.randn((n, a), generator=generator))
