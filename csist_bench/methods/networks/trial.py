"""Untrained networks tried on a few frames: whether they learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from csist_bench.errors import must
from csist_bench.methods.networks.base import network_from_settings
from csist_bench.methods.networks.common.rendering import SceneLabels
from csist_bench.methods.networks.points import told_of
from csist_bench.methods.registry import Method, settings_of
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.simulation.scenes import Scenes

STEPS, LEARNING_RATE = 15, 1e-3


def untrained(method: Method, optics: Optics, settings: Mapping[str, Any]) -> nn.Module:
    """Return a network of fixed seed; torch's global generator is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return network_from_settings(method, optics, settings_of(method, settings))


def few_steps(
    method: Method, camera: Camera, settings: Mapping[str, Any], frames: NDArray[Any], scenes: Scenes
) -> tuple[list[str], list[float]]:
    """Train a network for a few steps of Adam, by its own loss or the mean squared error of heat maps.

    Parameters
    ----------
    frames : ndarray, shape (B, T, size, size), grey levels
    scenes : Scenes
        What they show.

    Returns
    -------
    (list of str, list of float)
        The parameters that no step gave a gradient, and the loss of each step.
    """
    model = untrained(method, camera.optics, settings).train()
    own = getattr(model, "loss", None)
    if own is None and method.output == "points":
        raise must(f"{method.name}: a network that answers points", "have a method loss", "none")
    given, wanted = torch.from_numpy(frames - camera.background).float(), _labels(method, camera, scenes)
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


def _labels(method: Method, camera: Camera, scenes: Scenes) -> Any:
    """Return what the loss of a network takes: the label grid, or the targets with what is told of the camera."""
    if method.output == "grid":
        return torch.from_numpy(grid_from_targets(scenes.xy, scenes.intensity, camera.optics)).float()
    told = told_of(camera, len(scenes.xy), torch.device("cpu"))
    xy, intensity = torch.from_numpy(scenes.xy).float(), torch.from_numpy(scenes.intensity).float()
    return SceneLabels(xy, intensity, told.noise_sigma, told.saturation)
