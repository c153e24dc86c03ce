"""Kernels of the polish decoder: targets taken out of a heat map by mass, and refined with their cell as prior."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit
from csist_bench.methods.fitting.decision import expected_correctness
from csist_bench.methods.fitting.levenberg import Prior, Sensor, Window, cost_of, factor_of, fit, gather
from csist_bench.methods.fitting.pixel_model import copy_rows, cut_window, inverse, window_origin
from csist_bench.methods.ml._kernels.search import Bench, Law

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EMPTY_SHARE = 0.1  # of the mean intensity: a fainter node is empty
WHOLE_SHARE = 1.5  # of the mean intensity: up to here a node holds one target
APART = 0.25  # of a node's pitch: how far targets of one node start from its middle


@jit
def brightest_node(mass: Floats) -> tuple[int, int]:
    """Return (row, column) of the largest value."""
    best, row, column = -math.inf, 0, 0
    for i in range(mass.shape[0]):
        for j in range(mass.shape[1]):
            if mass[i, j] > best:
                best, row, column = mass[i, j], i, j
    return row, column


@jit
def absorb(mass: Floats, row: int, column: int, law: Law, place: Floats) -> None:
    """Take one target's mass out of a map at a node and, where that is short, its neighbours; write its node, (2,).

    A node with less than the faintest target's intensity is half of a target smeared over several: the rest comes from
    the strongest of the eight neighbours in turn, and the place is the centroid (column, row) of what was taken.
    """
    mean = 0.5 * (law.low + law.high)
    held = mass[row, column]
    if held > WHOLE_SHARE * mean:
        mass[row, column] -= mean
        place[0], place[1] = column, row
        return
    mass[row, column] = 0.0
    taken, along_x, along_y = held, held * column, held * row
    for _ in range(8):
        if taken >= law.low:
            break
        best, at_row, at_column = 0.0, -1, -1
        for i in range(max(row - 1, 0), min(row + 2, mass.shape[0])):
            for j in range(max(column - 1, 0), min(column + 2, mass.shape[1])):
                if mass[i, j] > best:
                    best, at_row, at_column = mass[i, j], i, j
        if at_row < 0:
            break
        part = min(best, mean - taken)
        mass[at_row, at_column] -= part
        taken += part
        along_x += part * at_column
        along_y += part * at_row
    place[0], place[1] = along_x / taken, along_y / taken


@jit
def places_from_map(mass: Floats, count: int, law: Law, c: int, places: Floats) -> int:
    """Write the positions (x, y), px, of up to `count` targets found in a heat map into `places`; consumes the map.

    Returns how many were found before the map was empty. Two targets of one node are set apart a little, along the line
    to the map's centre of mass, for equal starts would stay equal.
    """
    faintest = EMPTY_SHARE * 0.5 * (law.low + law.high)
    found = 0
    for k in range(count):
        row, column = brightest_node(mass)
        if mass[row, column] < faintest:
            break
        absorb(mass, row, column, law, places[k])
        found += 1
    centre_x, centre_y = 0.0, 0.0
    for k in range(found):
        centre_x += places[k, 0] / found
        centre_y += places[k, 1] / found
    for k in range(found):
        for m in range(k):
            if places[k, 0] == places[m, 0] and places[k, 1] == places[m, 1]:
                angle = math.atan2(places[k, 1] - centre_y, places[k, 0] - centre_x) + m
                places[k, 0] += APART * math.cos(angle)
                places[k, 1] += APART * math.sin(angle)
    offset = 0.5 * (c - 1)
    for k in range(found):
        places[k, 0] = (places[k, 0] - offset) / c
        places[k, 1] = (places[k, 1] - offset) / c
    return found


@jit
def count_from_light(frame: Floats, heat_map: Floats, row: int, column: int, size: int, limit: float, law: Law) -> int:
    """Return the window's flux over the mean intensity, rounded; where pixels are clipped, the map's mass if larger."""
    flux, clipped = 0.0, False
    for i in range(row, row + size):
        for j in range(column, column + size):
            flux += frame[i, j]
            clipped |= frame[i, j] >= limit
    if clipped:
        flux = max(flux, heat_map.sum())
    return max(math.floor(2.0 * flux / (law.low + law.high) + 0.5), 0)


@jit
def refine(
    frame: Floats,
    row: int,
    column: int,
    sensor: Sensor,
    iterations: int,
    tolerance: float,
    bench: Bench,
    theta: Floats,
    sigma: Floats,
) -> None:
    """Fit theta (K, 3) to the window at (row, column), from the means and by the precisions that `bench` holds."""
    k = theta.shape[0]
    cut_window(frame, row, column, bench.pixels)
    copy_rows(bench.mean[:k], theta)
    window, prior = Window(bench.pixels, row, column), Prior(bench.mean, bench.precision, 0.0)
    fit(theta, window, sensor, prior, iterations, tolerance, bench.work)
    cost_of(theta, window, sensor, prior, bench.work)
    gather(theta, sensor, prior, bench.work)
    # The prior's precision on every unknown makes the matrix positive definite.
    factor_of(bench.work.normal, 3 * k, bench.work.factor)
    inverse(bench.work.factor, 3 * k, bench.covariance)
    for m in range(k):
        for u in range(3):
            sigma[m, u] = math.sqrt(bench.covariance[3 * m + u, 3 * m + u])


@jit
def polish_points(
    frames: Floats,
    count: Ints,
    sensor: Sensor,
    iterations: int,
    tolerance: float,
    bench: Bench,
    theta: Floats,
    sigma: Floats,
) -> None:
    """Polish answers theta (F, K, 3) of frames (F, H, W) in place; their errors sigma (F, K, 3) are the prior's.

    `count` (F,) tells how many there are.
    """
    n = bench.pixels.shape[0]
    for f in range(frames.shape[0]):
        k = count[f]
        if k == 0:
            continue
        row, column = window_origin(frames[f], n)
        for m in range(k):
            for u in range(3):
                bench.mean[m, u] = theta[f, m, u]
                bench.precision[m, u] = 1.0 / sigma[f, m, u] ** 2
        refine(frames[f], row, column, sensor, iterations, tolerance, bench, theta[f, :k], sigma[f])


@jit
def polish_frames(
    heat_maps: Floats,
    frames: Floats,
    c: int,
    variance: float,
    sensor: Sensor,
    law: Law,
    iterations: int,
    tolerance: float,
    bench: Bench,
    theta: Floats,
    sigma: Floats,
    score: Floats,
    count: Ints,
    found: Ints,
) -> None:
    """Polish heat maps (F, c H, c W), which are consumed, into theta, sigma (F, K, 3) and score (F, K).

    `variance` (px^2) is the cell prior's along each axis. `count` (F,) is the number of targets by flux, `found`
    (F,) that in the map; frames with fewer found are left alone.
    """
    n, most = bench.pixels.shape[0], theta.shape[1]
    mean = 0.5 * (law.low + law.high)
    bench.precision[:, 0] = 1.0 / variance
    bench.precision[:, 1] = 1.0 / variance
    bench.precision[:, 2] = 12.0 / max((law.high - law.low) ** 2, 1e-6 * mean * mean)
    bench.mean[:, 2] = mean
    places = np.zeros((most, 2))
    for f in range(frames.shape[0]):
        row, column = window_origin(frames[f], n)
        count[f] = min(count_from_light(frames[f], heat_maps[f], row, column, n, sensor.limit, law), most)
        found[f] = places_from_map(heat_maps[f], count[f], law, c, places)
        if found[f] < count[f] or count[f] == 0:
            continue
        k = count[f]
        copy_rows(places[:k], bench.mean)
        refine(frames[f], row, column, sensor, iterations, tolerance, bench, theta[f, :k], sigma[f])
        for m in range(k):
            score[f, m] = expected_correctness(0.5 * (sigma[f, m, 0] ** 2 + sigma[f, m, 1] ** 2))
