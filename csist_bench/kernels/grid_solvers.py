"""Iterative solvers on the label grid, fused per frame: ISTA and plain iterative deconvolution.

Everything of one frame stays in the first-level cache. Inner loops run along contiguous rows, so that they vectorise
without reordering any sum. The callers are in `csist_bench.traditional`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.kernels import jit

F32 = NDArray[np.float32]


@jit
def _residual(x: F32, r0: int, r1: int, g: F32, gt: F32, y: F32, a: F32, r: F32) -> None:
    """r = G x G^T - y, where only rows r0..r1-1 of x hold anything; `a` (S, n) is scratch."""
    size, n = g.shape
    for i in range(size):
        for b in range(n):
            a[i, b] = np.float32(0.0)
        for k in range(r0, r1):
            weight = g[i, k]
            if weight != np.float32(0.0):
                for b in range(n):
                    a[i, b] += weight * x[k, b]
        for j in range(size):
            r[i, j] = -y[i, j]
        for b in range(n):
            value = a[i, b]
            if value != np.float32(0.0):
                for j in range(size):
                    r[i, j] += value * gt[b, j]


@jit
def _adjoint(r: F32, g: F32, gt: F32, b: F32, out: F32) -> None:
    """out = G^T r G; `b` (S, n) is scratch."""
    size, n = g.shape
    for i in range(size):
        for k in range(n):
            b[i, k] = np.float32(0.0)
        for j in range(size):
            value = r[i, j]
            for k in range(n):
                b[i, k] += value * g[j, k]
    for k in range(n):
        for c in range(n):
            out[k, c] = np.float32(0.0)
        for i in range(size):
            weight = gt[k, i]
            if weight != np.float32(0.0):
                for c in range(n):
                    out[k, c] += weight * b[i, c]


@jit
def ista(frames: F32, g: F32, step: float, penalty: float, iterations: int, tolerance: float, x: F32) -> int:
    """Minimise ||y - G x G^T||^2 / 2 + penalty ||x||_1 per frame, x <- soft(x - step grad, step penalty), in place.

    `frames` (F, S, S), `g` (S, n), `x` (F, n, n) holds the start and receives the answer. A frame stops when its step
    is shorter than `tolerance`. Returns how many frames stopped before `iterations`.
    """
    n_frames, size = frames.shape[0], g.shape[0]
    n = g.shape[1]
    gt = np.ascontiguousarray(g.T)
    a, b = np.empty((size, n), np.float32), np.empty((size, n), np.float32)
    r, gradient = np.empty((size, size), np.float32), np.empty((n, n), np.float32)
    moved, rate, threshold = np.empty(n, np.float32), np.float32(step), np.float32(step * penalty)
    zero, stopped = np.float32(0.0), 0
    for f in range(n_frames):
        r0, r1 = 0, n
        for _ in range(iterations):
            _residual(x[f], r0, r1, g, gt, frames[f], a, r)
            _adjoint(r, g, gt, b, gradient)
            for c in range(n):
                moved[c] = zero
            r0, r1 = n, 0
            for k in range(n):
                held = 0  # an integer count: unlike a running maximum, its loop vectorises
                for c in range(n):
                    old = x[f, k, c]
                    value = old - rate * gradient[k, c]
                    new = max(value - threshold, zero) + min(value + threshold, zero)
                    x[f, k, c] = new
                    moved[c] += (new - old) * (new - old)
                    held += int(new != zero)
                if held:
                    r0, r1 = min(r0, k), k + 1
            if math.sqrt(moved.sum()) < tolerance:
                stopped += 1
                break
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
