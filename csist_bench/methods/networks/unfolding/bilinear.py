"""Bilinear reads of feature maps at fractional places, as weighted sums of rows of a table.

A feature map kept channels-last is a table with one row of channels a pixel; a read at a fractional place is a sum of
four rows with bilinear weights, which `embedding_bag` does about three times faster on a CPU than `grid_sample`, and
without copying a map for every place that reads it. The map has a border of zeros, so that reads outside it fade out
as zero padding asks.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def rows_and_weights(offset: Tensor, kernel: int) -> tuple[Tensor, Tensor]:
    """Turn the offsets of a size-keeping deformable convolution into table rows and bilinear weights.

    Parameters
    ----------
    offset : Tensor, shape (B, 2 * kernel^2, H, W), px
        Row and column shift of each tap, interleaved.
    kernel : int
        Odd side of the kernel.

    Returns
    -------
    rows : int32 Tensor, shape (B, H, W, taps, 4)
        Pixels of one map padded by one pixel, counted in row order.
    weights : Tensor, shape (B, H, W, taps, 4)
    """
    b, _, height, width = offset.shape
    # Half precision would move a tap by up to 1/64 px at the far edge of a 33-pixel grid.
    shift = offset.float().reshape(b, kernel * kernel, 2, height, width).permute(0, 2, 3, 4, 1)  # (B, 2, H, W, taps)
    tap = torch.arange(kernel * kernel, device=offset.device)
    down = torch.arange(height, device=offset.device)[:, None, None] + tap // kernel - kernel // 2
    across = torch.arange(width, device=offset.device)[None, :, None] + tap % kernel - kernel // 2
    # One pixel outside the map everything is zero, so places farther out are read there; +1 for the border.
    row = (shift[:, 0] + down).clamp(-1, height) + 1
    column = (shift[:, 1] + across).clamp(-1, width) + 1
    top, left = row.detach().floor().clamp(max=height), column.detach().floor().clamp(max=width)
    low, right = row - top, column - left
    high = 1 - low
    weights = torch.stack((high - high * right, high * right, low - low * right, low * right), dim=-1)
    first = (top * (width + 2) + left).int()
    rows = torch.stack((first, first + 1, first + width + 2, first + width + 3), dim=-1)
    return rows, weights


def table_from_maps(maps: Tensor) -> Tensor:
    """Return maps (B, C, H, W) with a border of zeros as rows of channels, shape (B * (H + 2) * (W + 2), C)."""
    return functional.pad(maps, (1, 1, 1, 1)).permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def weighted_rows(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Return sum_k weights[m, k] table[rows[m, k]]: table (R, C), rows and weights (M, K) -> (M, C)."""
    summed = functional.embedding_bag(rows, table.detach(), per_sample_weights=weights, mode="sum")
    if not table.requires_grad:
        return summed
    with_gradient: Tensor = _TableGradient.apply(summed, table, rows, weights.detach())
    return with_gradient


class _TableGradient(torch.autograd.Function):
    """Passes the sums on and hands the table its gradient, which is again a sum of weighted rows.

    Sorting the reads by the row they came from turns the scattered adds into ordered ones, which took about half the
    time of `embedding_bag`'s own gradient on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, summed: Tensor, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.table_rows = len(table)
        return summed.view_as(summed)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (rows, weights), gradient = ctx.saved_tensors, gradients[0].contiguous()
        ordered, order = rows.flatten().sort()
        each = torch.arange(ctx.table_rows, dtype=rows.dtype, device=rows.device)
        starts = torch.searchsorted(ordered, each)  # counting the reads would make a GPU wait for their number
        readers = torch.div(order, rows.shape[1], rounding_mode="floor")
        scattered = functional.embedding_bag(
            readers, gradient, starts, per_sample_weights=weights.flatten()[order], mode="sum"
        )
        return gradient, scattered, None, None
