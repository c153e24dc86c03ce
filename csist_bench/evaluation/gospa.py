"""GOSPA of every frame and what it is made of: distances of pairs, missed targets, false answers.

With c the cut-off, p = 2 and alpha = 2 (Rahmathullah, Garcia-Fernandez and Svensson 2017),

    GOSPA^2 = min over sets of pairs  sum of d^2 + (c^2 / 2) (missed + false)

A pair saves c^2 - d^2, so that only pairs nearer than c matter. They fall into small groups that share no target and no
answer, and each group is solved exactly over all sets of its targets: NumPy alone, since a plain evaluation is over
before numba or SciPy is imported.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.evaluation.matching import Matched
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GOSPA_CUTOFF = 0.25  # px
MOST_TARGETS = 8  # of a group that is solved over all sets of targets; larger ones by assignment
STATES_AT_A_TIME = 1 << 22


@dataclass(frozen=True)
class GospaMeans:
    """Means over frames, px: the distance, and the three parts that add up to it."""

    distance: float
    localisation: float
    missed: float
    false: float


@dataclass(frozen=True, eq=False)
class Gospa:
    """GOSPA of F frames, (F,) px each, and its parts: each frame's distance shared out as its square is made up.

    With L, M and N the parts of the square (px^2), the parts of d = sqrt(L + M + N) are L / d, M / d and N / d.
    """

    distance: Floats
    localisation: Floats
    missed: Floats
    false: Floats

    @classmethod
    def from_squares(cls, localisation: Floats, missed: Floats, false: Floats) -> Gospa:
        """Share the distance out in proportion to the parts (F,) px^2 of its square."""
        distance = np.sqrt(localisation + missed + false)
        shares = [part / np.where(distance > 0, distance, 1.0) for part in (localisation, missed, false)]
        return cls(distance, *shares)

    def means(self, chosen: Bools | slice = slice(None)) -> GospaMeans:
        """Return the means over the frames picked by a mask (F,), or over all."""
        parts = (self.distance, self.localisation, self.missed, self.false)
        return GospaMeans(*(float(part[chosen].mean()) for part in parts))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Possible pairs: the answer, the target (numbered over all frames), the squared distance and the group of each."""

    answer: Ints
    target: Ints
    squared: Floats
    group: Ints

    def select(self, index: NDArray[np.generic]) -> _Pairs:
        return _Pairs(self.answer[index], self.target[index], self.squared[index], self.group[index])


def gospa(matched: Matched, truth: Truth, cutoff: float = GOSPA_CUTOFF) -> Gospa:
    """Return GOSPA of order 2 and alpha 2 of every scored frame, px, with its parts."""
    pairs = _pairs_in_reach(matched.detections, matched.frame, truth, cutoff)
    n_frames, slots = truth.frame_xy.shape[:2]
    taken, squared = np.zeros(n_frames), np.zeros(n_frames)
    for group, count, total in _solved(pairs, cutoff):
        frame = group // max(slots, 1)
        np.add.at(taken, frame, count)
        np.add.at(squared, frame, total)
    answers = np.bincount(matched.frame, minlength=n_frames)
    half = cutoff * cutoff / 2
    return Gospa.from_squares(squared, half * (truth.frame_count - taken), half * (answers - taken))


def _pairs_in_reach(detections: Detections, frame: Ints, truth: Truth, cutoff: float) -> _Pairs:
    """Return all pairs nearer than the cut-off; a group goes by its lowest target."""
    slots = truth.frame_xy.shape[1]
    parts = []
    for k in range(slots):
        target = truth.frame_xy[frame, k]
        squared = (detections.x - target[:, 0]) ** 2 + (detections.y - target[:, 1]) ** 2
        near = np.flatnonzero(squared < cutoff * cutoff)  # NaN (an absent target) compares false
        parts.append((near, frame[near] * slots + k, squared[near]))
    answer, target, squared = (np.concatenate(column) for column in zip(*parts))
    return _Pairs(answer, target, squared, _groups(answer, target))


def _groups(answer: Ints, target: Ints) -> Ints:
    """Return the lowest target that each pair is tied to by shared answers and targets."""
    _, answer = np.unique(answer, return_inverse=True)
    _, slot = np.unique(target, return_inverse=True)
    group = target.copy()
    while True:
        before = group
        for side in (answer, slot):
            lowest = np.full(side.max(initial=-1) + 1, np.iinfo(np.int64).max)
            np.minimum.at(lowest, side, group)
            group = lowest[side]
        if np.array_equal(group, before):
            return group


