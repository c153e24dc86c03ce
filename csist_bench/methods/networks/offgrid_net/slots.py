"""Slots of OffGrid-Net: what the last layer's numbers mean, and the polygons that alternatives start as."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from csist_bench.methods.networks.common.constants import constant
from csist_bench.methods.networks.common.correctness import expected_correctness
from csist_bench.methods.networks.common.set_loss import INTENSITY, PRESENCE, SIGMA_X, SIGMA_Y
from csist_bench.methods.networks.offgrid_net.mixture_weights import USUAL_INTENSITY

SCALE = 100.0  # grey levels
LEAST_ERROR, LEAST_INTENSITY_ERROR = 1e-3, 0.05  # px, grey levels: keeps the likelihood bounded
FIRST_ERROR, FIRST_INTENSITY_ERROR = 0.3, 10.0  # px, grey levels: of an untrained network


def slots_from_raw(raw: Tensor) -> Tensor:
    """Turn the last layer's numbers (..., 7) into slots, positions about the blob's centroid."""
    intensity = USUAL_INTENSITY + SCALE * raw[..., 2:3]
    error = torch.hypot(FIRST_ERROR * raw[..., 4:6].exp(), constant(LEAST_ERROR, raw))
    intensity_error = torch.hypot(FIRST_INTENSITY_ERROR * raw[..., 6:7].exp(), constant(LEAST_INTENSITY_ERROR, raw))
    return torch.cat([raw[..., :2], intensity, raw[..., 3:4], error, intensity_error], dim=-1)


def moved(slots: Tensor, by: Tensor) -> Tensor:
    """Return slots (..., 7) with their positions moved, px."""
    return torch.cat([slots[..., :INTENSITY] + by, slots[..., INTENSITY:]], dim=-1)


def own_correctness(slots: Tensor) -> Tensor:
    """Return how correct slots (..., 7) are expected to be by their own presence and errors alone, (...)."""
    return slots[..., PRESENCE].sigmoid() * expected_correctness(slots[..., SIGMA_X : SIGMA_Y + 1])


def polygons(turn: Tensor, alternatives: int, slots: int) -> Tensor:
    """Return regular polygons, one for each alternative and each turned against the others, px.

    They are turned by angles (N,), rad; the result has shape (N, alternatives, slots, 2).
    """
    of_slots, of_sets = (torch.arange(count, device=turn.device) for count in (slots, alternatives))
    step = of_slots + of_sets[:, None] / alternatives
    angle = turn[:, None, None] + 2 * math.pi / slots * step.to(turn)
    return FIRST_ERROR * torch.stack([angle.cos(), angle.sin()], dim=-1)
