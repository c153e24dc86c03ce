"""Windows: the square pieces of frames in which groups are answered.

A window grows with its group's light and stays inside the frame. Methods of single frames get a window in each frame,
moved with the group by whole pixels. Methods of sequences model motion in the window's own coordinates, and so get
runs of frames cut at one place: a track that moves out of the largest window is cut into such runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.frames import window_side
from csist_bench.methods.groups.detection import FrameGroups
from csist_bench.methods.groups.following import Track
from csist_bench.simulation.camera import Camera

Ints = NDArray[np.int64]

LEAST_SIDE = 11  # px, the side that published methods know
NEED_SIGMAS = 6.0  # of the PSF, that a window reaches beyond a point's pixel
MARGIN_SIGMAS = 2.0  # of the PSF, that a window reaches beyond the visible light
SPARE = 2  # px of faint light that a method's own window may leave out
WIDEST_FIT = 63  # px
MOST_GROWTH = 16  # px by which the window of a sequence grows for the group's motion


@dataclass(frozen=True, eq=False)
class Window:
    """A group's window over consecutive frames: `members` as in `Track`, from frame `first` on.

    (`row`, `column`) is the upper left pixel, the same in all its frames, `side` its length, px. `fit` is the side that
    the light itself needs, 0 where that of the method's own window will do.
    """

    group: int
    first: int
    members: Sequence[int]
    row: int
    column: int
    side: int
    fit: int


@dataclass(frozen=True)
class WindowRule:
    """How windows are cut from frames of a shape (H, W).

    `least` and `largest` are sides, px; equal where a method takes one size alone. `margin` is left about the light,
    `usual` is the side of a method's own window, `together` whether windows span frames.
    """

    shape: tuple[int, int]
    least: int
    largest: int
    margin: int
    usual: int
    together: bool

    @classmethod
    def of(cls, camera: Camera, shape: tuple[int, int], together: bool, only: int | None = None) -> WindowRule:
        """Return the rule for a camera; `only` is the one side that the method takes, px."""
        margin = math.ceil(MARGIN_SIGMAS * max(camera.widths))
        usual = window_side(0, camera, shape)
        inside = min(shape) - (1 - min(shape) % 2)
        if only is not None:
            return cls(shape, only, only, margin, usual, together)
        least = min(least_side(camera), inside)
        return cls(shape, least, inside, margin, usual, together)


def least_side(camera: Camera) -> int:
    """Return the side of the window of a single point, px."""
    return max(LEAST_SIDE, 2 * math.ceil(NEED_SIGMAS * max(camera.widths)) + 3)


def windows_of(tracks: Sequence[Track], found: Sequence[FrameGroups], rule: WindowRule) -> Iterator[Window]:
    """Yield the windows in which the groups of a trajectory are answered."""
    for group, track in enumerate(tracks):
        boxes = np.array([_box(track, n, found, rule) for n in range(len(track.members))])
        start = 0
        while start < len(boxes):
            stop = _run(boxes, start, rule) if rule.together else start + 1
            yield _window(group, track, start, stop, boxes, rule)
            start = stop


def _box(track: Track, n: int, found: Sequence[FrameGroups], rule: WindowRule) -> tuple[int, int, int, int]:
    """Return first and last row, first and last column that a window must hold in frame n of a track."""
    row, column = (round(c) for c in track.centres[n])
    member = track.members[n]
    box = found[track.first + n].box[member] if member >= 0 else np.array([row, row, column, column])
    return (
        min(int(box[0]), row) - rule.margin,
        max(int(box[1]), row) + rule.margin,
        min(int(box[2]), column) - rule.margin,
        max(int(box[3]), column) + rule.margin,
    )


def _run(boxes: Ints, start: int, rule: WindowRule) -> int:
    """Return the end of the longest run of frames from `start` whose boxes one window can hold."""
    own = boxes[start].copy()
    first = max(rule.least, _extent(own))
    stop = start + 1
    while stop < len(boxes):
        own[::2] = np.minimum(own[::2], boxes[stop, ::2])
        own[1::2] = np.maximum(own[1::2], boxes[stop, 1::2])
        if _extent(own) > min(rule.largest, first + MOST_GROWTH):
            break
        stop += 1
    return stop


def _extent(box: Ints) -> int:
    return int(max(box[1] - box[0], box[3] - box[2])) + 1


def _window(group: int, track: Track, start: int, stop: int, boxes: Ints, rule: WindowRule) -> Window:
    run = boxes[start:stop]
    box = np.array([run[:, 0].min(), run[:, 1].max(), run[:, 2].min(), run[:, 3].max()])
    side = min(max(rule.least, _extent(box) | 1), rule.largest)
    if stop == start + 1:
        row, column = (round(c) - side // 2 for c in track.centres[start])
        # A box that is lopsided about the light's centre: the middle of the box holds all of it in less.
        if _extent(box) > rule.least:
            row, column = (box[0] + box[1] - side + 1) // 2, (box[2] + box[3] - side + 1) // 2
    else:
        row, column = (box[0] + box[1] - side + 1) // 2, (box[2] + box[3] - side + 1) // 2
    height, width = rule.shape
    return Window(
        group,
        track.first + start,
        track.members[start:stop],
        int(min(max(row, 0), height - side)),
        int(min(max(column, 0), width - side)),
        side,
        _fit(box, side, rule),
    )


def _fit(box: Ints, side: int, rule: WindowRule) -> int:
    """Return the side of the light where a method's own window would cut it, else 0."""
    light = _extent(box) - 2 * rule.margin
    return min(light | 1, side, WIDEST_FIT) if light > rule.usual + SPARE else 0
