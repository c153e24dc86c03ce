"""Targets and tracks of trajectories laid side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CUTOFF = 0.25  # px from which on two places have nothing in common
LARGEST_BLOCK = 1 << 21  # distances that are held at a time


@dataclass(frozen=True, eq=False)
class TrackFrames:
    """Distances of B trajectories of T frames, K targets and D rows a frame, and what they are between.

    `distance` (B, T, K, D) px is infinite where a target or a row is absent; `present` (B, T, K) tells which targets
    are there; `track` (B, T, D) numbers the `tracks` (B,) of each trajectory from 0, -1 where there is no row.
    """

    distance: Floats
    present: NDArray[np.bool_]
    track: Ints
    tracks: Ints

    @property
    def most(self) -> int:
        """The largest number of tracks of a trajectory."""
        return int(self.tracks.max(initial=0))

    @property
    def target_lengths(self) -> Ints:
        """How many frames each target is in, shape (B, K)."""
        return np.asarray(self.present.sum(axis=1, dtype=np.int64))

    @property
    def track_lengths(self) -> Ints:
        """How many frames each track is in, shape (B, M); 0 beyond a trajectory's number of tracks."""
        b, t, d = np.nonzero(self.track >= 0)
        lengths = np.bincount(b * self.most + self.track[b, t, d], minlength=len(self.tracks) * self.most)
        return lengths.reshape(len(self.tracks), self.most)

    def over_frames(self, values: Floats) -> Floats:
        """Return values (B, T, K, D) of targets and rows summed over the frames of targets and tracks, (B, K, M)."""
        b, t, k, d = np.nonzero(values)
        place = (b * values.shape[2] + k) * self.most + self.track[b, t, d]
        shape = (len(self.tracks), values.shape[2], self.most)
        summed = np.bincount(place, values[b, t, k, d], minlength=int(np.prod(shape)))
        return summed.astype(np.float64).reshape(shape)  # of nothing it would be whole numbers


def track_frames(target_xy: Floats, place: Ints, frame: Ints, xy: Floats, track: Ints) -> Iterator[TrackFrames]:
    """Yield trajectories in blocks of bounded size, in their order.

    Parameters
    ----------
    target_xy : ndarray, shape (N, T, K, 2), px
        A target keeps its place among the K; NaN where it is absent.
    place, frame : int ndarray, shape (n,)
        The trajectory and the frame of every row, in [0, N) and [0, T).
    xy : ndarray, shape (n, 2), px
    track : int ndarray, shape (n,)
        Any numbers; a track has one row a frame at most.
    """
    n, t, k = target_xy.shape[:3]
    order = np.lexsort((track, frame, place))
    place, frame, xy, track = place[order], frame[order], xy[order], track[order]
    number, tracks = _numbered(place, track, n)
    cell = place * t + frame
    slot = np.arange(len(cell)) - np.searchsorted(cell, cell)
    rows = np.searchsorted(place, np.arange(n + 1))
    most = np.zeros(n, np.int64)
    np.maximum.at(most, place, slot + 1)
    start = 0
    while start < n:
        wide = np.maximum.accumulate(most[start:]) * np.arange(1, n - start + 1) * (t * k)
        stop = start + max(1, int(np.searchsorted(wide, LARGEST_BLOCK, side="right")))
        mine = slice(rows[start], rows[stop])
        shape = (stop - start, t, int(most[start:stop].max()))
        where = place[mine] - start, frame[mine], slot[mine]
        at, numbered = np.full((*shape, 2), np.nan), np.full(shape, -1)
        at[where], numbered[where] = xy[mine], number[mine]
        yield _measured(target_xy[start:stop], at, numbered, tracks[start:stop])
        start = stop


def _numbered(place: Ints, track: Ints, n: int) -> tuple[Ints, Ints]:
    """Return tracks counted from 0 within each of n trajectories, rising, and their number in each."""
    order = np.lexsort((track, place))
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(place[order]) != 0) | (track[order][1:] != track[order][:-1])
    tracks = np.bincount(place[order][new], minlength=n)
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(new) - 1
    return number - (np.cumsum(tracks) - tracks)[place], tracks


def _measured(target_xy: Floats, xy: Floats, track: Ints, tracks: Ints) -> TrackFrames:
    offset = target_xy[:, :, :, None, :] - xy[:, :, None, :, :]
    distance = np.sqrt(offset[..., 0] ** 2 + offset[..., 1] ** 2)
    present: NDArray[np.bool_] = np.asarray(np.isfinite(target_xy[..., 0]))
    return TrackFrames(np.where(np.isnan(distance), np.inf, distance), present, track, tracks)
