"""What a fit answers in every frame, and how that becomes detections."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections, detections_from_slots

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

    def detections(self, trajectories: int, frames: int) -> Detections:
        """Return the answers of B x T frames as rows."""
        shape = (trajectories, frames, self.score.shape[1])
        theta, sigma = self.theta.reshape(*shape, 3), self.sigma.reshape(*shape, 3)
        return detections_from_slots(
            theta[..., :2],
            self.score.reshape(shape),
            self.targets.reshape(shape[:2]),
            theta[..., 2],
            sigma[..., :2],
            sigma[..., 2],
        )
