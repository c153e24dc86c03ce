"""Which detections count as true positives: the protocol's nearest-target matching, and the Hungarian variant.

Distances are sqrt(dx * dx + dy * dy) in float64 and a threshold is inclusive (distance <= d). The default path is
NumPy alone: it costs less than importing numba would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import THRESHOLDS
from csist_bench.detections import Detections
from csist_bench.errors import unknown
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MATCHINGS = ("nearest", "hungarian")
BLOCK = 1 << 13  # detections whose distances are worked out at a time


@dataclass(frozen=True, eq=False)
class Matched:
    """Detections of the scored frames in ranking order, and what each of them hit.

    `frame` (n,) numbers the scored frames, `distance` (n,) px is to the matched target where there is a hit and to the
    nearest one elsewhere (inf without targets), `hits` (D, n) tells true positives per threshold. With the Hungarian
    variant the distance of a hit differs per threshold, so that `distance` is (D, n) in both cases.
    """

    detections: Detections
    frame: Ints
    distance: Floats
    hits: Bools
    thresholds: tuple[float, ...]
    ignored: int  # detections in frames that are not scored

    def frames_without_answer(self, n_frames: int) -> int:
        """Return how many of the scored frames have no detection."""
        return int((np.bincount(self.frame, minlength=n_frames) == 0).sum())


def ranking(detections: Detections) -> Ints:
    """Return the protocol's order: falling score; equal scores by trajectory, frame, x and y."""
    order = np.argsort(-detections.score)  # equal scores in any order, several times faster than a stable sort
    score = detections.score[order]
    same = score[1:] == score[:-1]
    tied = np.zeros(len(score), dtype=bool)
    tied[1:] = same
    tied[:-1] |= same
    if tied.any():
        # Only the tied rows are sorted by all keys; each run of equal scores keeps its places.
        places = np.flatnonzero(tied)
        rows = order[places]
        keys = (detections.y[rows], detections.x[rows], detections.frame[rows], detections.trajectory[rows])
        order[places] = rows[np.lexsort((rows, *keys, -score[places]))]
    return order


def best_of_each_frame(detections: Detections, k: int) -> Detections:
    """Return the k detections of highest score of each frame, equal scores in the protocol's order."""
    order = ranking(detections)
    order = order[np.lexsort((detections.frame[order], detections.trajectory[order]))]  # stable: ranked within a frame
    frame = np.column_stack([detections.trajectory[order], detections.frame[order]])
    first = np.flatnonzero(np.append(True, (frame[1:] != frame[:-1]).any(axis=1))[: len(order)])
    place = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    return detections.select(np.sort(order[place < k]))


def match(
    detections: Detections, truth: Truth, thresholds: Sequence[float] = THRESHOLDS, matching: str = "nearest"
) -> Matched:
    """Match detections to targets, frame by frame and threshold by threshold.

    Parameters
    ----------
    detections : Detections
        In any order; those in frames that are not scored are dropped and counted.
    thresholds : D distances, px
    matching : {"nearest", "hungarian"}
        "nearest": by falling score, each detection looks at its nearest target only (of equally near ones the lower
        index) and hits it if it is within the threshold and not yet taken. "hungarian": the one-to-one assignment
        with the most pairs within the threshold and, of these, the least total distance; scores play no part.
    """
    if matching not in MATCHINGS:
        raise unknown("matching", matching, MATCHINGS)
    frame = truth.scored_frame(detections)
    scored = frame >= 0
    ignored = int(len(scored) - scored.sum())
    if ignored:
        detections, frame = detections.select(scored), frame[scored]
    order = ranking(detections)
    detections, frame = detections.select(order), frame[order]
    link = _nearest_links if matching == "nearest" else _assigned_links
    distance, hits = link(detections, frame, truth, np.asarray(thresholds, dtype=np.float64))
    return Matched(detections, frame, distance, hits, tuple(thresholds), ignored)


