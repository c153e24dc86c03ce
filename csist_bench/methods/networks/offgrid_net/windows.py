"""Windows about the blob of each frame, and where they lie."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

CORE = 5  # px: holds nearly all the light of a blob


def blob_centre(frames: Tensor) -> Tensor:
    """Return the pixel (row, column) nearest to the blob's centroid, int64 (N, 2), of frames (N, S, S).

    The centroid is taken over 5 x 5 px about the brightest 3 x 3 px, so noise far from the blob does not move it.
    """
    size = frames.shape[-1]
    padded = functional.pad(frames, (1, 1, 1, 1))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    box = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]  # a pooling layer takes several times as long
    brightest = box.flatten(1).argmax(dim=1)
    pixel = torch.stack([brightest // size, brightest % size], dim=1)
    shift = centroid(windows_about(frames, pixel, CORE)).round().long()
    return (pixel + shift).clamp(0, size - 1)


def centroid(windows: Tensor) -> Tensor:
    """Return the centroid (row, column) of the light in the inner 5 x 5 px of windows (N, W, W), px from the middle."""
    light = core(windows).relu()
    offset = torch.arange(light.shape[-1], dtype=light.dtype, device=light.device) - light.shape[-1] // 2
    total = light.sum(dim=(1, 2)).clamp_min(1e-6)
    along_rows = (light * offset[:, None]).sum(dim=(1, 2)) / total
    along_columns = (light * offset).sum(dim=(1, 2)) / total
    return torch.stack([along_rows, along_columns], dim=1)


def core(windows: Tensor) -> Tensor:
    """Return the inner 5 x 5 px of windows (N, W, W), W odd; all of a smaller window."""
    out = max(0, (windows.shape[-1] - CORE) // 2)
    return windows[:, out : windows.shape[-1] - out, out : windows.shape[-1] - out]


def windows_about(frames: Tensor, pixel: Tensor, side: int) -> Tensor:
    """Cut `side` x `side` px (odd) about pixels (N, 2) out of frames (N, S, S); 0 beyond the image."""
    half = side // 2
    padded = functional.pad(frames, (half, half, half, half))
    reach, width = torch.arange(side, device=frames.device), padded.shape[-1]
    first = pixel[:, 0] * width + pixel[:, 1]
    within = (reach[:, None] * width + reach).flatten()
    # A gather of flat values takes half the time of picking by rows and columns.
    return padded.flatten(1).gather(1, first[:, None] + within).unflatten(1, (side, side))


def border_distances(pixel: Tensor, size: int, most: int) -> Tensor:
    """Return how far pixels (N, 2) are from the four sides of the image as shares of `most` px, at most 1, (N, 4)."""
    both = torch.cat([pixel, size - 1 - pixel], dim=1)
    return both.clamp(max=most) / most
