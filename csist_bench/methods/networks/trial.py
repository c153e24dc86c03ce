"""Untrained networks tried on a few frames: whether they learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from csist_bench.methods.networks.base import network_from_settings
from csist_bench.methods.registry import Method, settings_of
from csist_bench.simulation.optics import Optics

STEPS, LEARNING_RATE = 15, 1e-3


def untrained(method: Method, optics: Optics, settings: Mapping[str, Any]) -> nn.Module:
    """Return a network of fixed seed; torch's global generator is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return network_from_settings(method, optics, settings_of(method, settings))


def few_steps(
    method: Method, optics: Optics, settings: Mapping[str, Any], frames: NDArray[Any], labels: NDArray[Any]
) -> tuple[list[str], list[float]]:
    """Train a network that answers a grid for a few steps of Adam.

    Parameters
    ----------
    frames : ndarray, shape (B, T, size, size), grey levels
    labels : ndarray, shape (B, T, c * size, c * size), grey levels

    Returns
    -------
    (list of str, list of float)
        The parameters that no step gave a gradient, and the loss of each step.
    """
    model = untrained(method, optics, settings).train()
    given, wanted = torch.from_numpy(frames).float(), torch.from_numpy(labels).float()
    own = getattr(model, "loss", None)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    silent, losses = {name for name, _ in model.named_parameters()}, []
    for _ in range(STEPS):
        loss = own(given, wanted, slice(None))["total"] if own else (model(given) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        silent -= {name for name, one in model.named_parameters() if one.grad is not None and bool(one.grad.any())}
        optimiser.step()
        losses.append(float(loss.detach()))
    return sorted(silent), losses
