"""Frames of any size answered group by group: find, follow, cut windows, run the method on them, merge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections, concatenate
from csist_bench.methods.blocks import in_order
from csist_bench.methods.groups._kernels.light import cut_windows, foreign_pixels
from csist_bench.methods.groups._kernels.mesh import mesh_at
from csist_bench.methods.groups.detection import FrameGroups, GroupFinder
from csist_bench.methods.groups.following import follow
from csist_bench.methods.groups.policy import FALSE_ALARMS
from csist_bench.methods.groups.windows import Window, WindowRule, windows_of
from csist_bench.methods.linking import with_tracks
from csist_bench.simulation.camera import Camera, PixelMaps

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_WINDOWS = 2048  # frames of windows that a method is given at once
FRAMES_A_TASK = 8  # frames that a thread searches at a time
FOREIGN_SIGMAS = 3.0  # of the PSF, to which another group's visible light is taken to reach


class Answering(Protocol):
    """A method bound to a camera, as a runner is."""

    def answer_each(self, frames: NDArray[Any]) -> tuple[list[Detections], list[float]]: ...  # noqa: D102


# Returns the method for windows of a camera, whose light needs a fit of so many px a side (0: the method's own).
Maker = Callable[[Camera, int], Answering]


@dataclass(frozen=True, eq=False)
class Piece:
    """The pixels of a window: `values` (T, side, side) without the background, `bad` ones, and what they lie on.

    `number` is the window's place among those of its trajectory.
    `level` is the background's mean, grey levels; `clipped` tells whether a pixel is saturated; such are infinite.
    """

    window: Window
    number: int
    values: Floats
    bad: Bools | None
    level: float
    clipped: bool

    @property
    def mask(self) -> Bools | None:
        """The bad pixels (side, side) where they are the same in all frames; None where they change or there are none.

        Neighbours that move past would take pixels from the group itself if all were left out in all frames.
        """
        if self.bad is None or (self.bad != self.bad[0]).any() or not self.bad.any():
            return None
        return np.asarray(self.bad[0])


class GroupAnswers:
    """Answers frames (B, T, H, W) of a camera group by group.

    Parameters
    ----------
    camera : Camera
        Of the whole frames.
    make : callable (Camera, fit) -> Answering
        The method for windows of a camera; `fit` is the side that the light needs, px, 0: that of the method itself.
    together : bool
        The method answers sequences, not single frames.
    only : int or None
        The one side of windows that it takes, px.
    false_alarms : float
        False groups a frame of noise alone may have.
    censors : bool
        The method knows what clipped pixels say.
    masks : bool
        The method leaves bad pixels out; else they are filled with the background.
    """

    def __init__(
        self,
        camera: Camera,
        make: Maker,
        together: bool,
        only: int | None = None,
        false_alarms: float = FALSE_ALARMS,
        censors: bool = True,
        masks: bool = False,
    ) -> None:
        self.camera, self.make, self.together, self.only = camera, make, together, only
        self.false_alarms, self.censors, self.masks = false_alarms, censors, masks

    def answer_each(
        self, frames: NDArray[Any], threads: int = 1, progress: Callable[[float], None] | None = None
    ) -> tuple[list[Detections], list[float]]:
        """Return each decoder's detections in frames (B, T, H, W), with groups, and the seconds of decoding.

        `progress` is called with the share of a trajectory that is done.
        """
        answers = [self._trajectory(one, threads, progress) for one in frames]
        detections = [
            concatenate([found[d].shifted(b) for b, (found, _) in enumerate(answers)]).ordered()
            for d in range(len(answers[0][0]))
        ]
        return detections, np.sum([seconds for _, seconds in answers], axis=0).tolist()

    def _trajectory(
        self, frames: NDArray[Any], threads: int, progress: Callable[[float], None] | None
    ) -> tuple[list[Detections], list[float]]:
        shape: tuple[int, int] = frames.shape[1:]
        finder = GroupFinder(self.camera, shape, self.false_alarms, frames.dtype.kind in "iu")
        found = find_groups(frames, finder, threads)
        rule = WindowRule.of(self.camera, shape, self.together, self.only)
        windows = list(windows_of(follow([one.centre for one in found]), found, rule))
        camera = window_camera(self.camera, found)
        tasks = list(self._tasks(windows, found, frames, camera, threads))

        def answer(task: tuple[int, int]) -> tuple[list[Detections], list[float]]:
            return self._task(tasks[task[0]], camera)

        parts = []
        for part in in_order(answer, [(n, n + 1) for n in range(len(tasks))], max(1, min(threads, len(tasks)))):
            parts.append(part)
            if progress:
                progress(len(parts) / len(tasks))
        if not parts:
            return self._nothing(camera, rule.least)
        merged = [_once(concatenate([found[d] for found, _ in parts])) for d in range(len(parts[0][0]))]
        linked = [one if one.track is None else with_tracks(one) for one in merged]
        return linked, np.sum([seconds for _, seconds in parts], axis=0).tolist()

    def _tasks(
        self,
        windows: Sequence[Window],
        found: Sequence[FrameGroups],
        frames: NDArray[Any],
        camera: Camera,
        threads: int,
    ) -> Iterator[list[Piece]]:
        """Yield the windows that are answered by one call: equal lengths and sides, those with clipped pixels alone."""
        alike: dict[tuple[int, int, int], list[Piece]] = defaultdict(list)
        for piece in cut_pieces(windows, found, frames, self.camera):
            if (piece.clipped and self.censors) or self._maps_of(piece) is not None:
                yield [piece]
            else:
                alike[piece.values.shape[0], piece.window.side, piece.window.fit].append(piece)
        for (length, *_), pieces in alike.items():
            most = max(1, min(MOST_WINDOWS // length, -(-len(pieces) // (2 * threads))))
            for start in range(0, len(pieces), most):
                yield pieces[start : start + most]

    def _maps_of(self, piece: Piece) -> PixelMaps | None:
        """Return what is known of a window's single pixels, where the method uses it."""
        if not self.masks:
            return None
        window, mask, noise = piece.window, piece.mask, None
        if self.camera.maps is not None and self.camera.maps.noise_sigma is not None:
            rows, columns = (slice(first, first + window.side) for first in (window.row, window.column))
            noise = self.camera.maps.noise_sigma[rows, columns]
        return None if mask is None and noise is None else PixelMaps(mask, noise)

    def _task(self, pieces: list[Piece], camera: Camera) -> tuple[list[Detections], list[float]]:
        side = pieces[0].window.side
        maps = self._maps_of(pieces[0])
        masked = maps is not None and maps.bad is not None
        values = np.stack([piece.values if masked else without_bad_pixels(piece) for piece in pieces])
        clipped = pieces[0].clipped and self.censors
        level = pieces[0].level if clipped else 0.0
        told = replace(
            camera,
            optics=replace(camera.optics, size=side),
            background=level,
            saturation=camera.saturation if clipped else np.inf,
            centre=(side - 1) / 2,
            maps=maps,
        )
        highest = camera.saturation - (0.0 if clipped else pieces[0].level)
        pixels = np.where(np.isinf(values), highest, values + level)
        found, seconds = self.make(told, pieces[0].window.fit).answer_each(pixels)
        return [_in_frames(one, pieces) for one in found], seconds

    def _nothing(self, camera: Camera, side: int) -> tuple[list[Detections], list[float]]:
        """Return no detections, once a decoder."""
        told = replace(camera, optics=replace(camera.optics, size=side), background=0.0, saturation=np.inf, maps=None)
        found, seconds = self.make(told, 0).answer_each(np.zeros((1, 1, side, side)))
        return [one.select(np.zeros(len(one), np.bool_)) for one in found], seconds