def _solved(pairs: _Pairs, cutoff: float) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Yield groups (G,), how many pairs the best choice of each has, and their summed squared distances, px^2."""
    if not len(pairs.group):
        return
    order = np.lexsort((pairs.squared, pairs.target, pairs.group))
    pairs = pairs.select(order)
    place = _rank(pairs.target)  # of each pair among those of its target, nearest first
    first_of_target = place == 0
    number = np.cumsum(first_of_target) - 1
    starts = _starts(pairs.group)
    group_of = np.cumsum(starts) - 1
    size = np.bincount(group_of, weights=first_of_target).astype(np.int64)
    bit = number - number[starts][group_of]
    # The others of a group of s targets can take no more than s - 1 answers from a target.
    useful = place < size[group_of]
    for s in np.unique(size):
        chosen = useful & (size[group_of] == s)
        solve = _by_sets if s <= MOST_TARGETS else _by_assignment
        yield from solve(pairs.select(chosen), bit[chosen], int(s), cutoff)


def _starts(sorted_keys: Ints) -> Bools:
    """Return where a new run of equal keys begins."""
    return np.append(True, sorted_keys[1:] != sorted_keys[:-1])


def _rank(sorted_keys: Ints) -> Ints:
    """Return the place of each row within its run of equal keys."""
    first = np.flatnonzero(_starts(sorted_keys))
    return np.asarray(np.arange(len(sorted_keys)) - np.repeat(first, np.diff(np.append(first, len(sorted_keys)))))


def _tables(pairs: _Pairs, bit: Ints, size: int) -> tuple[Ints, Floats]:
    """Return the groups (G,) and their squared distances (G, answers, size), inf where there is no pair."""
    group, row = np.unique(pairs.group, return_inverse=True)
    # Answers of a group are numbered in any order: the best total does not depend on it.
    _, answer = np.unique(pairs.answer, return_inverse=True)
    order = np.lexsort((answer, row))
    fresh = _starts(answer[order])
    number = np.cumsum(fresh) - 1
    column = np.empty(len(order), dtype=np.int64)
    column[order] = number - number[_starts(row[order])][row[order]]
    table = np.full((len(group), column.max() + 1, size), np.inf)
    table[row, column, bit] = pairs.squared
    return group, table


def _by_sets(pairs: _Pairs, bit: Ints, size: int, cutoff: float) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Take the answers of each group one by one and keep the best gain for every set of targets that are taken."""
    groups, tables = _tables(pairs, bit, size)
    sets = np.arange(1 << size)
    count = np.array([int(s).bit_count() for s in sets])
    at_a_time = max(1, STATES_AT_A_TIME // len(sets))
    for start in range(0, len(groups), at_a_time):
        table = tables[start : start + at_a_time]
        gain = np.full((len(table), len(sets)), -np.inf)
        squared = np.zeros_like(gain)
        gain[:, 0] = 0.0
        for answer in range(table.shape[1]):
            before, carried = gain.copy(), squared.copy()
            for k in range(size):
                free = sets[sets >> k & 1 == 0]
                distance = table[:, answer, k, None]
                tried = before[:, free] + (cutoff * cutoff - distance)
                better = tried > gain[:, free | 1 << k]
                gain[:, free | 1 << k] = np.where(better, tried, gain[:, free | 1 << k])
                total = np.where(better, carried[:, free] + distance, squared[:, free | 1 << k])
                squared[:, free | 1 << k] = total
        best = np.argmax(gain, axis=1)
        yield groups[start : start + at_a_time], count[best], squared[np.arange(len(best)), best]


def _by_assignment(pairs: _Pairs, bit: Ints, size: int, cutoff: float) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Solve groups of many targets one by one."""
    from scipy.optimize import linear_sum_assignment

    order = np.argsort(pairs.group, kind="stable")
    pairs, bit = pairs.select(order), bit[order]
    bounds = np.append(np.flatnonzero(_starts(pairs.group)), len(order))
    for low, high in itertools.pairwise(bounds):
        _, answer = np.unique(pairs.answer[low:high], return_inverse=True)
        gain, squared = np.zeros((answer.max() + 1, size)), np.zeros((answer.max() + 1, size))
        squared[answer, bit[low:high]] = pairs.squared[low:high]
        gain[answer, bit[low:high]] = cutoff * cutoff - pairs.squared[low:high]
        rows, columns = linear_sum_assignment(gain, maximize=True)
        used = gain[rows, columns] > 0
        total = squared[rows[used], columns[used]].sum()
        yield pairs.group[low : low + 1], np.array([used.sum()]), np.array([total])
