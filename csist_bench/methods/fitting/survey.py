"""How many targets a group of frames shows, from its light; and which frames can be fitted together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.group_map.scene_law import LONGEST_GROUP, intensity_law
from csist_bench.simulation.sensor import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LARGEST_COUNT = 8
OPEN_COUNT = 4  # where light is missing, up to this count
BRACKET_SIGMAS = 4.0
MARGIN = 0.005  # of the light; the window loses up to 4e-4 of it, rounding and growth move it further
CHANGE_SIGMAS = 6.0


@dataclass(frozen=True, eq=False)
class Survey:
    """What `kernels.group_fitting.survey` found in F frames: windows, origins, centroids (x, y, flux) and flags."""

    windows: Floats
    origins: Ints
    centroids: Floats
    flags: Ints

    @property
    def flux(self) -> Floats:
        """Light in the window of every frame, shape (F,), grey levels."""
        return self.centroids[:, 2]


@dataclass(frozen=True, eq=False)
class Plan:
    """Groups of m frames to fit jointly: `members` (G, m), -1 = left out, from frame `first` (G,) of the sequence on.

    Frame `frames[i]` is answered from its place `seats[i]` in group `groups[i]`.
    """

    members: Ints
    first: Ints
    frames: Ints
    groups: Ints
    seats: Ints


def flux_sd(survey: Survey, camera: Camera) -> float:
    """Return the standard deviation of one frame's flux by read noise, grey levels."""
    return float(survey.windows.shape[1] * camera.noise_sigma)


def blank_frames(survey: Survey, camera: Camera) -> Bools:
    """Tell which frames show less light than half of the faintest target."""
    return survey.flux < 0.5 * camera.intensity_min


def varying_trajectories(survey: Survey, blank: Bools, shape: tuple[int, int], camera: Camera) -> Bools:
    """Tell which trajectories (B, T) change their light by more than noise can: their number of targets varies."""
    mean, _ = intensity_law(camera)
    flux = np.where(blank | (survey.flags > 0), np.nan, survey.flux).reshape(shape)
    shot = np.sqrt(camera.shot_gain * np.nan_to_num(np.abs(flux)))
    tolerance = np.maximum(0.5 * mean, CHANGE_SIGMAS * (flux_sd(survey, camera) + shot))
    middle = np.array([np.median(row[~np.isnan(row)]) if not np.isnan(row).all() else 0.0 for row in flux])
    return np.asarray((np.abs(flux - middle[:, None]) > tolerance).any(axis=1))


def count_candidates(survey: Survey, members: Ints, camera: Camera, largest: int) -> Bools:
    """Return which target counts each group's light allows, shape (G, largest + 1).

    The flux is averaged over the frames that show all of their light. Where a group has none, its flux is a lower
    bound and the larger counts up to OPEN_COUNT stay open. A flux between two laws takes the nearer count.
    """
    used = members >= 0
    clean = used & (survey.flags[members] == 0)
    complete = clean.any(axis=1)
    taken = np.where(complete[:, None], clean, used)
    n = np.maximum(taken.sum(axis=1), 1)
    flux = np.where(taken, survey.flux[members], 0.0).sum(axis=1) / n
    spread = BRACKET_SIGMAS * np.sqrt((flux_sd(survey, camera) ** 2 + camera.shot_gain * np.abs(flux)) / n)
    counts = np.arange(largest + 1)
    reach = spread[:, None] + MARGIN * flux[:, None]
    fits = flux[:, None] <= counts * camera.intensity_max + reach
    fits &= (flux[:, None] >= counts * camera.intensity_min - reach) | (~complete[:, None] & (counts <= OPEN_COUNT))
    fits[:, 0] = False
    mean, _ = intensity_law(camera)
    nearest = np.clip(np.rint(flux / mean), 1, largest).astype(np.int64)
    none = ~fits.any(axis=1)
    fits[none, nearest[none]] = True
    return np.asarray(fits)


def plan_groups(blank: Bools, trajectories: Ints, frames: int, length: int) -> Plan:
    """Group the frames of trajectories (of `frames` frames each) for joint fits of about `length` frames.

    A length that spans the sequence takes it whole (up to LONGEST_GROUP frames, beyond that in equal runs); a shorter
    one slides, each frame being answered by the window centred on it, or the nearest one that lies inside.
    """
    if length >= frames:
        runs = -(-frames // LONGEST_GROUP)
        m = -(-frames // runs)
        starts = np.minimum(np.arange(runs) * m, frames - m)
        of_frame = np.minimum(np.arange(frames) // m, runs - 1)
    else:
        m = length
        starts = np.arange(frames - m + 1)
        of_frame = np.clip(np.arange(frames) - m // 2, 0, frames - m)
    index = trajectories[:, None, None] * frames + starts[None, :, None] + np.arange(m)[None, None, :]
    members = np.where(blank[index], -1, index).reshape(-1, m)
    every = trajectories[:, None] * frames + np.arange(frames)[None, :]
    groups = np.arange(len(trajectories))[:, None] * len(starts) + of_frame[None, :]
    seats = np.broadcast_to(np.arange(frames) - starts[of_frame], every.shape)
    kept = ~blank[every]
    return Plan(members, np.tile(starts, len(trajectories)), every[kept], groups[kept], seats[kept].astype(np.int64))
