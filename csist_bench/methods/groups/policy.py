"""Whether frames are answered group by group or as one group each."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import must, unknown
from csist_bench.methods.groups.detection import separate_spots
from csist_bench.methods.groups.windows import LEAST_SIDE, least_side
from csist_bench.simulation.camera import Camera

Groups = Literal["auto", "one", "many"]
# What "auto" comes to: "look" answers as one group what does not show separate spots.
Way = Literal["one", "many", "look"]

GROUPS: tuple[Groups, ...] = get_args(Groups)
SMALL_SIDE = 15  # px: side of the largest frame that is a cut-out about one group; more of a PSF that needs more
FALSE_ALARMS = 0.1  # false groups a frame of noise alone may have


def way_of(groups: Groups, shape: tuple[int, int], camera: Camera, made_here: bool) -> Way:
    """Return how frames of a shape (H, W) are answered.

    Frames that are not square, or larger than a cut-out about one group, are searched for groups. Data sets made by a
    recipe (`made_here`) are known to hold one group a frame, whatever the size; they and small frames are answered as
    one group, as they have always been, unless separate spots show.

    Raises
    ------
    InputError
        If `groups` is none of auto, one and many.
    """
    if groups not in GROUPS:
        raise unknown("groups", str(groups), GROUPS)
    if groups != "auto":
        return groups
    small = SMALL_SIDE + 2 * (least_side(camera) - LEAST_SIDE)
    large = shape[0] != shape[1] or shape[0] > small
    return "many" if large and not made_here else "look"


def require_false_alarms(value: float) -> float:
    """Return the false groups a frame that are allowed; anything but a positive number is refused."""
    if not 0 < value < math.inf:
        raise must("false_alarms", "be a positive number of groups a frame", value)
    return value


def with_separate_spots(frames: NDArray[Any], camera: Camera) -> NDArray[np.bool_]:
    """Tell which trajectories (B, T, H, W) have a frame that shows spots clearly apart."""
    b, t = frames.shape[:2]
    shown = separate_spots(np.ascontiguousarray(frames).reshape(b * t, *frames.shape[2:]), camera)
    return np.asarray(shown.reshape(b, t).any(axis=1))
