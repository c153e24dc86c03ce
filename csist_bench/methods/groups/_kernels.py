"""Kernels of the search for groups: background mesh, matched filter, connected light, windows.

Frames are (H, W), row first. A mesh (M, N) holds the background at the centres of equal blocks; between them it is
interpolated linearly, and beyond the outermost carried on linearly, so that a gradient is followed to the border.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit

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


@jit
def median(values: Floats, n: int) -> float:
    """Return the median of the first n values."""
    ordered = np.sort(values[:n])
    middle: float = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
    return middle


@jit
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


@jit
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


@jit
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


@jit
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


@jit
def filter_axes(image: Floats32, along_x: Floats32, along_y: Floats32, scratch: Floats32, out: Floats32) -> None:
    """Correlate an image with two odd kernels, one along each axis; beyond the border there is nothing."""
    height, width = image.shape
    reach_x, reach_y = along_x.shape[0] // 2, along_y.shape[0] // 2
    scratch[:] = 0.0
    for i in range(height):
        for t in range(along_x.shape[0]):
            weight, shift = along_x[t], t - reach_x
            for j in range(max(0, -shift), min(width, width - shift)):
                scratch[i, j] += weight * image[i, j + shift]
    out[:] = 0.0
    for i in range(height):
        for t in range(along_y.shape[0]):
            source = i + t - reach_y
            if 0 <= source < height:
                weight = along_y[t]
                for j in range(width):
                    out[i, j] += weight * scratch[source, j]


@jit
def connected_light(filtered: Floats32, core: float, grown: float, labels: Ints32, stack: Ints) -> int:
    """Label connected light (8 neighbours): regions above `grown` that reach above `core`; return how many.

    `labels` (H, W) is 0 elsewhere; regions count from 1 in row order of their first core pixel. `stack` (H W,) is
    scratch.
    """
    height, width = filtered.shape
    labels[:] = 0
    count = 0
    for i in range(height):
        for j in range(width):
            if filtered[i, j] <= core or labels[i, j] != 0:
                continue
            count += 1
            labels[i, j] = count
            stack[0], top = i * width + j, 1
            while top > 0:
                top -= 1
                row, column = stack[top] // width, stack[top] % width
                for u in range(max(row - 1, 0), min(row + 2, height)):
                    for v in range(max(column - 1, 0), min(column + 2, width)):
                        if labels[u, v] == 0 and filtered[u, v] > grown:
                            labels[u, v] = count
                            stack[top] = u * width + v
                            top += 1
    return count


@jit
def measure_light(residual: Floats32, filtered: Floats32, labels: Ints32, box: Ints, sums: Floats, light: Ints) -> int:
    """Measure labelled light and list its pixels; return how many there are.

    `box` (G, 4) takes first row, last row, first column and last column; `sums` (G, 4) the light-weighted row and
    column, the light itself, and the highest value of the filtered image; `light` (n, 3) row, column and region.
    """
    height, width = labels.shape
    box[:, 0], box[:, 2] = height, width
    box[:, 1], box[:, 3] = -1, -1
    sums[:] = 0.0
    n = 0
    for i in range(height):
        for j in range(width):
            g = labels[i, j] - 1
            if g < 0:
                continue
            box[g, 0], box[g, 1] = min(box[g, 0], i), max(box[g, 1], i)
            box[g, 2], box[g, 3] = min(box[g, 2], j), max(box[g, 3], j)
            value = max(residual[i, j], 0.0)
            sums[g, 0] += value * i
            sums[g, 1] += value * j
            sums[g, 2] += value
            sums[g, 3] = max(sums[g, 3], filtered[i, j])
            if n < light.shape[0]:
                light[n, 0], light[n, 1], light[n, 2] = i, j, g
            n += 1
    for g in range(sums.shape[0]):
        if sums[g, 2] > 0.0:
            sums[g, 0] /= sums[g, 2]
            sums[g, 1] /= sums[g, 2]
        else:
            sums[g, 0], sums[g, 1] = 0.5 * (box[g, 0] + box[g, 1]), 0.5 * (box[g, 2] + box[g, 3])
    return n


@jit
def cut_windows(
    frame: NDArray[np.generic], mesh: Floats, origins: Ints, saturation: float, out: Floats, clipped: Bools
) -> None:
    """Cut n windows at `origins` (n, 2) out of a frame into `out` (n, side, side), without the background.

    A pixel at or above `saturation` is infinite; `clipped` (n,) says in which windows there is one.
    """
    height, width = frame.shape
    side = out.shape[1]
    for w in range(out.shape[0]):
        clipped[w] = False
        for i in range(side):
            for j in range(side):
                row, column = origins[w, 0] + i, origins[w, 1] + j
                value = float(frame[row, column])
                out[w, i, j] = value - mesh_at(mesh, row, column, height, width)
                if value >= saturation:
                    clipped[w] = True
                    out[w, i, j] = math.inf


@jit
def foreign_pixels(light: Ints, own: int, row: int, column: int, reach: int, mask: Bools) -> int:
    """Mark in a window (side, side) at (row, column) the pixels of other groups; return how many.

    A pixel is another's if that one's light (n, 3) is within `reach` px and nearer than the light of group `own`.
    """
    side = mask.shape[0]
    far = 4 * (side + reach) ** 2
    found = 0
    mine, other = np.full((side, side), far), np.full((side, side), far)
    any_other = False
    for n in range(light.shape[0]):
        i, j = light[n, 0] - row, light[n, 1] - column
        if light[n, 2] != own and -reach <= i < side + reach and -reach <= j < side + reach:
            any_other = True
            for u in range(max(i - reach, 0), min(i + reach + 1, side)):
                for v in range(max(j - reach, 0), min(j + reach + 1, side)):
                    other[u, v] = min(other[u, v], (u - i) ** 2 + (v - j) ** 2)
    if not any_other:
        return 0
    for n in range(light.shape[0]):
        i, j = light[n, 0] - row, light[n, 1] - column
        if light[n, 2] == own and -side <= i < 2 * side and -side <= j < 2 * side:
            for u in range(side):
                for v in range(side):
                    mine[u, v] = min(mine[u, v], (u - i) ** 2 + (v - j) ** 2)
    for u in range(side):
        for v in range(side):
            mask[u, v] = other[u, v] <= reach * reach and other[u, v] < mine[u, v]
            found += mask[u, v]
    return found


@jit
def second_spots(
    frames: NDArray[np.generic], kernels: tuple[Floats32, Floats32], level: float, apart: float, highest: Floats
) -> None:
    """Write for each small frame (F, H, W) the filtered peak and the highest value at least `apart` px from it, (F, 2).

    `level` is taken for background.
    """
    height, width = frames.shape[1:]
    along_x, along_y = kernels
    left, top = along_x.shape[0] // 2, along_y.shape[0] // 2
    # Rows end to end, with a border without light: one shift is then one long loop.
    line = width + 2 * left
    first, length = top * line, height * line
    image, scratch = np.zeros(2 * first + length + 2 * left, np.float32), np.zeros(2 * first + length, np.float32)
    out = np.zeros(length, np.float32)
    for f in range(frames.shape[0]):
        for i in range(height):
            for j in range(width):
                image[first + i * line + left + j] = frames[f, i, j] - level
        scratch[first : first + length] = 0.0
        for t in range(along_x.shape[0]):
            add_shifted(image[first + t :], along_x[t], scratch[first : first + length])
        out[:] = 0.0
        for t in range(along_y.shape[0]):
            add_shifted(scratch[t * line :], along_y[t], out)
        row, column, peak = 0, 0, out[0]
        for i in range(height):
            for j in range(width):
                if out[i * line + j] > peak:
                    row, column, peak = i, j, out[i * line + j]
        second = -np.inf
        for i in range(height):
            for j in range(width):
                if (i - row) ** 2 + (j - column) ** 2 >= apart * apart:
                    second = max(second, float(out[i * line + j]))
        highest[f, 0], highest[f, 1] = peak, second


@jit
def add_shifted(source: Floats32, weight: float, out: Floats32) -> None:
    """Add the first entries of a row, times a weight of their own type, to another row."""
    for i in range(out.shape[0]):
        out[i] += weight * source[i]
