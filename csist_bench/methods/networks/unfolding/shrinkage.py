"""Shrinkage functions of sparse coding: soft, hard (as a trainable ramp), and soft with support selection."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SCALE = 100.0  # grey levels that the unfolding networks divide frames by


def soft_threshold(x: Tensor, theta: Tensor) -> Tensor:
    """Return sign(x) max(|x| - |theta|, 0); `theta` broadcasts against x.

    The magnitude of theta counts, so that a threshold that training pushes through zero stays alive.
    """
    shrunk: Tensor = _SoftThreshold.apply(x, theta.abs())
    return shrunk


class _SoftThreshold(torch.autograd.Function):
    """The soft threshold with a gradient that keeps one tensor, not the five of the composed formula."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, theta: Tensor) -> Tensor:
        shrunk = x - torch.clamp(x, -theta, theta)
        ctx.save_for_backward(shrunk)
        ctx.theta_shape = theta.shape
        return shrunk

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (shrunk,), gradient = ctx.saved_tensors, gradients[0]
        sign = torch.sign(shrunk)
        return gradient * sign.abs(), -(gradient * sign).sum_to_size(ctx.theta_shape)


def hard_threshold(x: Tensor, theta: Tensor, ramp: float) -> Tensor:
    """Return x where |x| >= |theta| and 0 where |x| <= (1 - ramp) |theta|, linear in between.

    This is the HELU unit of the deep l0 encoder (Wang, Ling, Huang, AAAI 2016, eq. 8) scaled by theta: the true step
    would give theta no gradient.
    """
    theta = theta.abs()
    rise = torch.clamp((x.abs() - (1 - ramp) * theta) / (ramp * theta + 1e-12), 0.0, 1.0)
    # On the ramp the value is theta times the rise; from theta on it is |x|.
    return torch.sign(x) * torch.where(rise < 1, theta * rise, x.abs())


def shrink_with_support(x: Tensor, theta: Tensor, share: float) -> Tensor:
    """Soft-threshold all but the largest `share` of each row's entries, which are trusted and pass unchanged.

    Chen, Liu, Wang and Yin, NeurIPS 2018, eq. 11. x has shape (..., n); of equal magnitudes all are trusted.
    """
    trusted = min(int(share * x.shape[-1]), x.shape[-1])
    shrunk = soft_threshold(x, theta)
    if trusted == 0:
        return shrunk
    magnitude = x.detach().abs()
    smallest = torch.topk(magnitude, trusted, dim=-1, sorted=True).values[..., -1:]
    return torch.where(magnitude >= smallest, x, shrunk)