def find_groups(frames: NDArray[Any], finder: GroupFinder, threads: int) -> list[FrameGroups]:
    """Return the groups of each of T frames (T, H, W)."""
    blocks = [(start, min(start + FRAMES_A_TASK, len(frames))) for start in range(0, len(frames), FRAMES_A_TASK)]

    def search(block: tuple[int, int]) -> list[FrameGroups]:
        return [finder.find(frame) for frame in frames[block[0] : block[1]]]

    return [one for part in in_order(search, blocks, max(1, min(threads, len(blocks)))) for one in part]


def window_camera(camera: Camera, found: Sequence[FrameGroups]) -> Camera:
    """Return the camera of windows whose background is subtracted: its noise holds the background's shot noise.

    Where a level is an electronic offset it has none: what is measured decides, between the read noise alone and that
    with the shot noise of all of the level. A noise that was only assumed is replaced by the measured one.
    """
    if not found:
        return camera
    measured = float(np.median([one.noise for one in found]))
    if "noise_sigma" in camera.assumed:
        return replace(camera, noise_sigma=max(measured, camera.noise_sigma))
    level = max(float(np.median([one.mesh.mean() for one in found])), 0.0)
    most = float(np.hypot(camera.noise_sigma, np.sqrt(camera.shot_gain * level)))
    return replace(camera, noise_sigma=min(max(measured, camera.noise_sigma), most))


