"""Scoring kernels: optimal assignment, the Hungarian matching, OSPA, and weighted average precision.

The callers (`csist_bench.evaluation`) validate and allocate.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@jit
def assign(cost: Floats, rows: int, columns: int, column_of: Ints) -> None:
    """Write the column of each row in the assignment of least total cost; rows <= columns.

    Shortest augmenting paths with dual potentials, one row at a time (Kuhn 1955; Jonker and Volgenant 1987).
    """
    row_dual, column_dual = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, np.int64)  # row that holds a column, from 1; 0 = free
    previous = np.zeros(columns + 1, np.int64)
    slack, done = np.empty(columns + 1), np.empty(columns + 1, np.bool_)
    for row in range(1, rows + 1):
        owner[0] = row
        slack[:] = np.inf
        done[:] = False
        column = 0
        while True:
            done[column] = True
            holder = owner[column]
            for j in range(1, columns + 1):
                if not done[j]:
                    reduced = cost[holder - 1, j - 1] - row_dual[holder] - column_dual[j]
                    if reduced < slack[j]:
                        slack[j] = reduced
                        previous[j] = column
            column = least_slack(slack, done)
            shift_duals(slack[column], done, owner, row_dual, column_dual, slack)
            if owner[column] == 0:
                break
        while column != 0:
            owner[column] = owner[previous[column]]
            column = previous[column]
    for j in range(1, columns + 1):
        if owner[j] > 0:
            column_of[owner[j] - 1] = j - 1


@jit
def least_slack(slack: Floats, done: NDArray[np.bool_]) -> int:
    """Return the column of least slack that is not done; of equal ones the first."""
    following, least = 0, np.inf
    for j in range(1, len(slack)):
        if not done[j] and slack[j] < least:
            least = slack[j]
            following = j
    return following


@jit
def shift_duals(
    least: float, done: NDArray[np.bool_], owner: Ints, row_dual: Floats, column_dual: Floats, slack: Floats
) -> None:
    """Move the potentials so that the column of least slack can be reached."""
    for j in range(len(done)):
        if done[j]:
            row_dual[owner[j]] += least
            column_dual[j] -= least
        else:
            slack[j] -= least


@jit
def distances(xy: Floats, first: int, last: int, targets: Floats, count: int, transposed: bool, out: Floats) -> None:
    """Write distances between detections first..last-1 and `count` targets: out[target, detection], or transposed."""
    for i in range(first, last):
        for k in range(count):
            dx, dy = xy[i, 0] - targets[k, 0], xy[i, 1] - targets[k, 1]
            if transposed:
                out[i - first, k] = math.sqrt(dx * dx + dy * dy)
            else:
                out[k, i - first] = math.sqrt(dx * dx + dy * dy)


@jit
def assigned_hits(
    xy: Floats,
    start: Ints,
    target_xy: Floats,
    target_count: Ints,
    thresholds: Floats,
    hits: NDArray[np.bool_],
    pair_distance: Floats,
) -> None:
    """Match each frame one-to-one: most pairs within the threshold, then least total distance.

    `xy` (n, 2) are detections grouped by frame with bounds `start` (F + 1,); `target_xy` (F, K, 2), `target_count`
    (F,); `hits` and `pair_distance` (D, n) are written where a detection is matched.
    """
    for f in range(len(target_count)):
        first, last, count = start[f], start[f + 1], target_count[f]
        found = last - first
        if found == 0 or count == 0:
            continue
        transposed = found < count
        rows, columns = min(found, count), max(found, count)
        apart, cost, chosen = np.empty((rows, columns)), np.empty((rows, columns)), np.empty(rows, np.int64)
        distances(xy, first, last, target_xy[f], count, transposed, apart)
        for d in range(len(thresholds)):
            # A pair out of reach costs more than any set of pairs in reach.
            unreachable = 2.0 * rows * thresholds[d] + 1.0
            for i in range(rows):
                for j in range(columns):
                    cost[i, j] = apart[i, j] if apart[i, j] <= thresholds[d] else unreachable
            assign(cost, rows, columns, chosen)
            for i in range(rows):
                if apart[i, chosen[i]] <= thresholds[d]:
                    detection = first + (i if transposed else chosen[i])
                    hits[d, detection] = True
                    pair_distance[d, detection] = apart[i, chosen[i]]


@jit
def ospa(xy: Floats, start: Ints, target_xy: Floats, target_count: Ints, cutoff: float, out: Floats) -> None:
    """Write OSPA of order 2 of each frame into `out` (F,), px; arguments as in `assigned_hits`.

    With m <= n points on the two sides, OSPA^2 = (min over assignments sum min(d, c)^2 + c^2 (n - m)) / n.
    """
    for f in range(len(target_count)):
        first, last, count = start[f], start[f + 1], target_count[f]
        found = last - first
        rows, columns = min(found, count), max(found, count)
        if columns == 0:
            out[f] = 0.0
            continue
        total = cutoff * cutoff * (columns - rows)
        if rows > 0:
            cost, chosen = np.empty((rows, columns)), np.empty(rows, np.int64)
            distances(xy, first, last, target_xy[f], count, found < count, cost)
            for i in range(rows):
                for j in range(columns):
                    cost[i, j] = min(cost[i, j], cutoff) ** 2
            assign(cost, rows, columns, chosen)
            for i in range(rows):
                total += cost[i, chosen[i]]
        out[f] = math.sqrt(total / columns)


@jit
def weighted_average_precision(
    places: Ints, start: Ints, trajectory: Ints, weights: Ints, target_count: Ints, scratch: Ints, out: Floats
) -> None:
    """Write AP (a fraction) of each resample and threshold into `out` (B, D).

    `places` lists the ranks of the hits, those of threshold d from start[d] to start[d + 1]; `trajectory` (n,) numbers
    the resampled units of the ranked detections; `weights` (B, N) says how often each unit is drawn, `target_count`
    (N,) how many targets it has. A detection of weight w stands for w copies that follow one another: their precision
    rises over a hit's copies, so its value after the last copy bounds them all. `scratch` is (2, n). A resample
    without targets gets 0.
    """
    drawn, seen = scratch[0], scratch[1]  # copies of each detection, and of all down to it
    for b in range(len(weights)):
        total, so_far = 0, 0
        for unit in range(len(target_count)):
            total += weights[b, unit] * target_count[unit]
        for i in range(len(trajectory)):
            drawn[i] = weights[b, trajectory[i]]
            so_far += drawn[i]
            seen[i] = so_far
        for d in range(len(start) - 1):
            true = 0
            for k in range(start[d], start[d + 1]):
                true += drawn[places[k]]
            # From the right, so that the best precision so far is the envelope.
            area, best = 0.0, 0.0
            for k in range(start[d + 1] - 1, start[d] - 1, -1):
                gain = drawn[places[k]]
                if gain > 0:
                    best = max(best, true / seen[places[k]])
                    area += gain * best
                    true -= gain
            out[b, d] = area / total if total > 0 else 0.0
