"""Detections linked to tracks over the frames of their trajectories: a motion model and an assignment.

Frame by frame, each track is expected where a Kalman filter of nearly constant speed has it (state: position and speed
of each axis; white acceleration), and tracks and detections are assigned to one another at the least total of

    min(d^2 / (p + r^2), gate^2),

d the distance of a detection from where a track is expected, p that place's variance and r the error of a detection
along an axis. So a pair beyond the gate is none. What remains of the detections starts tracks of its own; none is left
out. Distances are compared in squares: where as many detections as tracks are there, a step that all make together
changes nothing in who goes with whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.methods.assignment import assigned

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GATE = 4.0  # standard errors
ACCELERATION = 0.002  # px per frame^2; the generator's sharpest circles bend by 0.01
MOST_A_FRAME = 1000  # detections of a frame that can be linked
LARGEST_TABLE = 1 << 22  # pairs of tracks and detections that are weighed at a time
LARGEST_STEP = 1e4  # px
MOST_MISSES = 1000
_ALREADY = 1e9  # weight of a pair that is linked beforehand; above all others together


@dataclass(frozen=True)
class LinkSettings:
    """How detections are linked.

    `noise` is their error along an axis, px; `speed` the spread of targets' speeds along an axis, px per frame;
    `misses` how many frames a track may be without a detection and go on.
    """

    noise: float = 0.2
    speed: float = 0.05
    misses: int = 3

    def __post_init__(self) -> None:
        for name, value in (("noise", self.noise), ("speed", self.speed)):
            if not 0 < value <= LARGEST_STEP:
                raise must(name, f"be above 0 and at most {LARGEST_STEP:g} px", value)
        if not 0 <= self.misses <= MOST_MISSES:
            raise must("misses", f"be in [0, {MOST_MISSES}]", self.misses)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Detections of some sequences in one frame, room for D each: `xy` (B, D, 2), `row` (B, D) or -1, `piece`, `end`.

    `piece` (B, D) says what is linked beforehand, `end` (B, D) the last frame of the piece.
    """

    xy: Floats
    row: Ints
    piece: Ints
    end: Ints


@dataclass(frozen=True, eq=False)
class _Tracks:
    """Tracks of B sequences, room for S each.

    `name` (B, S) or -1; `xy`, `speed` (B, S, 2); `spread` (B, S, 3) the variances of position and speed and, between
    them, their covariance; `last` (B, S) the frame of the newest detection; `piece` and `end` (B, S) those of it.
    """

    name: Ints
    xy: Floats
    speed: Floats
    spread: Floats
    last: Ints
    piece: Ints
    end: Ints


def with_tracks(detections: Detections, settings: LinkSettings | None = None) -> Detections:
    """Return detections with the column `track`, counted from 0 within each trajectory.

    Detections that have tracks keep them: rows of one track stay together, and tracks are linked to one another where
    one ends before another begins. Where there are groups, targets stay within theirs.

    Raises
    ------
    InputError
        If a frame has more detections than can be linked.
    """
    if not len(detections):
        return replace(detections, track=np.zeros(0, np.int64))
    sequence = detections.trajectory
    if detections.group is not None:
        sequence = sequence * (int(detections.group.max()) + 1) + detections.group
    _, sequence = np.unique(sequence, return_inverse=True)
    piece = np.arange(len(detections))
    if detections.track is not None:
        _, piece = np.unique(np.stack([sequence, detections.track]), axis=1, return_inverse=True)
    name = _linked(detections, sequence, piece, settings or LinkSettings())
    return replace(detections, track=_counted_from_0(detections.trajectory, name))


def most_together(detections: Detections) -> int:
    """Return the largest number of detections of a frame, or of a group of it where there are groups."""
    columns = [detections.trajectory, detections.frame]
    columns += [] if detections.group is None else [detections.group]
    order = np.lexsort(columns)
    new = np.logical_or.reduce([np.diff(column[order]) != 0 for column in columns])
    ends = np.flatnonzero(np.concatenate([[True], new, [True]]))
    return int(np.diff(ends).max()) if len(order) else 0


