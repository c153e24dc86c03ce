"""The search of a sequence fit: several starts, the distinct minima refined, the best by evidence, and its answers."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner, jit_within
from csist_bench.methods.fitting.dense_images import WIDTHS, DenseWorkspace
from csist_bench.methods.fitting.hit_probability import round_hit_probability
from csist_bench.methods.fitting.lanes import padded, zeros
from csist_bench.methods.fitting.linear_algebra import copy_array
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.survey import Survey
from csist_bench.methods.ml_seq._kernels.fit import (
    SequenceWindow,
    SequenceWorkspace,
    fit_sequence,
    sequence_log_evidence,
    sequence_workspace,
)
from csist_bench.methods.ml_seq._kernels.motion import MotionModel, covariances, targets_at
from csist_bench.methods.ml_seq._kernels.starts import moments_about, smooth_path, start_shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STARTS = 5
LOOSE_STEPS, LOOSE_TOLERANCE = 10, 1.0
FINAL_STEPS, FINAL_TOLERANCE = 40, 1e-3
LOOSE_FRAMES = 7  # frames, evenly spaced, that a start is first fitted to
WORTH_REFINING = 25.0  # in cost above the best loose fit
SAME_MINIMUM = 0.02  # px between the targets of two minima taken as one
COVARIED = 3  # x, y and intensity of a target


class Times(NamedTuple):
    """The m frames of every window: u (m,), Legendre basis (m, D) of the path without its constant."""

    time: Floats
    basis: Floats


class Answers(NamedTuple):
    """What J windows answer in up to R frames: targets (x, y, s), covariances (C_xx, C_yy, C_xy, C_ss), scores.

    theta (J, R, K, 3), covariance (J, R, K, 4), score (J, R, K), and the log evidence (J,) of the fit behind them;
    the widths (J, 2) it found, as factors of the camera's.
    """

    theta: Floats
    covariance: Floats
    score: Floats
    evidence: Floats
    widths: Floats

    @classmethod
    def empty(cls, windows: int, frames: int, targets: int) -> Answers:
        """Return room for the answers."""
        shape = (windows, frames, targets)
        return cls(
            np.zeros((*shape, 3)), np.zeros((*shape, 4)), np.zeros(shape), np.zeros(windows), np.ones((windows, WIDTHS))
        )


class StartFits(NamedTuple):
    """The state of one search: solutions (STARTS, P), their costs (STARTS,) and which of them are kept (STARTS,)."""

    solutions: Floats
    costs: Floats
    kept: Bools


@jit
def solve_windows(
    survey: Survey,
    members: Ints,
    answered: Ints,
    times: Times,
    model: MotionModel,
    noise_model: NoiseModel,
    psf_sigma: float,
    brightness: Floats,
    brightness_sd: Floats,
    pixels: Floats,
    answers: Answers,
    dense: DenseWorkspace | None,
) -> None:
    """Fit J windows of m frames each and answer some of their frames.

    Parameters
    ----------
    survey : the frames without background and bad pixels
    members : (J, m), the frames of each window, -1 = left out
    answered : (J, R), the offsets within the window of the frames to answer, -1 = none
    brightness : (J,), where the intensities start
    brightness_sd : (J,) or (0,), where a window's own brightness is the prior's mean, its spread
    pixels : (F, n, n), the windows as they are
    answers : out
    dense : scratch of cameras that need the dense model, and where widths are freed
    """
    k, p = model.targets, model.mean.shape[0]
    work = sequence_workspace(k, survey.windows.shape[1], p)
    search = StartFits(zeros(int(STARTS), p), zeros(p, int(STARTS))[0], np.zeros(STARTS, np.bool_))
    factor, rows = zeros(p, padded(p + 1)), zeros(int(COVARIED), p)
    stride = max(1, (members.shape[1] - 1) // (LOOSE_FRAMES - 1))
    for w in range(members.shape[0]):
        coefficients = smooth_path(survey.centroids, members[w], times.basis)
        window = SequenceWindow(pixels, survey.origins, members[w], times.time, times.basis, coefficients[0])
        if brightness_sd.shape[0] > 0:
            for m in range(k):
                model.mean[3 * m + 2] = brightness[w]
                model.inverse_variance[3 * m + 2] = 1.0 / (brightness_sd[w] * brightness_sd[w])
        set_starts(survey, window, coefficients, brightness[w], psf_sigma, model, search)
        best, total, answers.evidence[w] = explore(window, stride, model, noise_model, search, work, factor, dense)
        if model.freed:
            for u in range(WIDTHS):
                answers.widths[w, u] = search.solutions[best, p - WIDTHS + u]
        for r in range(answered.shape[1]):
            t = answered[w, r]
            if t < 0:
                continue
            u, basis = times.time[t], times.basis[t]
            targets_at(
                search.solutions[best], u, basis, window.centre, k, model.degree, model.rigid, answers.theta[w, r]
            )
            covariances(search.solutions[best], u, basis, model, factor, rows, answers.covariance[w, r])
            for target in range(k):
                variance = 0.5 * (answers.covariance[w, r, target, 0] + answers.covariance[w, r, target, 1])
                answers.score[w, r, target] = round_hit_probability(variance) / total


@jit_within
def explore(
    window: SequenceWindow,
    stride: int,
    model: MotionModel,
    noise_model: NoiseModel,
    search: StartFits,
    work: SequenceWorkspace,
    factor: Floats,
    dense: DenseWorkspace | None,
) -> tuple[int, float, float]:
    """Fit every start; return the best by evidence, the evidence of all relative to its own, and its log evidence.

    The best fit's Cholesky factor of A is left in `factor`.
    """
    thinned = np.full(window.members.shape[0], -1)
    for i in range(0, thinned.shape[0], stride):
        thinned[i] = window.members[i]
    best, total, highest = -1, 0.0, -math.inf
    # Both rounds by one call: the compiler works the whole fit into each place where it is called.
    for last in range(2):
        members, steps, tolerance = thinned, int(LOOSE_STEPS), LOOSE_TOLERANCE
        if last:
            drop_repeats(search, model.targets)
            members, steps, tolerance = window.members, int(FINAL_STEPS), FINAL_TOLERANCE
        fitted = SequenceWindow(window.pixels, window.origin, members, window.time, window.basis, window.centre)
        for s in range(STARTS):
            if not search.kept[s]:
                continue
            cost = fit_sequence(search.solutions[s], fitted, model, noise_model, steps, tolerance, work, dense)
            if not last:
                search.costs[s] = cost
                continue
            if met_before(search, s, model.targets):
                search.kept[s] = False
                continue
            value = sequence_log_evidence(cost, model.mean.shape[0], work)
            if best < 0 or value > highest:
                total = 1.0 if best < 0 else 1.0 + total * math.exp(highest - value)
                best, highest = s, value
                copy_array(work.factor, factor)
            else:
                total += math.exp(value - highest)
    return best, total, highest


@jit_within
def set_starts(
    survey: Survey,
    window: SequenceWindow,
    coefficients: Floats,
    brightness: float,
    psf_sigma: float,
    model: MotionModel,
    search: StartFits,
) -> None:
    """Fill the starts of a search from the light's path (D + 1, 2) and moments, and note which exist."""
    k, degree = model.targets, model.degree
    power = np.zeros(k + 1, np.complex128)
    roots, scratch = np.zeros(k, np.complex128), np.zeros(k + 1, np.complex128)
    square = moments_about(
        survey.windows, survey.origins, survey.flags, window.members, window.basis, coefficients, psf_sigma, power
    )
    for s in range(STARTS):
        search.kept[s] = start_shape(s, power, square, roots, scratch)
        a = search.solutions[s]
        for i in range(a.shape[0]):
            a[i] = model.mean[i]
        for m in range(k):
            a[3 * m], a[3 * m + 1], a[3 * m + 2] = roots[m].real, roots[m].imag, brightness
        for d in range(degree):
            for axis in range(2):
                if model.rigid:
                    a[3 * k + axis * degree + d] = coefficients[d + 1, axis]
                else:
                    for m in range(k):
                        a[3 * k + 2 * k * d + 2 * m + axis] = coefficients[d + 1, axis]


