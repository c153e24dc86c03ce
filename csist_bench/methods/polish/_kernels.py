"""Kernels of the polish decoder: targets taken out of a heat map by mass, and refined with their cell as prior."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import by_reference, jit, jit_inner
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.counts import BrightnessLaw
from csist_bench.methods.fitting.dense_images import DenseWorkspace
from csist_bench.methods.fitting.hit_probability import round_hit_probability
from csist_bench.methods.fitting.levenberg import (
    FrameWindow,
    FrameWorkspace,
    Prior,
    StoppingRule,
    cost_of,
    factor_of,
    fit_frame,
    frame_workspace,
    gather_equations,
)
from csist_bench.methods.fitting.linear_algebra import copy_rows, inverse
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import cut_window, window_origin

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EMPTY_SHARE = 0.1  # of the mean intensity: a fainter node is empty
WHOLE_SHARE = 1.5  # of the mean intensity: up to here a node holds one target
APART = 0.25  # of a node's pitch: how far targets of one node start from its middle


@by_reference
class PolishWorkspace:
    """Reused arrays: the window's pixels, scratch of its fit, the prior (K, 3) and the covariance."""

    pixels: Floats
    fit: FrameWorkspace
    mean: Floats
    inverse_variance: Floats
    covariance: Floats


@jit
def polish_workspace(targets: int, side: int) -> PolishWorkspace:
    """Return the reused arrays for up to `targets` targets in a window of `side` px."""
    return PolishWorkspace(
        np.zeros((side, side)),
        frame_workspace(targets, side),
        np.zeros((targets, 3)),
        np.zeros((targets, 3)),
        np.zeros((3 * targets, 3 * targets)),
    )


@jit_inner
def brightest_node(mass: Floats) -> tuple[int, int]:
    """Return (row, column) of the largest value."""
    best, row, column = -math.inf, 0, 0
    for i in range(mass.shape[0]):
        for j in range(mass.shape[1]):
            if mass[i, j] > best:
                best, row, column = mass[i, j], i, j
    return row, column


@jit_inner
def absorb(mass: Floats, row: int, column: int, law: BrightnessLaw, place: Floats) -> None:
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


@jit_inner
def places_from_map(mass: Floats, count: int, law: BrightnessLaw, c: int, places: Floats) -> int:
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


@jit_inner
def count_from_light(
    frame: Floats, heat_map: Floats, row: int, column: int, size: int, saturation: float, law: BrightnessLaw
) -> int:
    """Return the window's flux over the mean intensity, rounded; where pixels are clipped, the map's mass if larger."""
    flux, clipped = 0.0, False
    for i in range(row, row + size):
        for j in range(column, column + size):
            flux += frame[i, j]
            clipped |= frame[i, j] >= saturation
    if clipped:
        flux = max(flux, heat_map.sum())
    return max(math.floor(2.0 * flux / (law.low + law.high) + 0.5), 0)


@jit_inner
def refine(
    frame: Floats,
    row: int,
    column: int,
    noise_model: NoiseModel,
    stop: StoppingRule,
    work: PolishWorkspace,
    theta: Floats,
    sigma: Floats,
    dense: DenseWorkspace | None,
) -> None:
    """Fit theta (K, 3) to the window at (row, column), from and by the prior that `work` holds."""
    k = theta.shape[0]
    cut_window(frame, row, column, work.pixels)
    copy_rows(work.mean[:k], theta)
    window, prior = FrameWindow(work.pixels, row, column), Prior(work.mean, work.inverse_variance, 0.0)
    fit_frame(theta, window, noise_model, prior, stop, work.fit, dense)
    cost_of(theta, window, noise_model, prior, work.fit, dense)
    gather_equations(theta, noise_model, prior, work.fit, dense)
    # The prior's inverse variance on every unknown makes the matrix positive definite.
    factor_of(work.fit.normal, 3 * k, work.fit.factor)
    inverse(work.fit.factor, 3 * k, work.covariance)
    for m in range(k):
        for u in range(3):
            sigma[m, u] = math.sqrt(work.covariance[3 * m + u, 3 * m + u])


@jit
def polish_points(
    frames: Floats,
    raw: Floats,
    noise_model: NoiseModel,
    stop: StoppingRule,
    work: PolishWorkspace,
    answers: FrameAnswers,
    dense: DenseWorkspace | None,
) -> None:
    """Polish the answers of frames (F, H, W) in place; the errors they have are the prior's.

    `frames` are without background and bad pixels, for a first look; `raw` are those that are fitted.
    """
    n, theta, sigma = work.pixels.shape[0], answers.theta, answers.sigma
    for f in range(frames.shape[0]):
        k = answers.targets[f]
        if k == 0:
            continue
        row, column = window_origin(frames[f], n)
        for m in range(k):
            for u in range(3):
                work.mean[m, u] = theta[f, m, u]
                work.inverse_variance[m, u] = 1.0 / sigma[f, m, u] ** 2
        refine(raw[f], row, column, noise_model, stop, work, theta[f, :k], sigma[f], dense)


@jit
def set_cell_prior(variance: float, law: BrightnessLaw, work: PolishWorkspace) -> None:
    """Set what the prior knows before any place is: `variance` (px^2) along each axis, and the law of brightness."""
    mean = 0.5 * (law.low + law.high)
    work.inverse_variance[:, 0] = 1.0 / variance
    work.inverse_variance[:, 1] = 1.0 / variance
    work.inverse_variance[:, 2] = 12.0 / max((law.high - law.low) ** 2, 1e-6 * mean * mean)
    work.mean[:, 2] = mean


@jit
def polish_frames(
    heat_maps: Floats,
    frames: Floats,
    raw: Floats,
    c: int,
    noise_model: NoiseModel,
    law: BrightnessLaw,
    stop: StoppingRule,
    work: PolishWorkspace,
    answers: FrameAnswers,
    found: Ints,
    dense: DenseWorkspace | None,
) -> None:
    """Polish heat maps (F, c H, c W), which are consumed, by the prior that `set_cell_prior` set.

    `frames` are without background and bad pixels, for a first look; `raw` are those that are fitted.

    The number of targets is that by flux, `found` (F,) that in the map; frames with fewer found are left alone.
    """
    n, most = work.pixels.shape[0], answers.theta.shape[1]
    count, theta, sigma, score = answers.targets, answers.theta, answers.sigma, answers.score
    places = np.zeros((most, 2))
    for f in range(frames.shape[0]):
        row, column = window_origin(frames[f], n)
        count[f] = min(count_from_light(frames[f], heat_maps[f], row, column, n, noise_model.saturation, law), most)
        found[f] = places_from_map(heat_maps[f], count[f], law, c, places)
        if found[f] < count[f] or count[f] == 0:
            continue
        k = count[f]
        copy_rows(places[:k], work.mean)
        refine(raw[f], row, column, noise_model, stop, work, theta[f, :k], sigma[f], dense)
        for m in range(k):
            score[f, m] = round_hit_probability(0.5 * (sigma[f, m, 0] ** 2 + sigma[f, m, 1] ** 2))
