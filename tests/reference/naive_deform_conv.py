"""Deformable convolution by loops over everything, straight from equations 2 to 4 of Dai et al., ICCV 2017."""

from __future__ import annotations

import math

import numpy as np


def naive_deform_conv(x, offset, weight, stride, padding, dilation, groups, deform_groups):
    """Return the deformable convolution of x (B, C, H, W); stride, padding and dilation are (rows, columns)."""
    b, channels, height, width = x.shape
    out_channels, per_group, kh, kw = weight.shape
    rows = (height + 2 * padding[0] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    columns = (width + 2 * padding[1] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((b, out_channels, rows, columns))
    for n in range(b):
        for o in range(out_channels):
            first_channel = o // (out_channels // groups) * per_group
            for r in range(rows):
                for c in range(columns):
                    for i in range(per_group):
                        channel = first_channel + i
                        block = channel // (channels // deform_groups)
                        for tap in range(kh * kw):
                            at = 2 * (block * kh * kw + tap)
                            row = r * stride[0] - padding[0] + tap // kw * dilation[0] + offset[n, at, r, c]
                            column = c * stride[1] - padding[1] + tap % kw * dilation[1] + offset[n, at + 1, r, c]
                            value = bilinear(x[n, channel], row, column)
                            out[n, o, r, c] += weight[o, i, tap // kw, tap % kw] * value
    return out


def bilinear(image, row, column):
    """Return the image at a fractional place: four corners weighted by nearness, zero outside."""
    total = 0.0
    for r in (math.floor(row), math.floor(row) + 1):
        for c in (math.floor(column), math.floor(column) + 1):
            if 0 <= r < image.shape[0] and 0 <= c < image.shape[1]:
                total += (1 - abs(row - r)) * (1 - abs(column - c)) * image[r, c]
    return total
