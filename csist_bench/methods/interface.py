"""What a method from outside the package is: the interface that `run`, `train` and `check-method` expect.

A method without training is a class whose fields are its settings (a frozen msgspec struct), or a plain class without
settings. It has one of two methods, `answer` or `heat_maps`. A network is a `torch.nn.Module`, built
as `Class(sampling, settings)`. Either may have a class attribute `about`.

Answers must not depend on how frames are batched or on the order of trajectories, nor, where the context is one frame,
on the order of frames; `csist-bench check-method` tries it.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

import msgspec
from numpy.typing import NDArray

from csist_bench.conventions import Family, PriorTier
from csist_bench.detections import Detections
from csist_bench.simulation.camera import Camera


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a method from outside, in headers and on the leaderboard.

    Parameters
    ----------
    title : str
        As on a leaderboard; by default the name of the class.
    family : {"traditional", "super-resolution", "unfolding", "off-grid"}
    prior_tier : {"A", "B", "B+spacing", "C", "D-rotated", "D"}
        What the method knows of the scenes (docs/protocol.md). Of a network what its training told.
    paper : str
        Address of a paper.
    context : {"frame", "trajectory"}
        "frame" where each frame is answered by itself, "trajectory" where the whole sequence is needed.
    output : {"grid", "points"}
        Of a network: label grids, or slots of targets; of a method without training its own methods tell.
    any_shape : bool
        Frames need not be square.
    """

    title: str = ""
    family: Family = "off-grid"
    prior_tier: PriorTier = "D"
    paper: str = ""
    context: Literal["frame", "trajectory"] = "frame"
    output: Literal["grid", "points"] = "grid"
    any_shape: bool = False


@runtime_checkable
class AnswersPoints(Protocol):
    """A method that answers targets off the grid."""

    def answer(self, frames: NDArray[Any], camera: Camera) -> Detections:
        """Return the detections in frames.

        Parameters
        ----------
        frames : ndarray, shape (B, T, height, width), grey levels, [row = y, column = x]
            B trajectories of T frames; T may be 1 where the context is one frame.
        camera : Camera
            What is told of optics, sensor and brightness.

        Returns
        -------
        Detections
            `trajectory` in [0, B) and `frame` in [0, T) count within `frames`; x and y in px, pixel centres at
            integers; a higher score is surer.
        """
        ...


@runtime_checkable
class AnswersHeatMaps(Protocol):
    """A method that answers the label grid; a decoder makes detections of it."""

    def heat_maps(self, frames: NDArray[Any], camera: Camera) -> NDArray[Any]:
        """Return heat maps (B, T, c * size, c * size) in grey levels of frames (B, T, size, size).

        Node (row, column) lies at x = (column - (c - 1) / 2) / c, y alike; c is `camera.optics.c`. A background that
        is not known is taken off the frames before.
        """
        ...
