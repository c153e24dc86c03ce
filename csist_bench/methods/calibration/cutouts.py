"""Sequences about single groups, cut out of large frames, from which a camera is calibrated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.groups.answering import find_groups
from csist_bench.methods.groups.detection import FrameGroups, GroupFinder
from csist_bench.methods.groups.following import Track, follow
from csist_bench.simulation.camera import Camera

Bools = NDArray[np.bool_]

SMALLEST_SIDE, LARGEST_SIDE = 11, 21  # px: square frames up to the latter are taken as they are
LENGTHS = (20, 10, 5)  # frames of a sequence, in the order in which they are tried
ENOUGH = 24  # sequences, from which shorter ones are not tried
MOST_FRAMES = 200  # large frames that are searched
MARGIN = 3  # px left about a group's light, and to that of any other
FALSE_ALARMS = 0.01  # a frame
USUAL = 75  # percentile of the extents of light that windows hold


def are_cutouts(shape: tuple[int, int]) -> bool:
    """Tell whether frames (H, W) are taken as cut-outs about one group each."""
    return shape[0] == shape[1] <= LARGEST_SIDE


@dataclass(frozen=True)
class _Run:
    """A group over consecutive frames of a trajectory: (first, last) row and column of its light."""

    trajectory: int
    first: int
    length: int
    box: tuple[int, int, int, int]

    @property
    def extent(self) -> int:
        """The longer side of its light, px."""
        return max(self.box[1] - self.box[0], self.box[3] - self.box[2]) + 1


def group_sequences(frames: NDArray[Any], camera: Camera, bad: Bools | None) -> NDArray[Any]:
    """Return sequences (B, L, n, n) about the groups of frames (N, T, H, W) that stand alone, as they are.

    A window has one origin over its L frames; the group's light is `MARGIN` from its border, and no other group and no
    bad pixel is in it. B is 0 where there is none.

    Parameters
    ----------
    camera : Camera
        Its PSF is that of the matched filter, a rough one; the noise is that of the frames where it is more.
    """
    n, t = frames.shape[:2]
    lengths = [length for length in LENGTHS if length <= t] or [t]
    block = min(t, lengths[0])
    blocks = [(a, start) for a in range(n) for start in range(0, t - block + 1, block)]
    chosen = np.unique(np.linspace(0, len(blocks) - 1, min(len(blocks), max(1, MOST_FRAMES // block))).astype(int))
    finder = GroupFinder(camera, frames.shape[2:], FALSE_ALARMS, frames.dtype.kind in "iu")
    searched = []
    for place in chosen:
        a, start = blocks[place]
        found = find_groups(frames[a, start : start + block], finder, 1)
        searched.append((a, start, found, follow([one.centre for one in found])))
    best = np.zeros((0, lengths[0], SMALLEST_SIDE, SMALLEST_SIDE), frames.dtype)
    for length in lengths:
        runs = [run for a, start, found, tracks in searched for run in _runs(a, start, found, tracks, length)]
        cut = _cut(frames, runs, {(a, start): found for a, start, found, _ in searched}, bad)
        if len(cut) * length > len(best) * best.shape[1]:  # shorter ones only where they show more frames
            best = cut
        if len(best) >= ENOUGH:
            break
    return best


def _runs(
    trajectory: int, start: int, found: list[FrameGroups], tracks: list[Track], length: int
) -> Iterator[tuple[_Run, int, tuple[int, ...]]]:
    """Yield the groups seen in `length` frames on end, with the start of their block and their members."""
    for track in tracks:
        for first in range(0, len(track.members) - length + 1, length):
            members = tuple(track.members[first : first + length])
            if min(members) < 0:
                continue
            boxes = np.array([found[track.first + first + n].box[m] for n, m in enumerate(members)])
            box = (boxes[:, 0].min(), boxes[:, 1].max(), boxes[:, 2].min(), boxes[:, 3].max())
            one = _Run(trajectory, start + track.first + first, length, tuple(int(b) for b in box))  # type: ignore[arg-type]
            yield one, start, members


def _cut(
    frames: NDArray[Any],
    runs: list[tuple[_Run, int, tuple[int, ...]]],
    searched: dict[tuple[int, int], list[FrameGroups]],
    bad: Bools | None,
) -> NDArray[Any]:
    """Return the windows of runs that fit into one of the usual side, inside the frame and alone."""
    if not runs:
        return np.zeros((0, 0, 0, 0), frames.dtype)
    height, width = frames.shape[2:]
    usual = int(np.percentile([run.extent for run, _, _ in runs], USUAL)) + 2 * MARGIN
    side = min(max(usual | 1, SMALLEST_SIDE), LARGEST_SIDE, min(height, width))
    kept = []
    for run, start, members in runs:
        row = (run.box[0] + run.box[1] - side + 1) // 2
        column = (run.box[2] + run.box[3] - side + 1) // 2
        inside = 0 <= row <= height - side and 0 <= column <= width - side
        if run.extent > side - 2 * MARGIN + 1 or not inside:
            continue
        if bad is not None and bad[row : row + side, column : column + side].any():
            continue
        groups = searched[run.trajectory, start][run.first - start : run.first - start + run.length]
        if all(_alone(one, member, row, column, side) for one, member in zip(groups, members)):
            span = slice(run.first, run.first + run.length)
            kept.append(frames[run.trajectory, span, row : row + side, column : column + side])
    return np.stack(kept) if kept else np.zeros((0, 0, 0, 0), frames.dtype)


def _alone(found: FrameGroups, member: int, row: int, column: int, side: int) -> bool:
    """Tell whether no other group's light is in a window or near to it."""
    other = found.light[found.light[:, 2] != member]
    near = (other[:, 0] >= row - MARGIN) & (other[:, 0] < row + side + MARGIN)
    near &= (other[:, 1] >= column - MARGIN) & (other[:, 1] < column + side + MARGIN)
    return not near.any()
