"""Scenes for tests: four targets on a cross."""

from __future__ import annotations

import numpy as np
import torch

from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets


def crosses(angle: np.ndarray, noise: float = 0.0) -> tuple[torch.Tensor, np.ndarray]:
    """Return frames (N, 1, 11, 11) of four targets on arms of 0.3 px, turned by angles (N,) rad, and their places."""
    rng = np.random.default_rng(0)
    arms = angle[:, None] + np.arange(4) * np.pi / 2
    xy = rng.uniform(4.0, 6.0, (len(angle), 1, 2)) + 0.3 * np.stack([np.cos(arms), np.sin(arms)], axis=-1)
    clean = frames_from_targets(xy, np.full((len(angle), 4), 235.0), Optics())
    return torch.tensor(clean + noise * rng.normal(size=clean.shape)).float().unsqueeze(1), xy
