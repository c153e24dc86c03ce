"""Deformable convolution: each tap of a convolution reads the input at its own learned, fractional place.

Dai et al., "Deformable Convolutional Networks", ICCV 2017 (https://arxiv.org/abs/1703.06211), equations 2 and 3:

    y(p) = sum_k w_k x(p + p_k + delta_k(p)),   x(q) bilinear, zero outside the input.

Offsets delta are laid out as in mmcv: channel 2 (g K + k) holds the row shift and channel 2 (g K + k) + 1 the column
shift of tap k (row order) for deformable group g, in input pixels. Parameters carry mmcv's names, so state
dictionaries pass both ways. `CSIST_BENCH_DCN` chooses what computes: `auto` or `torch` (plain PyTorch, below), or
`mmcv` (its compiled operator, where installed).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.errors import InputError, must, unknown

BACKENDS = ("auto", "torch", "mmcv")
Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """How a kernel is laid over its input, as in an ordinary convolution; rows first.

    `deform_groups` are blocks of consecutive input channels that have offsets of their own.
    """

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    deform_groups: int = 1

    def output_size(self, size: Pair, kernel: Pair) -> Pair:
        """Return the rows and columns that an input of so many gives."""
        rows, columns = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(size, kernel, self.stride, self.padding, self.dilation)
        )
        if rows < 1 or columns < 1:
            raise must("x", f"be at least as large as the dilated kernel {kernel}", size)
        return rows, columns


PLAIN = Geometry()
KEEPING_3 = Geometry(padding=(1, 1))  # a 3x3 kernel keeps the size


class DeformConv2d(nn.Module):
    """Deformable convolution whose offsets are handed in; it has no bias, as in mmcv.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int)
    geometry : Geometry
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int | Pair, geometry: Geometry = PLAIN
    ) -> None:
        super().__init__()
        for name in ("groups", "deform_groups"):
            parts = getattr(geometry, name)
            if parts < 1 or in_channels % parts:
                raise must(name, f"divide in_channels = {in_channels}", parts)
        if out_channels % geometry.groups:
            raise must("groups", f"divide out_channels = {out_channels}", geometry.groups)
        self.kernel_size = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        self.geometry = geometry
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // geometry.groups, *self.kernel_size))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """Map x (B, C, H, W) and offset (B, 2 * deform_groups * taps, H', W') to (B, out_channels, H', W')."""
        return deform_conv2d(x, offset, self.weight, self.geometry)


