"""Which pairs of targets are told apart, and from what distance on statistics let them be.

The limit is that of Smith (2005): the distance that equals its own Cramer-Rao standard error, delta = sqrt(C(delta)),
for an unbiased estimate of both positions and both intensities from one frame. S. T. Smith, Statistical resolution
limits and the complexified Cramer-Rao bound, IEEE Trans. Signal Processing 53(5), 1597-1609, 2005.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.cramer_rao import frame_information
from csist_bench.evaluation.matching import positions
from csist_bench.evaluation.truth import Truth
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]

DISTANCES = np.geomspace(0.02, 3.0, 120)  # px, among which the limit is looked for
ANGLES, OFFSETS = 8, 3  # directions of a pair, and places of its middle along each axis of a pixel
LEAST_RATIO = 1.05  # intensities of all pairs that are nearer to equal are one class


@dataclass(frozen=True, eq=False)
class Pairs:
    """The n scored frames that hold two targets: their distance (n,) px, ratio of intensities (n,), at least 1, and
    whether they were resolved (n,); `brighter` (n,) is the higher intensity, grey levels, `answers` the mean number of
    detections.
    """

    distance: Floats
    ratio: Floats
    brighter: Floats
    resolved: NDArray[np.bool_]
    answers: float

    def shares(self, distances: Floats, ratios: Floats) -> Floats:
        """Return the share of resolved pairs in bins by their edges, (ratios, distances); NaN where there are none."""
        edges = [ratios, distances]
        told, _, _ = np.histogram2d(self.ratio[self.resolved], self.distance[self.resolved], edges)
        there, _, _ = np.histogram2d(self.ratio, self.distance, edges)
        return np.divide(told, there, out=np.full_like(told, np.nan), where=there > 0)


def pairs_of(detections: Detections, truth: Truth) -> Pairs:
    """Return the pairs of the scored frames, and which of them the detections resolve.

    A pair is resolved where each of its targets has a detection within half their distance; no detection can be that
    of both.

    Raises
    ------
    InputError
        If no scored frame holds two targets in different places.
    """
    xy, intensity = truth.frame_xy, truth.frame_intensity
    apart = np.linalg.norm(xy[:, 0] - xy[:, 1], axis=-1) if xy.shape[1] > 1 else np.zeros(len(xy))
    chosen = (truth.frame_count == 2) & (apart > 0)
    if not chosen.any():
        raise InputError("no scored frame holds a pair of targets; make some with: csist-bench generate -r csist-pairs")
    frame = truth.scored_frame(detections)
    rows = np.flatnonzero(frame >= 0)
    frame = frame[rows]
    away = np.linalg.norm(xy[frame, :2] - positions(detections.select(rows))[:, None], axis=-1)
    found = np.zeros((len(xy), 2), np.bool_)
    np.logical_or.at(found, frame, away < apart[frame, None] / 2)
    pair = intensity[chosen, :2]
    ratio, brighter = pair.max(axis=1) / pair.min(axis=1), pair.max(axis=1)
    return Pairs(apart[chosen], ratio, brighter, found[chosen].all(axis=1), float(chosen[frame].sum() / chosen.sum()))


def bins_of(pairs: Pairs) -> tuple[Floats, Floats]:
    """Return edges of distances, every 0.1 px, and of ratios, six bins up to the largest."""
    last = np.ceil(10 * pairs.distance.max() - 1e-9)
    ratios = np.linspace(1.0, max(float(pairs.ratio.max()), LEAST_RATIO), 7)
    return np.arange(last + 1) / 10, ratios


def resolution_limit(ratio: float, brighter: float, camera: Camera) -> float:
    """Return Smith's limit for pairs of a ratio of intensities, px; NaN where it is beyond what is looked at.

    Parameters
    ----------
    ratio : float
        At least 1.
    brighter : float
        The higher intensity, grey levels.
    camera : Camera
    """
    sd = distance_sd(DISTANCES, ratio, brighter, camera)
    # Below the limit the standard error exceeds the distance; both are compared as logarithms.
    excess = np.log(sd / DISTANCES)
    below = np.flatnonzero(excess > 0)
    if not len(below) or below[-1] == len(DISTANCES) - 1:
        return float("nan")
    last = below[-1]
    share = excess[last] / (excess[last] - excess[last + 1])
    return float(np.exp(np.log(DISTANCES[last]) + share * np.log(DISTANCES[last + 1] / DISTANCES[last])))


def distance_sd(distances: Floats, ratio: float, brighter: float, camera: Camera) -> Floats:
    """Return the Cramer-Rao standard error of the distance of pairs, shape (n,), px.

    The variance is the mean over directions of the pair and places of its middle in a pixel.
    """
    angle = np.pi * np.arange(ANGLES) / ANGLES
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    place = (np.arange(OFFSETS) + 0.5) / OFFSETS - 0.5 + (camera.optics.size - 1) / 2
    middle = np.stack(np.meshgrid(place, place), axis=-1).reshape(-1, 2)
    arm = distances[:, None, None, None] * unit[None, :, None] / 2  # (n, angles, 1, 2)
    xy = np.stack([middle + arm, middle - arm], axis=-2).reshape(-1, 1, 2, 2)
    intensity = np.broadcast_to([brighter, brighter / ratio], xy.shape[:-1])
    information = frame_information(xy, intensity, camera)[:, 0]
    gradient = np.zeros((len(xy), information.shape[-1]))
    each = np.broadcast_to(unit[None, :, None], (len(distances), ANGLES, len(middle), 2)).reshape(-1, 2)
    gradient[:, 0:2], gradient[:, 3:5] = each, -each
    solved = np.linalg.solve(information, gradient[..., None])[..., 0]
    variance = (gradient * solved).sum(axis=-1)
    return np.asarray(np.sqrt(variance.reshape(len(distances), -1).mean(axis=1)))
