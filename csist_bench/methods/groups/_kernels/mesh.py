"""Background and noise of large frames, on a mesh of blocks.

Frames are (H, W), row first. A mesh (M, N) holds the background at the centres of equal blocks; between them it is
interpolated linearly, and beyond the outermost carried on linearly, so that a gradient is followed to the border.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Bools = NDArray[np.bool_]

SAMPLED = 64  # pixels of a block that its first median is of
SPARSE = 4  # one pixel in so many is enough for all but the last round
MAD_SIGMA = 1.4826  # standard deviation over median absolute deviation of a normal distribution
CLIP_SIGMAS = 3.0
CLIPPED_SD = 0.98658  # of a normal distribution within 3 standard deviations
# Wider than for the level: of whole numbers a limit takes in or leaves out a level as a whole.
NOISE_CLIP_SIGMAS = 4.0
NOISE_CLIPPED_SD = 0.99946
ROUNDS = 2
LEAST_KEPT = 0.5  # share of a block's pixels that must be background for it to speak


@jit_inner
def median(values: Floats, n: int) -> float:
    """Return the median of the first n values."""
    ordered = np.sort(values[:n])
    middle: float = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
    return middle


@jit_inner
def clipped_sums(
    frame: NDArray[np.generic], bad: Bools, area: tuple[int, int, int, int], step: int, level: float, limit: float
) -> tuple[float, float, int, int]:
    """Return sum and sum of squares about `level` of every `step`-th pixel of an area, how many, and out of how many.

    The area is (top, bottom, left, right); pixels further than `limit` from the level and bad ones are left out.
    """
    top, bottom, left, right = area
    total, squares, kept, seen = 0.0, 0.0, 0, 0
    for i in range(top, bottom):
        for j in range(left + i % step, right, step):
            away = float(frame[i, j]) - level
            seen += 1
            if abs(away) <= limit and not bad[i, j]:
                total += away
                squares += away * away
                kept += 1
    return total, squares, kept, seen


@jit_inner
def first_guess(
    frame: NDArray[np.generic], bad: Bools, area: tuple[int, int, int, int], scratch: Floats
) -> tuple[float, float]:
    """Return median and spread of a few pixels of an area; NaN where all of them are bad. `scratch` holds them."""
    top, bottom, left, right = area
    size = (bottom - top) * (right - left)
    most = scratch.shape[0]
    count = 0
    for k in range(min(most, size)):
        place = k * size // min(most, size)
        i, j = top + place // (right - left), left + place % (right - left)
        # A step that divides the width would see one column alone.
        j = left + (j - left + i) % (right - left)
        if not bad[i, j]:
            scratch[count] = frame[i, j]
            count += 1
    if count == 0:
        return math.nan, math.nan
    level = median(scratch, count)
    for k in range(count):
        scratch[k] = abs(scratch[k] - level)
    return level, MAD_SIGMA * median(scratch, count)


@jit
def block_levels(frame: NDArray[np.generic], bad: Bools, least_spread: float, mesh: Floats) -> None:
    """Write the background of each block of a frame: the mean of what lies within 3 standard deviations of itself.

    A block that is mostly light or bad pixels is NaN. `least_spread` is the rounding of whole numbers, grey levels:
    to clip closer than that would chase single levels.
    """
    height, width = frame.shape
    rows, columns = mesh.shape
    scratch = np.empty(SAMPLED)
    for m in range(rows):
        for n in range(columns):
            area = (m * height // rows, (m + 1) * height // rows, n * width // columns, (n + 1) * width // columns)
            mesh[m, n] = math.nan
            level, spread = first_guess(frame, bad, area, scratch)
            if math.isnan(level):
                continue
            kept, seen = 0, 1
            for step in (SPARSE, 1):
                limit = CLIP_SIGMAS * max(spread, least_spread)
                total, squares, kept, seen = clipped_sums(frame, bad, area, step, level, limit)
                if kept == 0:
                    break
                mean = total / kept
                level += mean
                spread = math.sqrt(max(squares / kept - mean * mean, 0.0)) / CLIPPED_SD
            if kept >= LEAST_KEPT * seen:
                mesh[m, n] = level


@jit
def fill_mesh(mesh: Floats, fallback: float) -> None:
    """Give blocks without a level the mean of their neighbours, ring by ring; `fallback` where there are none."""
    rows, columns = mesh.shape
    while True:
        filled, missing = 0, 0
        before = mesh.copy()
        for m in range(rows):
            for n in range(columns):
                if not math.isnan(before[m, n]):
                    continue
                missing += 1
                total, count = 0.0, 0
                for u in range(max(m - 1, 0), min(m + 2, rows)):
                    for v in range(max(n - 1, 0), min(n + 2, columns)):
                        if not math.isnan(before[u, v]):
                            total += before[u, v]
                            count += 1
                if count:
                    mesh[m, n] = total / count
                    filled += 1
        if missing == 0:
            return
        if filled == 0:
            mesh[:] = fallback
            return


@jit_inner
def between(place: int, length: int, blocks: int) -> tuple[int, float]:
    """Return the mesh node below pixel `place` of an axis and the share of the next one (outside 0..1 at borders)."""
    if blocks == 1:
        return 0, 0.0
    t = (place + 0.5) * blocks / length - 0.5
    node = min(max(math.floor(t), 0), blocks - 2)
    return node, t - node


@jit
def mesh_at(mesh: Floats, i: int, j: int, height: int, width: int) -> float:
    """Return the background at pixel (i, j) of a frame (height, width)."""
    m, u = between(i, height, mesh.shape[0])
    n, v = between(j, width, mesh.shape[1])
    below, right = min(m + 1, mesh.shape[0] - 1), min(n + 1, mesh.shape[1] - 1)
    upper = (1.0 - v) * mesh[m, n] + v * mesh[m, right]
    lower = (1.0 - v) * mesh[below, n] + v * mesh[below, right]
    level: float = (1.0 - u) * upper + u * lower
    return level


@jit_inner
def rows_of_mesh(mesh: Floats, m: int, held: bool, upper: Floats, lower: Floats) -> None:
    """Write the rows of pixels through the blocks of row m and the next; `held`: constant beyond the outermost."""
    width = upper.shape[0]
    below = min(m + 1, mesh.shape[0] - 1)
    for j in range(width):
        n, v = between(j, width, mesh.shape[1])
        right = min(n + 1, mesh.shape[1] - 1)
        if held:
            v = min(max(v, 0.0), 1.0)
        upper[j] = (1.0 - v) * mesh[m, n] + v * mesh[m, right]
        lower[j] = (1.0 - v) * mesh[below, n] + v * mesh[below, right]


@jit
def subtract_mesh(frame: NDArray[np.generic], mesh: Floats, bad: Bools, out: Floats32) -> None:
    """Write a frame without its background; bad pixels are 0."""
    height, width = frame.shape
    upper, lower = np.empty(width), np.empty(width)
    known = -1
    for i in range(height):
        m, u = between(i, height, mesh.shape[0])
        if m != known:
            rows_of_mesh(mesh, m, False, upper, lower)
            known = m
        for j in range(width):
            out[i, j] = frame[i, j] - ((1.0 - u) * upper[j] + u * lower[j])
            if bad[i, j]:
                out[i, j] = 0.0


@jit
def block_noise(residual: Floats32, bad: Bools, least_spread: float, mesh: Floats) -> None:
    """Write the standard deviation of what is no light in each block of a frame without background; NaN: all bad."""
    height, width = residual.shape
    rows, columns = mesh.shape
    scratch = np.empty(SAMPLED)
    for m in range(rows):
        for n in range(columns):
            area = (m * height // rows, (m + 1) * height // rows, n * width // columns, (n + 1) * width // columns)
            _, spread = first_guess(residual, bad, area, scratch)
            for _ in range(ROUNDS):
                limit = NOISE_CLIP_SIGMAS * max(spread, least_spread)
                _, squares, kept, _ = clipped_sums(residual, bad, area, SPARSE, 0.0, limit)
                spread = math.sqrt(squares / max(kept, 1)) / NOISE_CLIPPED_SD
            mesh[m, n] = spread


@jit
def smooth_mesh(mesh: Floats, out: Floats) -> None:
    """Write the median of each block and its neighbours, those that are NaN left out."""
    rows, columns = mesh.shape
    scratch = np.empty(9)
    for m in range(rows):
        for n in range(columns):
            count = 0
            for u in range(max(m - 1, 0), min(m + 2, rows)):
                for v in range(max(n - 1, 0), min(n + 2, columns)):
                    if not math.isnan(mesh[u, v]):
                        scratch[count] = mesh[u, v]
                        count += 1
            out[m, n] = median(scratch, count) if count else math.nan


@jit
def over_noise(image: Floats32, noise: Floats, norm: float) -> None:
    """Divide an image by `norm` times the noise, given at the centres of blocks."""
    height, width = image.shape
    upper, lower = np.empty(width), np.empty(width)
    known = -1
    for i in range(height):
        m, u = between(i, height, noise.shape[0])
        if m != known:
            rows_of_mesh(noise, m, True, upper, lower)
            known = m
        # Held within the outermost blocks: carried on, a noise could reach 0.
        u = min(max(u, 0.0), 1.0)
        for j in range(width):
            image[i, j] /= norm * ((1.0 - u) * upper[j] + u * lower[j])
