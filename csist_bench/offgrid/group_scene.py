"""The scene law behind `group-map`: direction sets, the path's basis, and the priors of one fit's unknowns."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from csist_bench.sensor import Instrument
from csist_bench.trajectories import LAYOUTS

Floats = NDArray[np.float64]

FLAT = 1e-6  # precision of an unknown that is left to the data
LONGEST_GROUP = 64  # frames fitted jointly at most; longer sequences are cut into equal runs
SPEED_SD = 0.06  # px per frame and axis; the generator's reference moves 0.04 along x and up to 0.12 along y
BEND_SD = 0.03  # px; second Legendre coefficient of a path over 20 frames
BEND_DECAY = 0.25  # each further coefficient is smaller by this factor; it grows with the n-th power of the duration
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


def path_precision(frames: int) -> Floats:
    """Return the prior precision of the path's coefficients along one axis, shape (degree + 1,), 1 / px^2."""
    degree = path_degree(frames)
    sd = np.empty(degree + 1)
    sd[0] = FLAT**-0.5
    sd[1:2] = SPEED_SD * (frames - 1) / 2
    n = np.arange(2, degree + 1)
    sd[2:] = BEND_SD * BEND_DECAY ** (n - 2) * ((frames - 1) / 19) ** n
    return sd**-2


def intensity_law(instrument: Instrument) -> tuple[float, float]:
    """Return mean and standard deviation of the brightness law, grey levels."""
    low, high = instrument.intensity_min, instrument.intensity_max
    # A law without width still leaves a little freedom, or the fit's equations lose their scale.
    return 0.5 * (low + high), max((high - low) / 12**0.5, 1e-3 * high)


def prior_of(count: int, frames: int, radius: tuple[float, float], turns: bool, instrument: Instrument) -> Floats:
    """Return mean and precision, shape (2, U), of (c_x, c_y, radius, s_1..s_K[, angle]).

    `radius` is the prior's mean and standard deviation, px, at the middle of the group.
    """
    path = path_precision(frames)
    mean, sd = intensity_law(instrument)
    means = [np.zeros(2 * len(path)), [radius[0]], np.full(count, mean), np.zeros(int(turns))]
    precisions = [path, path, [radius[1] ** -2], np.full(count, sd**-2), np.full(int(turns), FLAT)]
    return np.array([np.concatenate(means), np.concatenate(precisions)])