def nearest_targets(detections: Detections, frame: Ints, truth: Truth) -> tuple[Ints, Floats]:
    """Return the index and the distance (px) of each detection's nearest target; inf in frames without targets."""
    nearest = np.zeros(len(frame), dtype=np.int64)
    distance = np.full(len(frame), np.inf)
    for rows, squares in squared_distances(detections, frame, truth):
        for k, squared in enumerate(squares):
            # NaN (an absent target) compares false; strict, so that the lower index keeps equal distances.
            candidate = np.sqrt(squared)
            closer = candidate < distance[rows]
            np.copyto(nearest[rows], k, where=closer)
            np.copyto(distance[rows], candidate, where=closer)
    return nearest, distance


def squared_distances(detections: Detections, frame: Ints, truth: Truth) -> Iterator[tuple[slice, Floats]]:
    """Yield blocks of rows, and the squared distances (K, rows) to each target of their frames, px^2; NaN if absent.

    Blocks are as small as the processor's cache, and the distances are overwritten by those of the next block.
    """
    targets = np.ascontiguousarray(truth.frame_xy.transpose(1, 2, 0))  # (K, 2, F)
    squares, away = np.empty((len(targets), BLOCK)), np.empty(BLOCK)
    for start in range(0, len(frame), BLOCK):
        rows = slice(start, min(start + BLOCK, len(frame)))
        block, n = frame[rows], rows.stop - start
        for (x, y), out in zip(targets, squares[:, :n]):
            dx, dy = out, away[:n]
            np.subtract(detections.x[rows], x[block], out=dx)
            np.subtract(detections.y[rows], y[block], out=dy)
            dx *= dx
            dy *= dy
            dx += dy
        yield rows, squares[:, :n]


def hit_slots(matched: Matched, truth: Truth) -> tuple[Ints, Ints]:
    """Return the places of the hits within the widest threshold, and the index of the target that each hit."""
    rows = np.flatnonzero(matched.hits[-1])
    targets = truth.frame_xy[matched.frame[rows]]
    dx = matched.detections.x[rows, None] - targets[..., 0]
    dy = matched.detections.y[rows, None] - targets[..., 1]
    # The matching keeps the distance of a pair: the target at that distance is the one that was hit.
    off = np.abs(np.sqrt(dx * dx + dy * dy) - matched.distance[-1][rows, None])
    return rows, np.nanargmin(off, axis=1) if len(rows) else rows


def _nearest_links(detections: Detections, frame: Ints, truth: Truth, thresholds: Floats) -> tuple[Floats, Bools]:
    nearest, distance = nearest_targets(detections, frame, truth)
    n, slots = len(frame), truth.frame_xy.shape[1]
    target = frame * slots + nearest
    hits = np.zeros((len(thresholds), n), dtype=bool)
    for row, threshold in zip(hits, thresholds):
        near = np.flatnonzero(distance <= threshold)
        # The best-ranked detection near a target takes it.
        first = np.full(truth.n_frames * slots, n, dtype=np.int64)
        np.minimum.at(first, target[near], near)
        row[first[first < n]] = True
    return np.broadcast_to(distance, hits.shape), hits


def _assigned_links(detections: Detections, frame: Ints, truth: Truth, thresholds: Floats) -> tuple[Floats, Bools]:
    from csist_bench.evaluation import _kernels as kernel

    _, distance = nearest_targets(detections, frame, truth)
    order, start = by_frame(frame, truth.n_frames)
    xy = positions(detections)[order]
    shape = (len(thresholds), len(frame))
    found, pair = np.zeros(shape, dtype=bool), np.zeros(shape)
    kernel.assigned_hits(xy, start, truth.frame_xy, truth.frame_count, thresholds, found, pair)
    hits, distances = np.empty(shape, dtype=bool), np.empty(shape)
    hits[:, order] = found
    distances[:, order] = np.where(found, pair, distance[order])
    return distances, hits


def by_frame(frame: Ints, n_frames: int) -> tuple[Ints, Ints]:
    """Return an order that groups detections by scored frame and the bounds (F + 1,) of the groups."""
    order = np.argsort(frame, kind="stable")
    return order, np.concatenate([[0], np.cumsum(np.bincount(frame, minlength=n_frames))]).astype(np.int64)


def positions(detections: Detections) -> NDArray[Any]:
    """Return (n, 2) positions (x, y), px."""
    return np.stack([detections.x, detections.y], axis=-1)