def _counted_from_0(trajectory: Ints, name: Ints) -> Ints:
    pairs, place = np.unique(np.stack([trajectory, name]), axis=1, return_inverse=True)
    return np.asarray((np.arange(pairs.shape[1]) - np.searchsorted(pairs[0], pairs[0]))[place])


def _linked(detections: Detections, sequence: Ints, piece: Ints, settings: LinkSettings) -> Ints:
    """Return a name for every detection, the same for those of one track; names rise with the first frame of a track.

    `sequence` counts what is linked by itself, `piece` what is linked beforehand, both from 0.
    """
    order = np.lexsort((detections.y, detections.x, detections.frame, sequence))
    end = np.zeros(int(piece.max()) + 1, np.int64)
    np.maximum.at(end, piece, detections.frame)
    name = np.empty(len(detections), np.int64)
    born = 0
    for rows in _batches(sequence[order], detections.frame[order], settings):
        batch = order[rows]
        names = _link_batch(detections.select(batch), sequence[batch], piece[batch], end, settings)
        name[batch] = names + born
        born += len(batch)
    return name


def _batches(sequence: Ints, frame: Ints, settings: LinkSettings) -> Iterator[slice]:
    """Yield the rows of sequences, sorted, in batches whose tables of tracks and detections stay small."""
    new = np.flatnonzero(np.append(True, (np.diff(sequence) != 0) | (np.diff(frame) != 0)))
    each = np.diff(np.append(new, len(sequence)))
    most = np.zeros(int(sequence[-1]) + 1, np.int64)
    np.maximum.at(most, sequence[new], each)
    if most.max() > MOST_A_FRAME:
        raise must("detections of a frame", f"be at most {MOST_A_FRAME} to be linked", int(most.max()))
    bounds = np.searchsorted(sequence, np.arange(len(most) + 1))
    start = 0
    while start < len(most):
        widest = np.maximum.accumulate(most[start:])
        table = widest**2 * (settings.misses + 2) * np.arange(1, len(widest) + 1)
        stop = start + max(1, int(np.searchsorted(table, LARGEST_TABLE, side="right")))
        yield slice(int(bounds[start]), int(bounds[stop]))
        start = stop


def _link_batch(found: Detections, sequence: Ints, piece: Ints, end: Ints, settings: LinkSettings) -> Ints:
    """Return a name below their number for every detection of whole sequences; rows are sorted by sequence, frame."""
    sequence = sequence - sequence[0]
    name = np.full(len(found), -1)
    tracks = _no_tracks(int(sequence[-1]) + 1)
    now, born = 0, 0
    for frame in np.unique(found.frame).tolist():
        rows = _rows_of(found, np.flatnonzero(found.frame == frame), sequence, piece, end)
        tracks = _predicted(_alive(tracks, frame, settings), float(frame - now))
        now = frame
        column = assigned(_weights(tracks, rows, frame, settings))
        b, s = np.nonzero(column >= 0)
        tracks = _updated(tracks, rows, (b, s, column[b, s]), frame, settings)
        name[rows.row[b, column[b, s]]] = tracks.name[b, s]
        fresh = rows.row >= 0
        fresh[b, column[b, s]] = False
        names = np.where(fresh, born + np.cumsum(fresh).reshape(fresh.shape) - 1, -1)
        born += int(fresh.sum())
        name[rows.row[fresh]] = names[fresh]
        tracks = _joined(tracks, _begun(rows, names, frame, settings))
    return name


def _rows_of(found: Detections, chosen: Ints, sequence: Ints, piece: Ints, end: Ints) -> _Rows:
    b = sequence[chosen]
    slot = np.arange(len(b)) - np.searchsorted(b, b)
    shape = (int(sequence[-1]) + 1, int(slot.max()) + 1)
    xy, row, own, last = np.zeros((*shape, 2)), *np.full((3, *shape), -1)
    xy[b, slot, 0], xy[b, slot, 1], row[b, slot] = found.x[chosen], found.y[chosen], chosen
    own[b, slot], last[b, slot] = piece[chosen], end[piece[chosen]]
    return _Rows(xy, row, own, last)