def cut_pieces(
    windows: Sequence[Window], found: Sequence[FrameGroups], frames: NDArray[Any], camera: Camera
) -> Iterator[Piece]:
    """Yield the pixels of windows, in their order."""
    reach = int(np.ceil(FOREIGN_SIGMAS * max(camera.widths)))
    bad = camera.maps.bad if camera.maps is not None else None
    for number, window in enumerate(windows):
        length, side = len(window.members), window.side
        values, clipped = np.empty((length, 1, side, side)), np.zeros((length, 1), np.bool_)
        mask = np.zeros((length, side, side), np.bool_)
        origin = np.array([[window.row, window.column]])
        masked, level = 0, 0.0
        for n, member in enumerate(window.members):
            own = found[window.first + n]
            frame = frames[window.first + n]
            cut_windows(frame, own.mesh, origin, camera.saturation, values[n], clipped[n])
            middle = (window.row + side // 2, window.column + side // 2)
            level += mesh_at(own.mesh, *middle, *frame.shape) / length
            masked += foreign_pixels(own.light, member, window.row, window.column, reach, mask[n])
        if bad is not None:
            mask |= bad[window.row : window.row + side, window.column : window.column + side]
            masked = int(mask.sum())
        yield Piece(window, number, values[:, 0], mask if masked else None, level, bool(clipped.any()))


def without_bad_pixels(piece: Piece) -> Floats:
    """Return a window's pixels (T, side, side) with those that are bad or another group's at the background's level.

    For methods that cannot leave pixels out, and for neighbours that move (`Piece.mask`).
    """
    return piece.values if piece.bad is None else np.where(piece.bad, 0.0, piece.values)


def _in_frames(found: Detections, pieces: Sequence[Piece]) -> Detections:
    """Return the detections of windows, trajectory = window, in the coordinates of their frames."""
    window = found.trajectory
    first, column, row, group = (
        np.array([getattr(piece.window, name) for piece in pieces], np.int64)[window]
        for name in ("first", "column", "row", "group")
    )
    track = found.track
    if track is not None:
        # A window's own tracks; they are linked from window to window when all are there.
        track = track + (np.array([piece.number for piece in pieces], np.int64)[window] << 32)
    return replace(
        found,
        trajectory=np.zeros(len(found), np.int64),
        frame=found.frame + first,
        x=found.x + column,
        y=found.y + row,
        group=group,
        track=track,
    )


def _once(found: Detections) -> Detections:
    """Return detections without repetitions of a node that two windows share: the higher score stays."""
    order = np.lexsort((-found.score, found.y, found.x, found.frame))
    one = found.select(order)
    new = np.ones(len(one), np.bool_)
    new[1:] = (one.frame[1:] != one.frame[:-1]) | (one.x[1:] != one.x[:-1]) | (one.y[1:] != one.y[:-1])
    return one.select(new)
