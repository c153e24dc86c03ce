"""GOSPA of every frame and what it is made of: distances of pairs, missed targets, false answers.

With c the cut-off, p = 2 and alpha = 2 (Rahmathullah, Garcia-Fernandez and Svensson 2017),

    GOSPA^2 = min over sets of pairs  sum of d^2 + (c^2 / 2) (missed + false)

A pair saves c^2 - d^2, so that only pairs nearer than c matter. They fall into small groups that share no target and no
answer. A target that is a group of its own takes its nearest answer; any other group is solved exactly over all sets of
its targets: NumPy alone, since a plain evaluation is over before numba or SciPy is imported.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.evaluation.matching import Matched, squared_distances
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
    """Possible pairs: the answer, the target (numbered over all frames) and the squared distance of each."""

    answer: Ints
    target: Ints
    squared: Floats

    def select(self, index: NDArray[np.generic]) -> _Pairs:
        return _Pairs(self.answer[index], self.target[index], self.squared[index])


def gospa(matched: Matched, truth: Truth, cutoff: float = GOSPA_CUTOFF) -> Gospa:
    """Return GOSPA of order 2 and alpha 2 of every scored frame, px, with its parts."""
    pairs = _pairs_in_reach(matched.detections, matched.frame, truth, cutoff)
    n_frames, slots = truth.frame_xy.shape[:2]
    alone = _targets_alone(pairs, n_frames * slots)
    taken, squared = _nearest_alone(pairs.select(alone[pairs.target]), n_frames, slots)
    tied = pairs.select(~alone[pairs.target])
    groups = _groups(tied, n_frames * slots)
    # The others of a group of s targets can take no more than s - 1 answers from a target.
    few = _nearest_few(tied, _targets_of_groups(tied, groups)[groups])
    for group, count, total in _solved(few, groups[few.target], cutoff):
        frame = group // max(slots, 1)
        np.add.at(taken, frame, count)
        np.add.at(squared, frame, total)
    answers = np.bincount(matched.frame, minlength=n_frames)
    half = cutoff * cutoff / 2
    return Gospa.from_squares(squared, half * (truth.frame_count - taken), half * (answers - taken))


def _pairs_in_reach(detections: Detections, frame: Ints, truth: Truth, cutoff: float) -> _Pairs:
    """Return all pairs nearer than the cut-off, those of a target in the order of the answers."""
    slots = truth.frame_xy.shape[1]
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for rows, squares in squared_distances(detections, frame, truth):
        for k, squared in enumerate(squares):
            near = np.flatnonzero(squared < cutoff * cutoff)  # NaN (an absent target) compares false
            parts.append((near + rows.start, frame[rows][near] * slots + k, squared[near]))
    return _Pairs(*(np.concatenate(column) for column in zip(*parts)))


def _targets_alone(pairs: _Pairs, n_targets: int) -> Bools:
    """Return which targets share no answer with another: groups of their own."""
    shared = np.bincount(pairs.answer)[pairs.answer] > 1
    alone = np.ones(n_targets, dtype=bool)
    alone[pairs.target[shared]] = False
    return alone


def _nearest_alone(pairs: _Pairs, n_frames: int, slots: int) -> tuple[Floats, Floats]:
    """Give each target alone its nearest answer: return how many each frame has so, and their squared distances."""
    nearest = np.full(n_frames * slots, np.inf)
    np.minimum.at(nearest, pairs.target, pairs.squared)
    taken, total = np.zeros(n_frames), np.zeros(n_frames)
    for squared in nearest.reshape(n_frames, slots).T:
        found = np.isfinite(squared)
        taken += found
        total += np.where(found, squared, 0.0)
    return taken, total


def _groups(pairs: _Pairs, n_targets: int) -> Ints:
    """Return the lowest target that each target is tied to by shared answers."""
    linking = pairs.select(np.bincount(pairs.answer)[pairs.answer] > 1)
    group, before = np.arange(n_targets), np.zeros(0, np.int64)
    lowest = np.full(pairs.answer.max(initial=-1) + 1, n_targets)
    while not np.array_equal(group, before):
        before = group.copy()
        np.minimum.at(lowest, linking.answer, group[linking.target])
        np.minimum.at(group, linking.target, lowest[linking.answer])
    return group


def _targets_of_groups(pairs: _Pairs, groups: Ints) -> Ints:
    """Return how many targets each group has, at its lowest one."""
    present = np.zeros(len(groups), dtype=bool)
    present[pairs.target] = True
    return np.bincount(groups[present], minlength=len(groups))


def _nearest_few(pairs: _Pairs, wanted: Ints) -> _Pairs:
    """Return the nearest answers of each target, as many as `wanted` (targets,) has; of equally near ones the first."""
    rest, kept = np.arange(len(pairs.target)), [np.zeros(0, np.int64)]
    for found in range(1, int(wanted.max(initial=0)) + 1):
        nearest = np.full(len(wanted), np.inf)
        np.minimum.at(nearest, pairs.target[rest], pairs.squared[rest])
        chosen = rest[pairs.squared[rest] == nearest[pairs.target[rest]]]
        _, first = np.unique(pairs.target[chosen], return_index=True)
        kept.append(chosen[first])
        open_ = wanted[pairs.target[rest]] > found
        open_[np.searchsorted(rest, kept[-1])] = False
        rest = rest[open_]
    return pairs.select(np.sort(np.concatenate(kept)))


def _solved(pairs: _Pairs, group: Ints, cutoff: float) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Yield groups (G,), how many pairs the best choice of each has, and their summed squared distances, px^2."""
    if not len(group):
        return
    order = np.lexsort((pairs.squared, pairs.target, group))
    pairs, group = pairs.select(order), group[order]
    first_of_target = _starts(pairs.target)
    number = np.cumsum(first_of_target) - 1
    starts = _starts(group)
    group_of = np.cumsum(starts) - 1
    size = np.bincount(group_of, weights=first_of_target).astype(np.int64)
    bit = number - number[starts][group_of]
    for s in np.unique(size):
        chosen = size[group_of] == s
        solve = _by_sets if s <= MOST_TARGETS else _by_assignment
        yield from solve(pairs.select(chosen), group[chosen], bit[chosen], int(s), cutoff)


