"""The scene law behind `group-map`: direction sets, the path's basis, and the priors of one fit's unknowns."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.counts import intensity_law
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.scenes import LAYOUTS

Floats = NDArray[np.float64]

FLAT = 1e-6  # inverse variance of an unknown that is left to the data
SPEED_SD = 0.06  # px per frame and axis; the generator's reference moves 0.04 along x and up to 0.12 along y
BEND_SD = 0.03  # px; second Legendre coefficient of a path over 20 frames
BEND_DECAY = 0.25  # each further coefficient is smaller by this factor; it grows with the n-th power of the duration
MIDDLE = 5.0  # px; the generator's paths head for it, and scenes turn about it
UNIFORM_SD = 1e-3  # px; how closely a reference of known step keeps to it
QUARTER_SD = 0.6  # rad; prior of an angle that only the arms show
WIDER = 0.5  # rad; how much further off the heading the outer starting angles lie
ROTATED_STARTS = (-0.589, -0.196, 0.196, 0.589)  # rad; four equal parts of the quarter turn between two axes


@lru_cache(maxsize=64)
def direction_sets(directions: str, count: int) -> Floats:
    """Return the arms of every choice of `count` directions, shape (S, count, 2), for a radius of 1.

    A single target has no arm: it stands on the reference point.
    """
    if count == 1:
        return np.zeros((1, 1, 2))
    layout = LAYOUTS[directions]
    return np.array([layout[list(chosen)] for chosen in itertools.combinations(range(len(layout)), count)])


def path_degree(frames: int) -> int:
    """Return the degree of the polynomial path of a group: enough for 0.001 px on the generator's sharpest circles."""
    if frames <= 3:
        return frames - 1
    return 2 if frames <= 6 else max(5, frames // 4)


@lru_cache(maxsize=64)
def path_basis(frames: int) -> Floats:
    """Return Legendre polynomials over the frames of a group, shape (frames, degree + 1)."""
    u = np.linspace(-1, 1, frames) if frames > 1 else np.zeros(1)
    return np.ascontiguousarray(np.polynomial.legendre.legvander(u, path_degree(frames)))


@lru_cache(maxsize=64)
def path_inverse_variance(frames: int) -> Floats:
    """Return the prior inverse variance of the path's coefficients along one axis, shape (degree + 1,), 1 / px^2."""
    degree = path_degree(frames)
    sd = np.empty(degree + 1)
    sd[0] = FLAT**-0.5
    sd[1:2] = SPEED_SD * (frames - 1) / 2
    n = np.arange(2, degree + 1)
    sd[2:] = BEND_SD * BEND_DECAY ** (n - 2) * ((frames - 1) / 19) ** n
    return sd**-2


@lru_cache(maxsize=64)
def prior_of(
    count: int, frames: int, radius: tuple[float, float], rotates: bool, step: float, camera: Camera
) -> Floats:
    """Return mean and inverse variance, shape (2, U), of (c_u, c_v, radius, s_1..s_K[, angle]).

    `radius` is the prior's mean and standard deviation, px, at the middle of the group. In a rotated scene the
    reference moves `step` px per frame along the scene's own first axis, and by any smooth curve across it (0: both
    alike).
    """
    path = path_inverse_variance(frames)
    along_mean, along = np.zeros_like(path), path.copy()
    if rotates and step > 0:
        along_mean[1:2] = step * (frames - 1) / 2
        along[1:] = UNIFORM_SD**-2
    # Quarter turns are in the sets, so an angle that only the arms show needs to reach over one; the sum over the sets
    # of this prior is flat within 15 %.
    angle = FLAT if step > 0 and frames > 1 else QUARTER_SD**-2
    mean, sd = intensity_law(camera)
    means = [*along_mean, *np.zeros_like(path), radius[0], *[mean] * count, *[0.0] * rotates]
    inverse_variances = [*along, *path, radius[1] ** -2, *[sd**-2] * count, *[angle] * rotates]
    return np.array([means, inverse_variances])


def start_angles(path: Floats, along: float) -> Floats:
    """Return angles from which to fit rotated scenes, shape (G, A), rad, given their paths (G, D, 2).

    The sets of arms differ by quarter turns, so four angles within one cover all. Where the path's linear coefficient
    `along` the first axis is known, px, one of size v lies acos(along / v) off that axis, to either side; as noise
    lengthens or shortens v, and turns it, wider angles are tried as well.
    """
    if along == 0:
        return np.tile(ROTATED_STARTS, (len(path), 1))
    heading = np.arctan2(path[:, 1, 1], path[:, 1, 0])
    size = np.maximum(np.hypot(path[:, 1, 0], path[:, 1, 1]), along)
    off = np.arccos(along / size)
    return np.stack([heading - off, heading + off, heading - off - WIDER, heading + off + WIDER], axis=1)


def start_marks(frame: NDArray[np.int64], step: float, rotates: bool) -> Floats:
    """Return the first coordinates a reference point can have at each of n frames, shape (n, 9), px.

    It starts at one of the integers 1..9 and moves `step` px per frame towards the far side. A rotated scene is read
    with its motion along the positive first axis, so its second half appears mirrored about 5.
    """
    start = np.arange(1.0, 10.0)
    heading = np.where(start < MIDDLE, 1.0, -1.0)
    if rotates:
        start, heading = np.where(start < MIDDLE, start, 2 * MIDDLE - start), np.ones(9)
    return np.asarray(start + step * heading * frame[:, None])
