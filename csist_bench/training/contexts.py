"""Changes of a network that hold for one stage or one validation, and are undone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from csist_bench.methods.networks.common.sampling import Sampling


@contextmanager
def sampled_by(model: nn.Module, sampling: Sampling) -> Iterator[None]:
    """Give a network the imaging operator of other frames; networks that have none are left as they are."""
    if not hasattr(model, "sampling"):
        yield
        return
    before, model.sampling = model.sampling, sampling
    try:
        yield
    finally:
        model.sampling = before


@contextmanager
def learning_only(model: nn.Module, part: nn.Module) -> Iterator[None]:
    """Keep every parameter of a network fixed but for those of one part."""
    learned = set(part.parameters())
    fixed = [p for p in model.parameters() if p.requires_grad and p not in learned]
    for parameter in fixed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in fixed:
            parameter.requires_grad_(True)