def _starts(sorted_keys: Ints) -> Bools:
    """Return where a new run of equal keys begins."""
    return np.append(True, sorted_keys[1:] != sorted_keys[:-1])


def _tables(pairs: _Pairs, group: Ints, bit: Ints, size: int) -> tuple[Ints, Floats]:
    """Return the groups (G,) and their squared distances (G, answers, size), inf where there is no pair."""
    groups, row = np.unique(group, return_inverse=True)
    # Answers of a group are numbered in any order: the best total does not depend on it.
    _, answer = np.unique(pairs.answer, return_inverse=True)
    order = np.lexsort((answer, row))
    fresh = _starts(answer[order])
    number = np.cumsum(fresh) - 1
    column = np.empty(len(order), dtype=np.int64)
    column[order] = number - number[_starts(row[order])][row[order]]
    table = np.full((len(groups), column.max() + 1, size), np.inf)
    table[row, column, bit] = pairs.squared
    return groups, table


def _by_sets(pairs: _Pairs, group: Ints, bit: Ints, size: int, cutoff: float) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Take the answers of each group one by one and keep the best gain for every set of targets that are taken."""
    groups, tables = _tables(pairs, group, bit, size)
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


def _by_assignment(
    pairs: _Pairs, group: Ints, bit: Ints, size: int, cutoff: float
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Solve groups of many targets one by one."""
    from scipy.optimize import linear_sum_assignment

    order = np.argsort(group, kind="stable")
    pairs, group, bit = pairs.select(order), group[order], bit[order]
    bounds = np.append(np.flatnonzero(_starts(group)), len(order))
    for low, high in itertools.pairwise(bounds):
        _, answer = np.unique(pairs.answer[low:high], return_inverse=True)
        gain, squared = np.zeros((answer.max() + 1, size)), np.zeros((answer.max() + 1, size))
        squared[answer, bit[low:high]] = pairs.squared[low:high]
        gain[answer, bit[low:high]] = cutoff * cutoff - pairs.squared[low:high]
        rows, columns = linear_sum_assignment(gain, maximize=True)
        used = gain[rows, columns] > 0
        total = squared[rows[used], columns[used]].sum()
        yield group[low : low + 1], np.array([used.sum()]), np.array([total])
