"""The targets that detections are scored against, and which frames count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, require_shape

if TYPE_CHECKING:
    from csist_bench.datasets import Split

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Truth:
    """Targets of N trajectories of T frames, and the frames of them that are scored.

    `xy` (N, T, K, 2) px and `intensity` (N, T, K) grey levels are NaN beyond `count` (N, T); `frames` is the scored
    range; `trajectories` (M,) are the scored trajectories, rising. Subsets are taken by whole trajectories: a stride
    over frames would pick out sub-pixel phases. The M * len(frames) scored frames are numbered 0, 1, ... in that order.
    """

    xy: Floats
    intensity: Floats
    count: Ints
    frames: range
    trajectories: Ints

    @classmethod
    def from_arrays(
        cls,
        xy: Floats,
        intensity: Floats,
        count: NDArray[Any],
        frames: range,
        trajectories: Sequence[int] | NDArray[Any] | None = None,
        whole: bool = True,
    ) -> Truth:
        """Check the arrays and return the truth.

        Raises
        ------
        InputError
            If shapes disagree, a target within `count` is not finite or one beyond it is not NaN, the range or the
            subset leaves the set, or no scored frame has a target, which a part of the whole may.
        """
        xy, intensity = np.asarray(xy, dtype=np.float64), np.asarray(intensity, dtype=np.float64)
        count = np.asarray(count).astype(np.int64)
        require_shape("xy", xy, (None, None, None, 2), "(N, T, K, 2)")
        require_shape("intensity", intensity, xy.shape[:3], "(N, T, K)")
        require_shape("count", count, xy.shape[:2], "(N, T)")
        n, t, k = xy.shape[:3]
        present = np.arange(k) < count[..., None]
        filled = np.isfinite(xy).all(axis=-1) & np.isfinite(intensity)
        if not (present == filled).all():
            first = tuple(int(i) for i in np.argwhere(present != filled)[0])
            raise must("targets", "be finite up to count and NaN beyond it", f"a mismatch at index {first}")
        if not len(frames) or frames.step != 1 or not 0 <= frames.start < frames.stop <= t:
            raise must("frames", f"be a range within 0:{t}", frames)
        chosen = np.arange(n) if trajectories is None else np.unique(np.asarray(trajectories, dtype=np.int64))
        if not len(chosen) or chosen[0] < 0 or chosen[-1] >= n:
            raise must("trajectories", f"be indices in [0, {n})", "none" if not len(chosen) else [*chosen[[0, -1]]])
        truth = cls(xy, intensity, count, frames, chosen)
        if whole and not truth.n_targets:
            raise InputError("the scored frames hold no target at all, so there is nothing to score against")
        return truth

    @classmethod
    def from_split(
        cls, split: Split, frames: range | None = None, trajectories: Sequence[int] | NDArray[Any] | None = None
    ) -> Truth:
        """Return the truth of a split: over the frames that its recipe scores, or others, and all trajectories or some.

        Raises
        ------
        InputError
            As `from_arrays`.
        """
        targets = split.target_xy, split.target_intensity, split.target_count
        return cls.from_arrays(*targets, split.scored_frames if frames is None else frames, trajectories)

    @property
    def n_frames(self) -> int:
        """Number of scored frames."""
        return len(self.trajectories) * len(self.frames)

    @property
    def n_targets(self) -> int:
        """Number of targets in the scored frames."""
        return int(self.frame_count.sum())

    @property
    def frames_text(self) -> str:
        """The scored range as 'start:stop'."""
        return f"{self.frames.start}:{self.frames.stop}"

    @cached_property
    def frame_xy(self) -> Floats:
        """Target positions of the scored frames, shape (F, K, 2), px."""
        chosen = self.xy[self.trajectories, self.frames.start : self.frames.stop]
        return np.ascontiguousarray(chosen.reshape(self.n_frames, *self.xy.shape[2:]))

    @cached_property
    def frame_intensity(self) -> Floats:
        """Target intensities of the scored frames, shape (F, K), grey levels."""
        return self.intensity[self.trajectories, self.frames.start : self.frames.stop].reshape(self.n_frames, -1)

    @cached_property
    def frame_count(self) -> Ints:
        """Number of targets of the scored frames, shape (F,)."""
        return self.count[self.trajectories, self.frames.start : self.frames.stop].reshape(self.n_frames)

    @cached_property
    def frame_trajectory(self) -> Ints:
        """Rank of each scored frame's trajectory among the scored ones, shape (F,)."""
        return np.repeat(np.arange(len(self.trajectories)), len(self.frames))

    def scored_frame(self, detections: Detections) -> Ints:
        """Return the number of each detection's scored frame, shape (n,); -1 where its frame is not scored.

        Raises
        ------
        InputError
            If a detection lies in a trajectory or frame that does not exist.
        """
        n, t = self.count.shape
        for name, values, stop in (("trajectory", detections.trajectory, n), ("frame", detections.frame, t)):
            bad = (values < 0) | (values >= stop)
            if bad.any():
                row = int(np.argmax(bad))
                raise must(f"{name} of detection {row}", f"be in [0, {stop})", int(values[row]))
        rank = np.full(n, -1)
        rank[self.trajectories] = np.arange(len(self.trajectories))
        place, offset = rank[detections.trajectory], detections.frame - self.frames.start
        scored = (place >= 0) & (offset >= 0) & (offset < len(self.frames))
        return np.where(scored, place * len(self.frames) + offset, -1)
