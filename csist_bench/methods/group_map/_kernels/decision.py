"""Weigh the hypotheses of a group against each other and choose the answer that has most targets right.

Numbers come out, nothing is checked.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner
from csist_bench.methods.fitting.hit_probability import hit_probability
from csist_bench.methods.fitting.linear_algebra import copy_array
from csist_bench.methods.group_map._kernels.fit import Hypotheses

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SAME_POSITION = 0.02  # px; two hypotheses whose targets all agree this closely are one solution found twice
NEGLIGIBLE = 1e-3  # a hypothesis less probable than this is left out of the averages
ELIGIBLE = 0.2  # and one less probable than this share of the best is never the answer


@jit
def prune(
    hypotheses: Hypotheses,
    pixels: Floats,
    misfit_sigmas: float,
    margin: float,
    variance_inflation: Floats,
    keep: Bools,
) -> None:
    """Find which hypotheses trail the best log evidence of their group by less than `margin`.

    Parameters
    ----------
    hypotheses : J fitted ones, ascending in their groups
    pixels : (G,), how many pixels each group compares
    misfit_sigmas : the best cost of a group may exceed what noise explains by this many standard deviations
    variance_inflation : (J,), out: the factor of the group's excess beyond that, else 1; evidences are divided by it
    keep : (J,), out
    """
    group, cost, log_volume = hypotheses.group, hypotheses.cost, hypotheses.log_volume
    number, low = group.shape[0], 0
    while low < number:
        high, best_cost = low, math.inf
        while high < number and group[high] == group[low]:
            best_cost = min(best_cost, cost[high])
            high += 1
        n = max(pixels[group[low]], 1.0)
        excess = best_cost / n
        factor = excess if excess > 1.0 + misfit_sigmas * math.sqrt(2.0 / n) else 1.0
        best = -math.inf
        for j in range(low, high):
            best = max(best, -0.5 * cost[j] / factor + log_volume[j])
        for j in range(low, high):
            variance_inflation[j] = factor
            keep[j] = -0.5 * cost[j] / factor + log_volume[j] >= best - margin
        low = high


@jit
def choose_hypotheses(
    bounds: Ints,
    log_evidence: Floats,
    count: Ints,
    xy: Floats,
    spread: Floats,
    chosen: Ints,
    weight: Floats,
    p_hit_otherwise: Floats,
) -> None:
    """Weigh the hypotheses of each group and choose the one whose targets are expected to score most.

    Parameters
    ----------
    bounds : (G + 1,), the hypotheses of group g are bounds[g]..bounds[g + 1] - 1
    log_evidence, count, xy, spread : (J,), (J,), (J, K, 2) px, (J, K, 2) px along the error's axes
    chosen : (G,), out: the hypothesis chosen (0 where a group has none)
    weight : (G,), out: the posterior probability of its hypothesis
    p_hit_otherwise : (G, K), out: the probability, averaged over the thresholds, that a target of it is right although
        its hypothesis is wrong
    """
    for g in range(bounds.shape[0] - 1):
        low, high = bounds[g], bounds[g + 1]
        chosen[g], weight[g] = 0, 0.0
        if low == high:
            continue
        probability = hypothesis_probabilities(log_evidence[low:high], count[low:high], xy[low:high])
        best, best_value = low, -1.0
        for c in range(low, high):
            if probability[c - low] < ELIGIBLE * probability.max():
                continue
            value = 0.0
            for k in range(count[c]):
                value += probability[c - low] * hit_probability(0.0, spread[c, k, 0], spread[c, k, 1])
                value += hit_under_others(c, k, low, high, probability, count, xy, spread)
            if value > best_value:
                best, best_value = c, value
        chosen[g] = best
        weight[g] = probability[best - low]
        for k in range(count[best]):
            p_hit_otherwise[g, k] = hit_under_others(best, k, low, high, probability, count, xy, spread)


@jit
def weigh_hypotheses(
    bounds: Ints, log_evidence: Floats, count: Ints, xy: Floats, found_twice: bool, probability: Floats
) -> None:
    """Write the probability (J,) of each hypothesis within its group; arguments as in `choose_hypotheses`.

    With `found_twice` equal solutions are one that several fits have found; without, each is one of its own.
    """
    for g in range(bounds.shape[0] - 1):
        low, high = bounds[g], bounds[g + 1]
        if low == high:
            continue
        if found_twice:
            copy_array(
                hypothesis_probabilities(log_evidence[low:high], count[low:high], xy[low:high]), probability[low:high]
            )
        else:
            copy_array(np.exp(log_evidence[low:high] - log_evidence[low:high].max()), probability[low:high])
            probability[low:high] /= probability[low:high].sum()


@jit_inner
def hypothesis_probabilities(log_evidence: Floats, count: Ints, xy: Floats) -> Floats:
    """Return the probabilities of the hypotheses of one group; a solution found twice keeps its more probable copy."""
    number = log_evidence.shape[0]
    probability: Floats = np.exp(log_evidence - log_evidence.max())
    for j in range(number):
        for h in range(number):
            better = log_evidence[h] > log_evidence[j] or (log_evidence[h] == log_evidence[j] and h < j)
            if better and probability[j] > 0.0 and count[h] == count[j] and same_targets(xy[h], xy[j], count[j]):
                probability[j] = 0.0
    probability /= probability.sum()
    return probability


@jit_inner
def same_targets(one: Floats, other: Floats, count: int) -> bool:
    """Return whether every target of one answer has a target of the other within SAME_POSITION."""
    furthest = 0.0
    for k in range(count):
        furthest = max(furthest, nearest_offset(one[k, 0], one[k, 1], other, count))
    return furthest <= SAME_POSITION


@jit_inner
def hit_under_others(
    c: int, k: int, low: int, high: int, probability: Floats, count: Ints, xy: Floats, spread: Floats
) -> float:
    """Return the probability that target k of hypothesis c is right under the others low..high - 1 of its group."""
    total = 0.0
    for h in range(low, high):
        if h != c and probability[h - low] >= NEGLIGIBLE:
            round_spread = math.sqrt(0.5 * (spread[h, 0, 0] ** 2 + spread[h, 0, 1] ** 2))
            offset = nearest_offset(xy[c, k, 0], xy[c, k, 1], xy[h], count[h])
            total += probability[h - low] * hit_probability(max(offset, 1e-6), round_spread, round_spread)
    return total


@jit_inner
def nearest_offset(x: float, y: float, targets: Floats, count: int) -> float:
    """Return the distance from (x, y) to the nearest of the first `count` targets (K, 2)."""
    best = math.inf
    for k in range(count):
        best = min(best, math.hypot(targets[k, 0] - x, targets[k, 1] - y))
    return best
