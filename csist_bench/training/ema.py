"""Exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """The moving average of a network's parameters: average <- d average + (1 - d) weights after every step.

    The decay d starts low, min(decay, (1 + n) / (10 + n)) after n steps, so that the first weights are soon forgotten.
    A decay of 0 keeps no average: the weights themselves then stand for it.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = model
        self.decay = decay
        self.tensors = {n: p.detach().clone() for n, p in model.named_parameters()} if decay else {}

    def update(self, steps: int) -> None:
        """Take in the weights after `steps` steps."""
        if self.decay:
            decay = min(self.decay, (1 + steps) / (10 + steps))
            live = [p.detach() for p in self.model.parameters()]
            torch._foreach_lerp_(list(self.tensors.values()), live, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[nn.Module]:
        """Give the network with the average in place of its weights, which are put back afterwards."""
        live = {n: p.detach().clone() for n, p in self.model.named_parameters() if n in self.tensors}
        _copy(self.model, self.tensors)
        try:
            yield self.model
        finally:
            _copy(self.model, live)

    def settle(self) -> None:
        """Put the average in place of the weights for good."""
        _copy(self.model, self.tensors)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from a saved average."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])


@torch.no_grad()
def _copy(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    for name, parameter in model.named_parameters():
        if name in tensors:
            parameter.copy_(tensors[name])
