"""Frames of point targets in torch: the renderer of `csist_bench.simulation.rendering` for training on any device.

Equation in `simulation.optics`. In float32 a pixel is within 1e-6 of a target's intensity of the float64 kernel.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class SceneLabels(NamedTuple):
    """What is known of B sequences of T frames with up to K targets each.

    `xy` (B, T, K, 2) px and `intensity` (B, T, K) grey levels are NaN where there is no target; `noise_sigma` (B,) grey
    levels is the noise that a method is told, `saturation` (B,) the level at which pixels clip (inf: none).
    """

    xy: Tensor
    intensity: Tensor
    noise_sigma: Tensor
    saturation: Tensor


def frames_from_targets(xy: Tensor, intensity: Tensor, psf_sigma: float, size: int) -> Tensor:
    """Render noise-free frames of point targets.

    Parameters
    ----------
    xy : Tensor, shape (..., K, 2), px
        NaN marks an absent target.
    intensity : Tensor, shape (..., K), grey levels

    Returns
    -------
    Tensor, shape (..., size, size), grey levels
    """
    absent = xy.isnan().any(dim=-1) | intensity.isnan()
    place = xy.masked_fill(absent.unsqueeze(-1), 0.0)
    present = intensity.masked_fill(absent, 0.0)
    columns, rows = profiles(place, psf_sigma, size).unbind(dim=-2)  # (..., K, size) each
    return (rows * present.unsqueeze(-1)).mT @ columns


def profiles(place: Tensor, psf_sigma: float, size: int) -> Tensor:
    """Return the share of a target's light in each column and in each row, (..., 2, size), for places (..., 2), px."""
    edge = torch.arange(size + 1, dtype=place.dtype, device=place.device) - 0.5
    # Each pixel edge is shared by two pixels, so the distribution function is taken once per edge.
    below = 0.5 * torch.erf((edge - place.unsqueeze(-1)) / (psf_sigma * math.sqrt(2.0)))
    return below.diff(dim=-1)
