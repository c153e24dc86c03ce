"""How likely a detection counts: the mean over CSO-mAP's thresholds d of the probability of lying within d.

The reference, for training-free methods, is `csist_bench.methods.fitting.hit_probability`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from csist_bench.conventions import THRESHOLDS
from csist_bench.methods.networks.common.constants import constant

SOFTNESS = 0.02  # px: of the thresholds, where a gradient is wanted
_ANGLES = 8  # quadrature points over a quarter turn: error below 1e-4 if the axes' errors differ by up to a factor of 4


def expected_correctness(sigma: Tensor) -> Tensor:
    """Return the mean over CSO-mAP's thresholds d of P(|error| <= d), error ~ N(0, diag(sigma^2)).

    In polar coordinates the radius integrates in closed form, leaving
    P = mean over angles of (1 - exp(-a d^2 / 2)) / (a sx sy),  a = (cos / sx)^2 + (sin / sy)^2.

    Parameters
    ----------
    sigma : Tensor, shape (..., 2), px

    Returns
    -------
    Tensor, shape (...)
    """
    angle = (torch.arange(_ANGLES, dtype=sigma.dtype, device=sigma.device) + 0.5) * (0.5 * math.pi / _ANGLES)
    inverse = 1.0 / sigma.unsqueeze(-1)  # (..., 2, 1)
    a = (angle.cos() * inverse[..., 0, :]).square() + (angle.sin() * inverse[..., 1, :]).square()  # (..., angles)
    # Thresholds are multiples n of the first, and exp(-b n^2) = exp(-b (n - 1)^2) exp(-b (2 n - 1)): one exponential.
    base = torch.exp(-0.5 * THRESHOLDS[0] ** 2 * a)
    beyond, factor, total = base, base, base
    for _ in THRESHOLDS[1:]:
        factor = factor * base * base
        beyond = beyond * factor
        total = total + beyond
    within = 1.0 - total / len(THRESHOLDS)
    return (within / a * (inverse[..., 0, :] * inverse[..., 1, :])).mean(dim=-1)


def correctness(distance: Tensor) -> Tensor:
    """Return the share of CSO-mAP's thresholds that distances (...), px, to their targets are within."""
    return (distance.unsqueeze(-1) <= constant(THRESHOLDS, distance)).to(distance.dtype).mean(dim=-1)


def soft_correctness(distance: Tensor) -> Tensor:
    """Return what `correctness` is with its steps smoothed by a logistic of `SOFTNESS`; it carries gradients."""
    return torch.sigmoid((constant(THRESHOLDS, distance) - distance.unsqueeze(-1)) / SOFTNESS).mean(dim=-1)