class DeformConv2dPack(DeformConv2d):
    """Deformable convolution that finds its offsets by an ordinary convolution of its input, or of a guide.

    That convolution starts at zero, so the layer starts as an ordinary convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int | Pair, geometry: Geometry = PLAIN
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, geometry)
        numbers = 2 * geometry.deform_groups * self.kernel_size[0] * self.kernel_size[1]
        self.conv_offset = nn.Conv2d(
            in_channels, numbers, self.kernel_size, geometry.stride, geometry.padding, geometry.dilation
        )
        for parameter in self.conv_offset.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, guide: Tensor | None = None) -> Tensor:
        """Map x (B, C, H, W) to (B, out_channels, H', W').

        The offsets are found from `guide`, of the same shape as x; by default from x itself.
        """
        return super().forward(x, self.conv_offset(x if guide is None else guide))


def deform_conv2d(x: Tensor, offset: Tensor, weight: Tensor, geometry: Geometry = PLAIN) -> Tensor:
    """Return the deformable convolution of x (B, C, H, W) by the backend that `CSIST_BENCH_DCN` names.

    Parameters
    ----------
    x : Tensor, shape (B, C, H, W)
    offset : Tensor, shape (B, 2 * deform_groups * kh * kw, H', W'), px
    weight : Tensor, shape (out_channels, C / groups, kh, kw)

    Returns
    -------
    Tensor, shape (B, out_channels, H', W')
    """
    g, kernel = geometry, (weight.shape[2], weight.shape[3])
    size = g.output_size((x.shape[2], x.shape[3]), kernel)
    wanted = (x.shape[0], 2 * g.deform_groups * kernel[0] * kernel[1], *size)
    if tuple(offset.shape) != wanted:
        raise must("offset", f"have shape (B, 2 * deform_groups * taps, H', W') = {wanted}", tuple(offset.shape))
    if backend() == "mmcv":
        operator, at_once = _mmcv_operator(), _im2col_step(len(x))
        return operator(x, offset, weight, g.stride, g.padding, g.dilation, g.groups, g.deform_groups, False, at_once)
    return _weigh_taps(_sample_taps(x, offset, kernel, g), weight, g.groups, size)


def backend() -> str:
    """Return what computes the deformable convolutions: "torch" or "mmcv"."""
    name = os.environ.get("CSIST_BENCH_DCN", "") or "auto"
    if name not in BACKENDS:
        raise unknown("CSIST_BENCH_DCN backend", name, BACKENDS)
    return "mmcv" if name == "mmcv" else "torch"


def _sample_taps(x: Tensor, offset: Tensor, kernel: Pair, geometry: Geometry) -> Tensor:
    """Return the input read at every tap's place, shape (B, C, taps, H' * W')."""
    b, channels, height, width = x.shape
    deform_groups = geometry.deform_groups
    taps, (rows, columns) = kernel[0] * kernel[1], (offset.shape[2], offset.shape[3])
    # Half precision would move a tap by up to 1/64 px at the far edge of a 33-pixel grid.
    dtype = torch.promote_types(offset.dtype, torch.float32)
    shift = offset.to(dtype).reshape(b * deform_groups, taps, 2, rows, columns)
    down = _undeformed_taps(0, kernel, rows, geometry, shift)  # (kh, H')
    across = _undeformed_taps(1, kernel, columns, geometry, shift)  # (kw, W')
    row = shift[:, :, 0] + down.repeat_interleave(kernel[1], dim=0)[:, :, None]
    column = shift[:, :, 1] + across.repeat(kernel[0], 1)[:, None, :]
    grouped = x.to(dtype).reshape(b * deform_groups, channels // deform_groups, height, width)
    # grid_sample cannot scale coordinates along an axis of one pixel; a zero beside it changes nothing.
    grouped = functional.pad(grouped, (0, int(width == 1), 0, int(height == 1)))
    last_row, last_column = max(height, 2) - 1, max(width, 2) - 1
    grid = torch.stack((column * (2 / last_column) - 1, row * (2 / last_row) - 1), dim=-1)
    grid = grid.reshape(b * deform_groups, taps, rows * columns, 2)
    sampled = functional.grid_sample(grouped, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return sampled.to(x.dtype).reshape(b, channels, taps, rows * columns)


def _undeformed_taps(axis: int, kernel: Pair, size: int, geometry: Geometry, like: Tensor) -> Tensor:
    """Return where the taps of an undeformed kernel read along an axis, shape (taps, size), px."""
    stride, padding, dilation = geometry.stride[axis], geometry.padding[axis], geometry.dilation[axis]
    start = torch.arange(size, dtype=like.dtype, device=like.device) * stride - padding
    return start[None, :] + torch.arange(kernel[axis], dtype=like.dtype, device=like.device)[:, None] * dilation


def _weigh_taps(samples: Tensor, weight: Tensor, groups: int, size: Pair) -> Tensor:
    """Return the sum over channels and taps of the samples (B, C, taps, L), shape (B, out_channels, H', W')."""
    b, channels, taps, length = samples.shape
    if groups == 1:
        # A broadcast batch product: matmul would fold the batch by copying every sample.
        mixed = torch.bmm(weight.reshape(1, len(weight), -1).expand(b, -1, -1), samples.flatten(1, 2))
    else:
        blocks = samples.reshape(b, groups, channels // groups * taps, length)
        mixed = weight.reshape(groups, len(weight) // groups, -1) @ blocks  # (B, groups, out / groups, L)
    return mixed.reshape(b, len(weight), *size)


def _mmcv_operator() -> Callable[..., Tensor]:
    try:
        from mmcv.ops import deform_conv2d as operator
    except ImportError as error:
        raise InputError(
            f"CSIST_BENCH_DCN=mmcv needs mmcv with its compiled operators ({error}); "
            "install it with: pip install 'csist-bench[mmcv]', or unset CSIST_BENCH_DCN"
        ) from None
    return operator


def _im2col_step(batch: int) -> int:
    """Return the largest divisor of the batch up to 32: mmcv accepts no other step."""
    return max((step for step in range(1, 33) if batch % step == 0), default=1)
