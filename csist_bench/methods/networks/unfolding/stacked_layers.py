"""Start values of the dense matrices of the learned shrinkage family."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from csist_bench.methods.networks.common.sampling import Sampling

Start = Literal["least-squares", "gradient"]
PairStart = Literal["least-squares", "gradient", "identity"]


def feedforward_matrix(sampling: Sampling, start: Start) -> Tensor:
    """Return the matrix from frames to grids, shape (n, m): Q, or Phi^T / L."""
    if start == "least-squares":
        return sampling.initialiser.clone()
    return sampling.matrix().T / sampling.lipschitz


def operator_pair(sampling: Sampling, start: PairStart) -> tuple[Tensor, Tensor]:
    """Return W = I - B Phi, shape (n, n), and B, shape (n, m): one step towards the frame is W x + B y.

    With the start "identity" W = I and B = Q, as in the benchmark's LIHT: every layer adds B y once more.
    """
    if start == "identity":
        feedforward = feedforward_matrix(sampling, "least-squares")
        return torch.eye(len(feedforward)), feedforward
    feedforward = feedforward_matrix(sampling, start)
    feedback = torch.eye(len(feedforward)) - feedforward @ sampling.matrix()
    return feedback, feedforward
