"""Slots for tests."""

from __future__ import annotations

import torch

from csist_bench.models.layers.set_loss import LEARNED


def some_slots(n: int, k: int, seed: int = 0) -> torch.Tensor:
    slots = torch.randn((n, k, LEARNED), generator=torch.Generator().manual_seed(seed))
    slots[..., 2] = 235 + 10 * slots[..., 2]
    slots[..., 4:6] = 0.1 * slots[..., 4:6].exp()
    slots[..., 6] = 10 * slots[..., 6].exp()
    return slots
