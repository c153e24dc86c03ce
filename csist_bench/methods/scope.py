"""What is unmixed, which part of it, and what comes of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.methods.groups.policy import FALSE_ALARMS, Groups
from csist_bench.methods.misfit import Misfit
from csist_bench.recipes import DataRecipe


class FrameSource(Protocol):
    """What can be unmixed: a split of a data set, or bare frames."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def recipe(self) -> DataRecipe: ...  # noqa: D102
    @property
    def n_trajectories(self) -> int: ...  # noqa: D102
    @property
    def n_frames(self) -> int: ...  # noqa: D102
    @property
    def scored_frames(self) -> range: ...  # noqa: D102
    @property
    def chunk_trajectories(self) -> int: ...  # noqa: D102
    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Unmixed:
    """Detections of the frames answered, how many those were, how long it took, and what made them.

    `misfit` says what the answers leave unexplained, None where they are not judged; `remarks` are lines to be said of
    the camera that was told: what of it is not used, and in what it does not fit the frames.
    """

    detections: Detections
    n_frames: int
    seconds: float
    frames: range
    method: dict[str, Any]
    misfit: Misfit | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scope:
    """Which frames are answered and by how many threads.

    `frames` are by default the scored ones; `first` answers only so many trajectories; `workers` are threads of a
    training-free method (by default one a core). `groups` says whether frames are searched for groups: "many", "one"
    takes each frame for a cut-out about one group, "auto" decides by their size and by what they show (docs/groups.md);
    `false_alarms` is how many false groups a frame of noise alone may have, on average. `lower_scores` lowers the
    scores of frames that the answers do not explain (`methods.misfit_scores`).
    """

    frames: range | None = None
    first: int | None = None
    workers: int | None = None
    groups: Groups = "auto"
    false_alarms: float = FALSE_ALARMS
    lower_scores: bool = False
