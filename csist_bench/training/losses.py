"""What is minimised: the network's own loss where it has one, else the mean squared error to the label grids.

Published training (SeqCSIST, TGRS 2025, section IV): mean squared error to the label grid over the scored frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from csist_bench.errors import InputError, unknown

Terms = dict[str, Tensor]


class Objective(nn.Module):
    """A network with its loss: frames and labels in, named terms out; "total" is minimised.

    Parameters
    ----------
    model : nn.Module
    scored : slice
        Frames of a unit that count.
    weights : mapping
        Weights of the loss's terms, which replace the network's own total.
    """

    def __init__(self, model: nn.Module, scored: slice, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.model = model
        self.scored = scored
        self.weights = dict(weights)

    def forward(self, frames: Tensor, labels: Any) -> Terms:
        """Return the terms for frames (B, T, size, size) and label grids (B, T, c * size, c * size), grey levels.

        A network that answers points has the labels that its own loss takes in place of grids.
        """
        own: Callable[[Tensor, Any, slice], Terms] | None = getattr(self.model, "loss", None)
        if own is None:
            error = self.model(frames)[:, self.scored].float() - labels[:, self.scored]
            terms = {"total": error.square().mean()}
        else:
            terms = own(frames, labels, self.scored)
        if self.weights:
            terms = {**terms, "total": weighted_total(terms, self.weights)}
        return terms


def weighted_total(terms: Terms, weights: Mapping[str, float]) -> Tensor:
    """Return the weighted sum of terms; a weight for a term that the loss does not have is an error."""
    known = [name for name in terms if name != "total"]
    if not known:
        raise InputError("loss_weights must be empty for a network whose loss has a single term")
    for name in weights:
        if name not in known:
            raise unknown("loss term", name, known)
    return torch.stack([weight * terms[name].float() for name, weight in weights.items()]).sum()
