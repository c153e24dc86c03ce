"""Identities: IDF1 (Ristani et al., ECCV 2016 workshops, arXiv:1609.01775) and switches (CLEAR MOT, Bernardin 2008)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.track_frames import CUTOFF, TrackFrames
from csist_bench.methods.assignment import assigned


def identity_matches(frames: TrackFrames) -> int:
    """Return in how many frames targets and tracks are within the cut-off of one another, under the one assignment of
    targets to tracks of each trajectory for which that is most.
    """
    together = frames.over_frames((frames.distance <= CUTOFF).astype(np.float64))
    track = assigned(together)
    b, k = np.nonzero(track >= 0)
    return int(together[b, k, track[b, k]].sum())


def identity_switches(frames: TrackFrames) -> int:
    """Return how often a target is matched to another track than it was last matched to.

    Frame by frame a target keeps the track that it was last matched to while that is within the cut-off; the others are
    matched in the largest number, and of equal ones at the least total distance.
    """
    b, t, k = frames.present.shape
    last = np.full((b, k), -1)
    switches = 0
    for frame in range(t):
        distance, track = frames.distance[:, frame].copy(), frames.track[:, frame]
        _keep(distance, track, last)
        near = distance <= CUTOFF
        # Any pair more outweighs all distances together.
        weight = np.subtract(k + 1.0, distance, out=np.zeros_like(distance), where=near)
        column = assigned(weight)
        trajectory, target = np.nonzero(column >= 0)
        new = track[trajectory, column[trajectory, target]]
        old = last[trajectory, target]
        switches += int(((old >= 0) & (old != new)).sum())
        last[trajectory, target] = new
    return switches


def _keep(distance: NDArray[np.float64], track: NDArray[np.int64], last: NDArray[np.int64]) -> None:
    """Take pairs that stay matched out of distances (B, K, D), target after target, as two may have had one track."""
    for target in range(last.shape[1]):
        same = (track == last[:, target, None]) & (track >= 0) & (distance[:, target] <= CUTOFF)
        trajectory, row = np.nonzero(same)
        distance[trajectory, target], distance[trajectory, :, row] = np.inf, np.inf
