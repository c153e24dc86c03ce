"""Where a blob is in each frame of a sequence, by a smooth path through all of them.

A blob's place in one frame has the noise of that frame; blobs move smoothly, so a polynomial fitted to the frames
around has less. The places are those of a round blob of the usual breadth, fitted by least squares: their noise is a
third of a plain centroid's, and pixels, which are few, do not pull them. Where light lies unevenly such a place is off
the centroid, by much the same in every frame.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor

ROUNDS = 4  # of Gauss and Newton's step
MOST = 1.5  # px from the window's middle
CUBIC_FROM = 4  # frames on either side: fewer are fitted by a line


def fitted_places(windows: Tensor, start: Tensor, blob_sigma: float) -> Tensor:
    """Return where (row, column) a round blob fits windows (N, W, W) best, px from the middle, (N, 2).

    The blob is a Gaussian of `blob_sigma` px integrated over pixels; its flux is fitted too. `start` is (N, 2).
    """
    half = windows.shape[-1] // 2
    edges = torch.arange(-half, half + 2, dtype=windows.dtype, device=windows.device) - 0.5
    place = start
    for _ in range(ROUNDS):
        u = (edges - place.unsqueeze(-1)) / blob_sigma  # (N, 2, W + 1)
        rows, columns = torch.special.ndtr(u).diff(dim=-1).unbind(dim=1)
        down, across = (-torch.exp(-0.5 * u.square()).diff(dim=-1)).unbind(dim=1)  # up to a factor, their derivatives
        flux = _dot(windows, rows, columns) / (rows.square().sum(dim=1) * columns.square().sum(dim=1))
        steps = []
        for seen, side, moved, other in (
            (_dot(windows, down, columns), rows, down, columns),
            (_dot(windows, rows, across), columns, across, rows),
        ):
            square = other.square().sum(dim=1)
            rest = seen - flux * (side * moved).sum(dim=1) * square
            steps.append(rest / (flux * moved.square().sum(dim=1) * square).clamp_min(1.0))
        place = (place + blob_sigma * math.sqrt(2 * math.pi) * torch.stack(steps, dim=1)).clamp(-MOST, MOST)
    return place


def _dot(windows: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return torch.einsum("nij,ni,nj->n", windows, rows, columns)


def smooth_paths(places: Tensor, reach: int) -> Tensor:
    """Return, for every frame, where the path through the frames at most `reach` away passes around it.

    Parameters
    ----------
    places : Tensor, shape (B, T, 2), px
    reach : int

    Returns
    -------
    Tensor, shape (B, T, 2 reach + 1, 2), px
        At each lag from -reach to reach, on a line or a cubic fitted to those frames; beyond the sequence's ends too.
    """
    matrix = _smoother_on(places.shape[1], reach, places.dtype, places.device)
    return torch.einsum("tls,bsd->btld", matrix, places)


@functools.lru_cache(maxsize=64)
def _smoother_on(frames: int, reach: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # kept for calls that take gradients, too
        return torch.from_numpy(_smoother(frames, reach)).to(device, dtype)


def _smoother(frames: int, reach: int) -> np.ndarray:
    """Return the matrix (T, L, T) from places to those on the path of each frame at each lag."""
    matrix = np.zeros((frames, 2 * reach + 1, frames))
    for frame in range(frames):
        around = np.arange(max(0, frame - reach), min(frames, frame + reach + 1))
        degree = min(3 if reach >= CUBIC_FROM else 1, len(around) - 1)
        seen, asked = (
            np.vander(lags / (reach + 1), degree + 1, increasing=True)
            for lags in (around - frame, np.arange(-reach, reach + 1))
        )
        matrix[frame][:, around] = asked @ np.linalg.pinv(seen)
    return matrix
