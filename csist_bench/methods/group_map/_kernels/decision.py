"""Weigh the hypotheses of a group against each other and choose the answer that has most targets right.

Numbers come out, nothing is checked.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import THRESHOLDS
from csist_bench.jit import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SAME_POSITION = 0.02  # px; two jobs whose targets all agree this closely are one solution found twice
NEGLIGIBLE = 1e-3  # a hypothesis less probable than this is left out of the averages
ELIGIBLE = 0.2  # and one less probable than this share of the best is never the answer
ROUND = 1.5  # a law whose axes differ by less is taken as round
CERTAIN = 3.0  # spreads away from a threshold, from which on it is no question
ROOT_2 = math.sqrt(2.0)
# Middles of eight equally probable slices of the standard normal law.
SLICES = (-1.53412054, -0.88714656, -0.48877641, -0.15731068, 0.15731068, 0.48877641, 0.88714656, 1.53412054)


@jit
def race(
    group: Ints,
    cost: Floats,
    log_volume: Floats,
    pixels: Floats,
    misfit_sigmas: float,
    margin: float,
    temper: Floats,
    keep: Bools,
) -> None:
    """Find which jobs trail the best log evidence of their group by less than `margin`.

    Parameters
    ----------
    group : (J,), ascending
    cost, log_volume : (J,), as `fit_jobs` leaves them
    pixels : (G,), how many pixels each group compares
    misfit_sigmas : the best cost of a group may exceed what noise explains by this many standard deviations
    temper : (J,), out: the factor of the group's excess beyond that, else 1; evidences are divided by it
    keep : (J,), out
    """
    jobs, low = group.shape[0], 0
    while low < jobs:
        high, best_cost = low, math.inf
        while high < jobs and group[high] == group[low]:
            best_cost = min(best_cost, cost[high])
            high += 1
        n = max(pixels[group[low]], 1.0)
        excess = best_cost / n
        factor = excess if excess > 1.0 + misfit_sigmas * math.sqrt(2.0 / n) else 1.0
        best = -math.inf
        for j in range(low, high):
            best = max(best, -0.5 * cost[j] / factor + log_volume[j])
        for j in range(low, high):
            temper[j] = factor
            keep[j] = -0.5 * cost[j] / factor + log_volume[j] >= best - margin
        low = high


@jit
def decide(
    bounds: Ints,
    log_evidence: Floats,
    count: Ints,
    xy: Floats,
    spread: Floats,
    chosen: Ints,
    weight: Floats,
    elsewhere: Floats,
) -> None:
    """Weigh the jobs of each group and choose the one whose targets are expected to score most.

    Parameters
    ----------
    bounds : (G + 1,), the jobs of group g are bounds[g]..bounds[g + 1] - 1
    log_evidence, count, xy, spread : (J,), (J,), (J, K, 2) px, (J, K, 2) px along the error's axes
    chosen : (G,), out: the job chosen (0 where a group has none)
    weight : (G,), out: the posterior probability of its hypothesis
    elsewhere : (G, K), out: the probability, averaged over the thresholds, that a target of it is right although its
        hypothesis is wrong
    """
    for g in range(bounds.shape[0] - 1):
        low, high = bounds[g], bounds[g + 1]
        chosen[g], weight[g] = 0, 0.0
        if low == high:
            continue
        probability = posterior(log_evidence[low:high], count[low:high], xy[low:high])
        best, best_value = low, -1.0
        for c in range(low, high):
            if probability[c - low] < ELIGIBLE * probability.max():
                continue
            value = 0.0
            for k in range(count[c]):
                value += probability[c - low] * hit_probability(0.0, spread[c, k, 0], spread[c, k, 1])
                value += right_elsewhere(c, k, low, high, probability, count, xy, spread)
            if value > best_value:
                best, best_value = c, value
        chosen[g] = best
        weight[g] = probability[best - low]
        for k in range(count[best]):
            elsewhere[g, k] = right_elsewhere(best, k, low, high, probability, count, xy, spread)


@jit
def posterior(log_evidence: Floats, count: Ints, xy: Floats) -> Floats:
    """Return the probabilities of the jobs of one group; a solution found twice keeps its more probable copy."""
    jobs = log_evidence.shape[0]
    probability: Floats = np.exp(log_evidence - log_evidence.max())
    for j in range(jobs):
        for h in range(jobs):
            better = log_evidence[h] > log_evidence[j] or (log_evidence[h] == log_evidence[j] and h < j)
            if better and probability[j] > 0.0 and count[h] == count[j] and same_targets(xy[h], xy[j], count[j]):
                probability[j] = 0.0
    probability /= probability.sum()
    return probability


@jit
def same_targets(one: Floats, other: Floats, count: int) -> bool:
    """Tell whether every target of one answer has a target of the other within SAME_POSITION."""
    furthest = 0.0
    for k in range(count):
        furthest = max(furthest, nearest_offset(one[k, 0], one[k, 1], other, count))
    return furthest <= SAME_POSITION


@jit
def right_elsewhere(
    c: int, k: int, low: int, high: int, probability: Floats, count: Ints, xy: Floats, spread: Floats
) -> float:
    """Return the probability that target k of job c is right under the other jobs low..high - 1 of its group."""
    total = 0.0
    for h in range(low, high):
        if h != c and probability[h - low] >= NEGLIGIBLE:
            round_spread = math.sqrt(0.5 * (spread[h, 0, 0] ** 2 + spread[h, 0, 1] ** 2))
            offset = nearest_offset(xy[c, k, 0], xy[c, k, 1], xy[h], count[h])
            total += probability[h - low] * hit_probability(max(offset, 1e-6), round_spread, round_spread)
    return total


@jit
def nearest_offset(x: float, y: float, targets: Floats, count: int) -> float:
    """Return the distance from (x, y) to the nearest of the first `count` targets (K, 2)."""
    best = math.inf
    for k in range(count):
        best = min(best, math.hypot(targets[k, 0] - x, targets[k, 1] - y))
    return best


@jit
def hit_probability(offset: float, major: float, minor: float) -> float:
    """Return P(distance <= d), averaged over the thresholds, of a point `offset` px off the centre of a 2-D normal law.

    `major` and `minor` are its standard deviations along its axes, px; the offset lies along the first.
    """
    total = 0.0
    for d in THRESHOLDS:
        if offset < 1e-9 and major < ROUND * minor:
            total += 1.0 - math.exp(-0.5 * d * d / (major * minor))
        elif offset < d + CERTAIN * major:
            if offset < d - CERTAIN * major:
                total += 1.0
                continue
            for z in SLICES:
                left = d * d - (offset + major * z) ** 2
                if left > 0.0:
                    total += math.erf(math.sqrt(left) / (minor * ROOT_2)) / len(SLICES)
    return total / len(THRESHOLDS)
