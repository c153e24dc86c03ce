"""Iterative solvers on the label grid: ISTA, and plain iterative deconvolution.

ISTA works on a block of frames at a time, with the frame as the middle axis, so that all four products of an iteration
are plain matrix products of contiguous arrays (BLAS) and a block stays in the second-level cache. The callers are in
`csist_bench.methods.grid`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner

F32 = NDArray[np.float32]

FRAMES_PER_BLOCK = 16


@jit_inner
def shrink_step(x: F32, gradient: F32, rate: float, threshold: float, active: NDArray[np.bool_], moved: F32) -> None:
    """x <- soft(x - rate gradient, threshold) for the active frames; `x`, `gradient` (n, F, n), `moved` (F, n) scratch.

    `moved` receives the squared steps of each frame, summed over rows.
    """
    zero, pace, level = np.float32(0.0), np.float32(rate), np.float32(threshold)
    moved[:] = zero
    for k in range(x.shape[0]):
        for f in range(x.shape[1]):
            if active[f]:
                row, slope, path = x[k, f], gradient[k, f], moved[f]
                for c in range(x.shape[2]):
                    old = row[c]
                    value = old - pace * slope[c]
                    above = value - level if value > level else zero
                    below = value + level if value < -level else zero
                    new = above + below
                    row[c] = new
                    path[c] += (new - old) * (new - old)


@jit
def ista(frames: F32, g: F32, step: float, penalty: float, iterations: int, tolerance: float, x: F32) -> int:
    """Minimise ||y - G x G^T||^2 / 2 + penalty ||x||_1 per frame, x <- soft(x - step grad, step penalty), in place.

    `frames` (N, S, S), `g` (S, n), `x` (N, n, n) holds the start and receives the answer. A frame stops when its step
    is shorter than `tolerance`. Returns how many frames stopped before `iterations`.
    """
    size, n = g.shape
    width = FRAMES_PER_BLOCK
    gt = np.ascontiguousarray(g.T)
    block, shown = np.zeros((n, width, n), np.float32), np.zeros((size, width, size), np.float32)
    half, gradient = np.empty((size, width * n), np.float32), np.empty((n, width * n), np.float32)
    residual, back = np.empty((size * width, size), np.float32), np.empty((size * width, n), np.float32)
    moved, active = np.empty((width, n), np.float32), np.empty(width, np.bool_)
    stopped = 0
    for first in range(0, frames.shape[0], width):
        count = min(width, frames.shape[0] - first)
        active[:] = False
        for f in range(count):
            active[f] = True
            shown[:, f] = frames[first + f]
            block[:, f] = x[first + f]
        for _ in range(iterations):
            np.dot(g, block.reshape(n, width * n), half)
            np.dot(half.reshape(size * width, n), gt, residual)
            residual -= shown.reshape(size * width, size)
            np.dot(residual, g, back)
            np.dot(gt, back.reshape(size, width * n), gradient)
            shrink_step(block, gradient.reshape(n, width, n), step, step * penalty, active, moved)
            for f in range(count):
                if active[f] and math.sqrt(moved[f].sum()) < tolerance:
                    active[f] = False
                    stopped += 1
            if not active.any():
                break
        for f in range(count):
            x[first + f] = block[:, f]
    return stopped


@jit
def deconvolve(target: F32, taps: F32, rate: float, iterations: int, tolerance: float, x: F32) -> int:
    """Iterate x <- x - rate (k * x - target) per frame, in place; k = taps (x) taps, three taps, zero outside.

    `target` and `x` are (F, n, n). A frame stops when its largest |residual| is below `tolerance`. Returns how many
    frames stopped before `iterations`.
    """
    n = x.shape[1]
    across, side, middle, alpha = np.zeros((n + 2, n + 2), np.float32), taps[0], taps[1], np.float32(rate)
    padded = np.zeros((n, n + 2), np.float32)
    stopped = 0
    for f in range(x.shape[0]):
        for _ in range(iterations):
            padded[:, 1 : n + 1] = x[f]
            for i in range(n):
                for j in range(n):
                    across[i + 1, j] = side * (padded[i, j] + padded[i, j + 2]) + middle * padded[i, j + 1]
            worst = np.float32(0.0)
            for i in range(n):
                for j in range(n):
                    blurred = side * (across[i, j] + across[i + 2, j]) + middle * across[i + 1, j]
                    residual = blurred - target[f, i, j]
                    x[f, i, j] -= alpha * residual
                    worst = max(worst, abs(residual))
            if worst < tolerance:
                stopped += 1
                break
    return stopped
