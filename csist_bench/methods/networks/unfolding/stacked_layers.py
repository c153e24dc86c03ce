"""Networks of the learned shrinkage family: layers with matrices of their own, stacked in one parameter each."""

from __future__ import annotations

from typing import Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.shrinkage import SCALE

Start = Literal["least-squares", "gradient"]
PairStart = Literal["least-squares", "gradient", "identity"]


class StackedLayers(nn.Module):
    """Layers on flat grids; a subclass says what they do in `_unmix`."""

    resizable = False
    stacked_layers = True

    def __init__(self, sampling: Sampling) -> None:
        super().__init__()
        self.sampling = sampling

    def forward(self, frames: Tensor) -> Tensor:
        """Unmix frames (B, T, S, S) into label grids (B, T, cS, cS), grey levels."""
        side = self.sampling.grid_size
        return SCALE * self._unmix(frames.flatten(0, 1) / SCALE).reshape(*frames.shape[:2], side, side)

    def _unmix(self, y: Tensor) -> Tensor:
        """Map frames (B, S, S) to flat grids (B, n), both in units of `SCALE`."""
        raise NotImplementedError

    def _left(self, y: Tensor, x: Tensor) -> Tensor:
        """Return the residual y - Phi x, (B, S, S), of flat grids x (B, n)."""
        side = self.sampling.grid_size
        return y - self.sampling(x.unflatten(1, (side, side)))


class PairSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of LISTA and, but for `theta`, of LIHT."""

    layers: int = 16
    theta: float = 5.0  # start value of the thresholds, grey levels
    start: PairStart = "least-squares"


class PairNetwork(StackedLayers):
    """x' = shrink(W x + B y, theta) from x = Q y, with W, B and theta of each layer's own."""

    def __init__(self, sampling: Sampling, settings: PairSettings) -> None:
        super().__init__(sampling)
        layers = settings.layers
        feedback, feedforward = operator_pair(sampling, settings.start)
        self.feedback = nn.Parameter(feedback.repeat(layers, 1, 1))  # W (layers, n, n)
        self.feedforward = nn.Parameter(feedforward.repeat(layers, 1, 1))  # B (layers, n, m)
        self.threshold = nn.Parameter(torch.full((layers, len(feedback)), settings.theta / SCALE))

    def _unmix(self, y: Tensor) -> Tensor:
        x = self.sampling.initial(y).flatten(1)  # (B, n)
        y = y.flatten(1)  # (B, m)
        for w, b, theta in zip(self.feedback, self.feedforward, self.threshold):
            x = self._shrink(functional.linear(x, w) + functional.linear(y, b), theta)
        return x

    def _shrink(self, x: Tensor, theta: Tensor) -> Tensor:
        """Shrink x (B, n) by thresholds theta (n,)."""
        raise NotImplementedError


def feedforward_matrix(sampling: Sampling, start: Start) -> Tensor:
    """Return the matrix from frames to grids, shape (n, m): Q, or Phi^T / L."""
    if start == "least-squares":
        return sampling.initialiser.clone()
    return sampling.matrix().T / sampling.lipschitz


def operator_pair(sampling: Sampling, start: PairStart) -> tuple[Tensor, Tensor]:
    """Return W = I - B Phi, shape (n, n), and B, shape (n, m): one step towards the frame is W x + B y.

    With the start "identity" W = I and B = Q, as in the benchmark's LIHT: every layer adds B y once more.
    """
    feedforward = feedforward_matrix(sampling, "least-squares" if start == "identity" else start)
    identity = torch.eye(len(feedforward))
    return identity if start == "identity" else identity - feedforward @ sampling.matrix(), feedforward
