"""The centre of gravity of the light: one target a frame."""

from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench import Camera, Detections
from csist_bench.methods.interface import About


class Centroid(msgspec.Struct, frozen=True):
    """One target at the centre of all light above a floor; the fields are the settings."""

    about: ClassVar[About] = About(title="Centroid", family="traditional", prior_tier="A", any_shape=True)

    floor: float = 0.0  # grey levels

    def answer(self, frames: NDArray[Any], camera: Camera) -> Detections:
        """Return one detection in each frame that has light; its score is that light."""
        light = np.clip(frames - camera.background - self.floor, 0, None)
        total = light.sum(axis=(2, 3))
        row, column = np.mgrid[: frames.shape[2], : frames.shape[3]]
        trajectory, frame = np.nonzero(total > 0)
        lit = total[trajectory, frame]
        x = (light * column).sum(axis=(2, 3))[trajectory, frame] / lit
        y = (light * row).sum(axis=(2, 3))[trajectory, frame] / lit
        return Detections(trajectory, frame, x, y, lit)
