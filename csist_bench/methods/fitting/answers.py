"""What a fit answers in every frame, and how that becomes detections."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections, detections_from_slots
from csist_bench.methods.linking import with_tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class FrameAnswers(NamedTuple):
    """Answers of F frames, room for K targets each; the first `targets` (F,) of a frame are used.

    theta (F, K, 3) holds x, y (px) and intensity (grey levels), sigma (F, K, 3) their standard errors, score (F, K).
    """

    targets: Ints
    theta: Floats
    sigma: Floats
    score: Floats

    @classmethod
    def empty(cls, frames: int, largest: int) -> FrameAnswers:
        """Return answers of `frames` frames without any target, with room for `largest` each."""
        theta, sigma = np.zeros((2, frames, largest, 3))
        return cls(np.zeros(frames, np.int64), theta, sigma, np.zeros((frames, largest)))

    def detections(self, trajectories: int, frames: int, window: Ints | None = None) -> Detections:
        """Return the answers of B x T frames as rows.

        Parameters
        ----------
        window : int ndarray, shape (B * T,), optional
            Which fit answers each frame, any but one number of those; a target has one slot in all frames of a fit, so
            that this gives tracks, which are linked from fit to fit.
        """
        shape = (trajectories, frames, self.score.shape[1])
        theta, sigma = self.theta.reshape(*shape, 3), self.sigma.reshape(*shape, 3)
        found = detections_from_slots(
            theta[..., :2],
            self.score.reshape(shape),
            self.targets.reshape(shape[:2]),
            theta[..., 2],
            sigma[..., :2],
            sigma[..., 2],
        )
        if window is None:
            return found
        slot = np.arange(len(found)) - np.repeat(np.cumsum(self.targets) - self.targets, self.targets)
        fit = window[found.trajectory * frames + found.frame]
        in_one = (np.diff(fit) == 0) | (np.diff(found.trajectory) != 0)
        found = replace(found, track=slot if in_one.all() else fit * shape[2] + slot)
        return found if in_one.all() else with_tracks(found)
