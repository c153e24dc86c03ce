"""Choose the answers of a frame that are expected to score most hits over CSO-mAP's thresholds, by posterior samples.

An answer looks at its nearest target only and hits it at every threshold that is not smaller than their distance, as
long as no better-ranked answer has. So a set of answers covers, in each sample, of each target the thresholds from its
nearest pointing answer on, and its expected hits are the weighted number of (sample, target, threshold) covered: a sum
that does not depend on the order. It is submodular, so the greedy choice is good, and exchange makes it better.

Thresholds are counted by *levels*: level l means that the thresholds l, l + 1, .. are met, LEVELS that none is. Numbers
come out, nothing is checked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import THRESHOLDS
from csist_bench.jit import jit_inner
from csist_bench.methods.group_map._kernels.sampling import Samples

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = len(THRESHOLDS)
WIDEST = THRESHOLDS[-1]
SQUARES = tuple(d * d for d in THRESHOLDS)
APART = 0.02  # px; candidates closer than this are one
STEPS = (0.04, 0.02, 0.01)  # px; of the search about the best candidate
MOVES = 6  # of each step at most
ROUNDS = 4  # of exchange at most
GAIN = 1e-9  # below this nothing was gained


class Sight(NamedTuple):
    """What C candidates see in S samples: the nearest target (C, S) and its level (C, S)."""

    nearest: Ints
    level: Ints


@jit_inner
def look(x: float, y: float, samples: Samples, number: int, square: Floats, nearest: Ints, level: Ints) -> None:
    """Fill what one place sees in each of the first `number` samples: nearest target and level, (S,).

    `square` (S,), px^2, is room for the distances.
    """
    square[:number] = np.inf
    for k in range(len(samples.x)):
        other_x, other_y = samples.x[k], samples.y[k]
        for s in range(number):
            dx, dy = other_x[s] - x, other_y[s] - y
            this = dx * dx + dy * dy
            nearest[s] = k if this < square[s] else nearest[s]
            square[s] = this if this < square[s] else square[s]
    level[:number] = 0
    for limit in SQUARES:
        for s in range(number):
            level[s] += square[s] > limit


@jit_inner
def gain_of(samples: Samples, number: int, nearest: Ints, level: Ints, left: Ints, first: int, last: int) -> float:
    """Return the share of thresholds first..last - 1 that one more answer is expected to hit; `left` (K, S): open."""
    total, weight = 0.0, samples.weight
    for s in range(number):
        gained = min(left[nearest[s], s], last) - max(level[s], first)
        total += weight[s] * max(gained, 0)
    return total / (last - first)


@jit_inner
def take(number: int, nearest: Ints, level: Ints, left: Ints) -> None:
    """Mark what an answer hits as taken."""
    for s in range(number):
        k = nearest[s]
        left[k, s] = min(left[k, s], level[s])


@jit_inner
def gather_candidates(centres: Floats, number: int, candidates: Floats) -> int:
    """Fill the places to try, (C, 2): the centres, and the middles of two that one answer may hit; return how many."""
    count = 0
    for i in range(number):
        count = add_candidate(centres[i, 0], centres[i, 1], candidates, count)
    distinct = count
    for i in range(distinct):
        for j in range(i):
            dx, dy = candidates[i, 0] - candidates[j, 0], candidates[i, 1] - candidates[j, 1]
            if dx * dx + dy * dy < 4.0 * WIDEST * WIDEST:
                x, y = 0.5 * (candidates[i, 0] + candidates[j, 0]), 0.5 * (candidates[i, 1] + candidates[j, 1])
                count = add_candidate(x, y, candidates, count)
    return count


@jit_inner
def add_candidate(x: float, y: float, candidates: Floats, count: int) -> int:
    """Add a place unless it is there already or there is no room; return the new count."""
    if count == len(candidates):
        return count
    for i in range(count):
        dx, dy = candidates[i, 0] - x, candidates[i, 1] - y
        if dx * dx + dy * dy < APART * APART:
            return count
    candidates[count, 0], candidates[count, 1] = x, y
    return count + 1


@jit_inner
def look_from_all(candidates: Floats, count: int, samples: Samples, number: int, sight: Sight) -> None:
    """Fill what every candidate sees."""
    square = np.empty(len(samples.weight))
    for c in range(count):
        look(candidates[c, 0], candidates[c, 1], samples, number, square, sight.nearest[c], sight.level[c])


@jit_inner
def best_place(
    candidates: Floats,
    count: int,
    samples: Samples,
    number: int,
    sight: Sight,
    left: Ints,
    thresholds: tuple[int, int],
    place: Floats,
    nearest: Ints,
    level: Ints,
) -> float:
    """Find the place of the answer that adds most, from the best candidate on; return its gain.

    Out: `place` (2,), and what it sees, `nearest` and `level` (S,).
    """
    first, last = thresholds
    best, which = -1.0, 0
    for c in range(count):
        gain = gain_of(samples, number, sight.nearest[c], sight.level[c], left, first, last)
        if gain > best + GAIN:
            best, which = gain, c
    place[0], place[1] = candidates[which, 0], candidates[which, 1]
    square, tried_nearest, tried_level = np.empty(len(level)), np.empty_like(nearest), np.empty_like(level)
    for step in STEPS:
        for _ in range(MOVES):
            x, y, better = place[0], place[1], best
            for i in range(-1, 2):
                for j in range(-1, 2):
                    if i == 0 and j == 0:
                        continue
                    look(place[0] + i * step, place[1] + j * step, samples, number, square, tried_nearest, tried_level)
                    gain = gain_of(samples, number, tried_nearest, tried_level, left, first, last)
                    if gain > better + GAIN:
                        x, y, better = place[0] + i * step, place[1] + j * step, gain
            if better <= best + GAIN:
                break
            place[0], place[1], best = x, y, better
    look(place[0], place[1], samples, number, square, nearest, level)
    return best