@jit_within
def drop_repeats(search: StartFits, targets: int) -> None:
    """Keep one fit of each minimum, and none that is far above the best."""
    lowest = math.inf
    for s in range(STARTS):
        if search.kept[s]:
            lowest = min(lowest, search.costs[s])
    for s in range(STARTS):
        if search.kept[s] and search.costs[s] > lowest + WORTH_REFINING:
            search.kept[s] = False
    for s in range(STARTS):
        for other in range(STARTS):
            if other == s or not (search.kept[s] and search.kept[other]):
                continue
            ahead = search.costs[other] < search.costs[s] or (search.costs[other] == search.costs[s] and other < s)
            if ahead and same_shape(search.solutions[s], search.solutions[other], targets):
                search.kept[s] = False


@jit_within
def met_before(search: StartFits, last: int, targets: int) -> bool:
    """Return whether fit `last` ended in the minimum of an earlier one that is kept."""
    met = False
    for s in range(last):
        met = met or (search.kept[s] and same_shape(search.solutions[s], search.solutions[last], targets))
    return met


@jit_inner
def same_shape(a: Floats, b: Floats, targets: int) -> bool:
    """Return whether every target of `a` has one of `b` within `SAME_MINIMUM`."""
    for m in range(targets):
        nearest = math.inf
        for other in range(targets):
            nearest = min(nearest, (a[3 * m] - b[3 * other]) ** 2 + (a[3 * m + 1] - b[3 * other + 1]) ** 2)
        if nearest > SAME_MINIMUM * SAME_MINIMUM:
            return False
    return True
