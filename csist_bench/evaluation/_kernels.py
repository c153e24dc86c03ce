"""Scoring kernels: optimal assignment, the Hungarian matching, OSPA, and weighted average precision.

The callers (`csist_bench.evaluation`) validate and allocate.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner

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


@jit_inner
def least_slack(slack: Floats, done: NDArray[np.bool_]) -> int:
    """Return the column of least slack that is not done; of equal ones the first."""
    following, least = 0, np.inf
    for j in range(1, len(slack)):
        if not done[j] and slack[j] < least:
            least = slack[j]
            following = j
    return following


@jit_inner
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


LANES = 256  # resamples side by side, so that the loop over them is vectorised and its state stays in the cache


@jit
def weighted_average_precision(
    hits: NDArray[np.bool_], trajectory: Ints, weights: Ints, target_count: Ints, out: Floats
) -> None:
    """Write AP (a fraction) of each resample and threshold into `out` (B, D).

    `hits` (n, D) of the ranked detections, `trajectory` (n,) numbers their resampled units; `weights` (B, N) says how
    often each unit is drawn, `target_count` (N,) how many targets it has. A detection of weight w stands for w copies
    that follow one another: their precision rises over a hit's copies, so its value after the last copy bounds them
    all. A resample without targets gets 0. Counts are float64, exact up to 2^53.
    """
    thresholds, units = hits.shape[1], len(target_count)
    in_unit = np.zeros((units, thresholds + 2))  # hits at each threshold, detections, targets
    in_unit[:, thresholds + 1] = target_count
    for i in range(len(trajectory)):
        in_unit[trajectory[i], thresholds] += 1.0
        for d in range(thresholds):
            in_unit[trajectory[i], d] += hits[i, d]
    for first in range(0, len(weights), LANES):
        drawn = np.ascontiguousarray(weights[first : first + LANES].T).astype(np.float64)
        lanes = drawn.shape[1]
        counts = np.zeros((thresholds + 2, lanes))
        for unit in range(units):
            for c in range(thresholds + 2):
                add_multiple(in_unit[unit, c], drawn[unit], counts[c])
        seen, total = counts[thresholds], counts[thresholds + 1]
        best, area = np.zeros((thresholds, lanes)), np.zeros((thresholds, lanes))
        # From the last rank up, so that the best precision so far is the envelope.
        for i in range(len(trajectory) - 1, -1, -1):
            own = drawn[trajectory[i]]
            for d in range(thresholds):
                if hits[i, d]:
                    count_hit(own, counts[d], seen, best[d], area[d])
            add_multiple(-1.0, own, seen)
        for d in range(thresholds):
            for b in range(lanes):
                out[first + b, d] = area[d, b] / total[b] if total[b] > 0.0 else 0.0


@jit_inner
def count_hit(copies: Floats, true: Floats, seen: Floats, best: Floats, area: Floats) -> None:
    """Take a hit that each resample has `copies` (B,) of into its envelope and area, then out of its `true` hits."""
    for b in range(len(copies)):
        precision = true[b] / seen[b] if copies[b] > 0.0 else 0.0
        best[b] = precision if precision > best[b] else best[b]
        area[b] += copies[b] * best[b]
        true[b] -= copies[b]


@jit_inner
def add_multiple(factor: float, values: Floats, out: Floats) -> None:
    """Add `factor * values` (B,) to `out`."""
    for b in range(len(out)):
        out[b] += factor * values[b]