def _no_tracks(sequences: int) -> _Tracks:
    none, two = np.zeros((sequences, 0), np.int64), np.zeros((sequences, 0, 2))
    return _Tracks(none, two, two, np.zeros((sequences, 0, 3)), none, none, none)


def _begun(rows: _Rows, names: Ints, frame: int, settings: LinkSettings) -> _Tracks:
    """Return the tracks that start with the detections that have names."""
    spread = np.broadcast_to([settings.noise**2, 0.0, settings.speed**2], (*names.shape, 3))
    speed = np.zeros((*names.shape, 2))
    return _Tracks(names, rows.xy, speed, spread, np.full(names.shape, frame), rows.piece, rows.end)


def _joined(old: _Tracks, new: _Tracks) -> _Tracks:
    return _Tracks(*(np.concatenate([getattr(part, name) for part in (old, new)], axis=1) for name in vars(old)))


def _alive(tracks: _Tracks, frame: int, settings: LinkSettings) -> _Tracks:
    """Return tracks without those that were missed too often; one that goes on later is kept."""
    alive = (tracks.name >= 0) & ((frame - tracks.last <= settings.misses + 1) | (tracks.end >= frame))
    order = np.argsort(~alive, axis=1, kind="stable")[:, : int(alive.sum(axis=1).max(initial=0))]
    b = np.arange(len(order))[:, None]
    kept = {name: getattr(tracks, name)[b, order] for name in vars(tracks)}
    kept["name"] = np.where(alive[b, order], kept["name"], -1)
    return _Tracks(**kept)


def _predicted(tracks: _Tracks, ahead: float) -> _Tracks:
    """Return tracks where they are expected so many frames later."""
    p, c, v = np.moveaxis(tracks.spread, -1, 0)
    noise = ACCELERATION**2
    spread = np.stack(
        [
            p + 2 * ahead * c + ahead**2 * v + noise * ahead**3 / 3,
            c + ahead * v + noise * ahead**2 / 2,
            v + noise * ahead,
        ],
        axis=-1,
    )
    return replace(tracks, xy=tracks.xy + ahead * tracks.speed, spread=spread)


def _weights(tracks: _Tracks, rows: _Rows, frame: int, settings: LinkSettings) -> Floats:
    """Return what a pair of track and detection is worth, (B, S, D): 0 for one beyond the gate."""
    offset = rows.xy[:, None, :, :] - tracks.xy[:, :, None, :]
    square = (offset**2).sum(axis=-1) / (tracks.spread[..., 0] + settings.noise**2)[..., None]
    there = (tracks.name >= 0)[:, :, None] & (rows.row >= 0)[:, None, :]
    going_on = (tracks.end >= frame)[:, :, None]
    weight = np.where(there & ~going_on, np.maximum(GATE**2 - square, 0.0), 0.0)
    return np.where(there & (tracks.piece[:, :, None] == rows.piece[:, None, :]), _ALREADY, weight)


def _updated(
    tracks: _Tracks, rows: _Rows, pairs: tuple[Ints, Ints, Ints], frame: int, settings: LinkSettings
) -> _Tracks:
    """Return tracks (b, s) after detections (b, d) of a frame: the Kalman filter's update, axis by axis."""
    b, s, d = pairs
    new = {name: np.array(values) for name, values in vars(tracks).items()}
    p, c, v = np.moveaxis(new["spread"][b, s], -1, 0)
    total = p + settings.noise**2
    offset = rows.xy[b, d] - new["xy"][b, s]
    new["xy"][b, s] += (p / total)[:, None] * offset
    new["speed"][b, s] += (c / total)[:, None] * offset
    new["spread"][b, s] = np.stack([p - p * p / total, c - p * c / total, v - c * c / total], axis=-1)
    new["last"][b, s], new["piece"][b, s], new["end"][b, s] = frame, rows.piece[b, d], rows.end[b, d]
    return _Tracks(**new)
