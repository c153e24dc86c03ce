"""How many targets frames show, from their light and the law of brightness."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.background import FLUX_INFLATION
from csist_bench.methods.fitting.survey import Survey
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LARGEST_COUNT = 8
OPEN_COUNT = 4  # where light is missing, larger counts up to this one stay open
BRACKET_SIGMAS = 4.0  # half width of a count's bracket of light, in standard deviations of the noise
MARGIN = 0.005  # of the light; the window loses up to 4e-4 of it, rounding and growth move it further
CHANGED_SHARE = 0.2  # of the light, likewise where no law of brightness is known
CHANGE_SIGMAS = 6.0  # of the noise, by which light must change to mean another number of targets


class BrightnessLaw(NamedTuple):
    """What is known of brightness: its range, grey levels; `free`: nothing."""

    low: float
    high: float
    free: bool


def intensity_law(camera: Camera) -> tuple[float, float]:
    """Return mean and standard deviation of the brightness law, grey levels."""
    low, high = camera.intensity_min, camera.intensity_max
    # A law without width still leaves a little freedom, or the fit's equations lose their scale.
    return 0.5 * (low + high), max((high - low) / 12**0.5, 1e-3 * high)


def flux_sd(survey: Survey, camera: Camera) -> float:
    """Return the standard deviation of one frame's flux by the noise of dark pixels and a fitted background.

    In grey levels. The camera is a `dark_camera`, here and wherever light counts targets.
    """
    return float(survey.windows.shape[1] * camera.noise_sigma) * flux_inflation(camera)


def flux_inflation(camera: Camera) -> float:
    """Return by what the noise of a flux is larger where its background is estimated too."""
    return 1.0 if camera.background_law == "level" else FLUX_INFLATION


def blank_frames(survey: Survey, camera: Camera) -> Bools:
    """Return which frames show less light than half of the faintest target."""
    return survey.flux < 0.5 * camera.intensity_min


def varying_trajectories(survey: Survey, blank: Bools, shape: tuple[int, int], camera: Camera) -> Bools:
    """Return which trajectories (B, T) change their light by more than noise can: their number of targets varies."""
    mean, _ = intensity_law(camera)
    flux = np.where(blank | (survey.flags > 0), np.nan, survey.flux).reshape(shape)
    shot = np.sqrt(camera.shot_gain * np.nan_to_num(np.abs(flux)))
    middle = row_medians(flux)
    least = CHANGED_SHARE * middle[:, None] if camera.intensity_free else 0.5 * mean
    tolerance = np.maximum(least, CHANGE_SIGMAS * (flux_sd(survey, camera) + shot))
    return np.asarray((np.abs(flux - middle[:, None]) > tolerance).any(axis=1))


def row_medians(values: Floats) -> Floats:
    """Return the median of what is not NaN in each row (B, T); 0 where a row has nothing else."""
    ordered, number = np.sort(values, axis=1), (~np.isnan(values)).sum(axis=1)  # NaN stands last
    rows, last = np.arange(len(values)), values.shape[1] - 1
    below, above = ordered[rows, np.maximum(number - 1, 0) // 2], ordered[rows, np.minimum(number // 2, last)]
    return np.where(number > 0, 0.5 * (below + above), 0.0)


def count_candidates(survey: Survey, members: Ints, camera: Camera, largest: int) -> Bools:
    """Return which target counts each group's light allows, shape (G, largest + 1); none for a group without frames.

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
    fits[~used.any(axis=1)] = False
    return np.asarray(fits)
