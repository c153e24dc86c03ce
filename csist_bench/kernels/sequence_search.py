"""The search of a sequence fit: several starts, the distinct minima refined, the best by evidence, and its answers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.kernels import jit
from csist_bench.kernels.sequence_fit import Model, Window, covariances, fit, log_evidence, place, workspace
from csist_bench.kernels.sequence_starts import moments_about, start_shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STARTS = 5
LOOSE_STEPS, LOOSE_TOLERANCE = 10, 1.0
FINAL_STEPS, FINAL_TOLERANCE = 40, 1e-3
WORTH_REFINING = 25.0  # in cost above the best loose fit
SAME_MINIMUM = 0.02  # px between the targets of two minima taken as one


@jit
def solve_jobs(
    pixels: Floats,
    origins: Ints,
    centroids: Floats,
    missing: Ints,
    first: Ints,
    answered: Ints,
    time: Floats,
    smoother: Floats,
    model: Model,
    table: Floats,
    sensor: Floats,
    psf_sigma: float,
    brightness: Floats,
    thresholds: Floats,
    theta: Floats,
    covariance: Floats,
    score: Floats,
    evidence: Floats,
) -> None:
    """Fit J windows of m frames each and answer some of their frames.

    Parameters
    ----------
    pixels, origins, centroids, missing : (F, n, n), (F, 2), (F, 3) and (F,), of all frames
    first : (J,), each window's first frame; it takes the m frames from there
    answered : (J, R), frames to answer, counted within the window
    time, smoother : (m,), scaled times; (D + 1, m), least-squares polynomial coefficients from m values
    brightness : (J,), where the intensities start
    theta, covariance, score, evidence : out, (J, R, K, 3), (J, R, K, 4), (J, R, K) and (J,)
    """
    k, m, p = model.targets, time.shape[0], model.mean.shape[0]
    work = workspace(k, pixels.shape[1], p)
    solutions, costs, found = np.zeros((STARTS, p)), np.zeros(STARTS), np.zeros(STARTS, np.bool_)
    coefficients, path = np.zeros((smoother.shape[0], 2)), np.zeros((m, 2))
    factor, rows = np.zeros((p, p)), np.zeros((3, p))
    for job in range(first.shape[0]):
        begin, end = first[job], first[job] + m
        smooth_path(centroids[begin:end], smoother, time, coefficients, path)
        window = Window(pixels[begin:end], origins[begin:end], time, coefficients[0].copy())
        set_starts(window, path, missing[begin:end], coefficients, brightness[job], psf_sigma, model, solutions, found)
        for s in range(STARTS):
            if found[s]:
                costs[s] = fit(solutions[s], window, model, table, sensor, LOOSE_STEPS, LOOSE_TOLERANCE, work)
        drop_repeats(solutions, costs, k, found)
        best, evidence[job] = -1, -math.inf
        total = 0.0
        for s in range(STARTS):
            if not found[s]:
                continue
            costs[s] = fit(solutions[s], window, model, table, sensor, FINAL_STEPS, FINAL_TOLERANCE, work)
            value = log_evidence(costs[s], p, work)
            if value > evidence[job] or best < 0:
                total = total * math.exp(max(evidence[job] - value, -700.0)) + 1.0 if best >= 0 else 1.0
                best, evidence[job] = s, value
                factor[:] = work.factor
            else:
                total += math.exp(max(value - evidence[job], -700.0))
        for r in range(answered.shape[1]):
            u = time[answered[job, r]]
            place(solutions[best], u, window.centre, model, theta[job, r])
            covariances(solutions[best], u, model, factor, rows, covariance[job, r])
            for target in range(k):
                score[job, r, target] = expected_hits(covariance[job, r, target], thresholds) / total


@jit
def smooth_path(centroids: Floats, smoother: Floats, time: Floats, coefficients: Floats, path: Floats) -> None:
    """Fit a polynomial to the centroids (m, >= 2): its coefficients (D + 1, 2) and its values (m, 2), px."""
    coefficients[:] = 0.0
    for d in range(smoother.shape[0]):
        for t in range(smoother.shape[1]):
            coefficients[d, 0] += smoother[d, t] * centroids[t, 0]
            coefficients[d, 1] += smoother[d, t] * centroids[t, 1]
    for t in range(time.shape[0]):
        power = 1.0
        path[t, 0], path[t, 1] = 0.0, 0.0
        for d in range(coefficients.shape[0]):
            path[t, 0] += coefficients[d, 0] * power
            path[t, 1] += coefficients[d, 1] * power
            power *= time[t]


@jit
def set_starts(
    window: Window,
    path: Floats,
    missing: Ints,
    coefficients: Floats,
    brightness: float,
    psf_sigma: float,
    model: Model,
    solutions: Floats,
    found: Bools,
) -> None:
    """Fill the starts `solutions` (STARTS, P) and tell which exist."""
    k, degree = model.targets, model.degree
    power = np.zeros(k + 1, np.complex128)
    roots, scratch = np.zeros(k, np.complex128), np.zeros(k + 1, np.complex128)
    used = np.ones(missing.shape[0], np.int64)
    if missing.min() == 0:
        used = 1 - missing
    weight = np.zeros((2, window.pixels.shape[1]))
    square = moments_about(window.pixels, window.origin, path, used, psf_sigma, weight, power)
    for s in range(STARTS):
        found[s] = start_shape(s, power, square, roots, scratch)
        if not found[s]:
            continue
        a = solutions[s]
        a[:] = model.mean
        for m in range(k):
            a[3 * m], a[3 * m + 1], a[3 * m + 2] = roots[m].real, roots[m].imag, brightness
        for d in range(min(degree, coefficients.shape[0] - 1)):
            for axis in range(2):
                if model.rigid:
                    a[3 * k + axis * degree + d] = coefficients[d + 1, axis]
                else:
                    for m in range(k):
                        a[3 * k + 2 * k * d + 2 * m + axis] = coefficients[d + 1, axis]


@jit
def drop_repeats(solutions: Floats, costs: Floats, targets: int, found: Bools) -> None:
    """Leave in `found` one fit of each minimum, and none that is far above the best."""
    lowest = math.inf
    for s in range(STARTS):
        if found[s]:
            lowest = min(lowest, costs[s])
    for s in range(STARTS):
        if found[s] and costs[s] > lowest + WORTH_REFINING:
            found[s] = False
    for s in range(STARTS):
        for other in range(STARTS):
            better = costs[other] < costs[s] or (costs[other] == costs[s] and other < s)
            if found[s] and found[other] and other != s and better and same_shape(solutions[s], solutions[other], targets):
                found[s] = False


@jit
def same_shape(a: Floats, b: Floats, targets: int) -> bool:
    """Tell whether every target of `a` has one of `b` within `SAME_MINIMUM`."""
    for m in range(targets):
        nearest = math.inf
        for other in range(targets):
            nearest = min(nearest, (a[3 * m] - b[3 * other]) ** 2 + (a[3 * m + 1] - b[3 * other + 1]) ** 2)
        if nearest > SAME_MINIMUM * SAME_MINIMUM:
            return False
    return True


@jit
def expected_hits(covariance: Floats, thresholds: Floats) -> float:
    """Return the mean over the thresholds of P(|error| <= d) for a round error of the same mean variance."""
    variance = covariance[0] + covariance[1]
    total = 0.0
    for d in range(thresholds.shape[0]):
        total += 1.0 - math.exp(-thresholds[d] * thresholds[d] / variance)
    return total / thresholds.shape[0]
