"""Light in large frames: matched filter, connected pixels, windows, second spots.

Frames are (H, W), row first.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner
from csist_bench.methods.groups._kernels.mesh import mesh_at

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Bools = NDArray[np.bool_]


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


@jit_inner
def add_shifted(source: Floats32, weight: float, out: Floats32) -> None:
    """Add the first entries of a row, times a weight of their own type, to another row."""
    for i in range(out.shape[0]):
        out[i] += weight * source[i]
