"""What true positives within the widest threshold tell: Jaccard and efficiency, intensities, and claimed errors.

Jaccard index and efficiency as Sage et al. (2019, the challenge of single-molecule localisation software),

    JAC = 100 TP / (TP + FP + FN),    efficiency = 100 - sqrt((100 - JAC)^2 + (alpha RMSE)^2)

They take alpha = 1 per nm at a point-spread function of 250 nm (full width at half maximum), here of 0.5 px sigma and
1.177 px: alpha = 250 / 1.177 = 212 per px.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.matching import Matched, hit_slots
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EFFICIENCY_ALPHA = 212.0  # per px
COVERAGES = (0.68, 0.95)
# Squared radii of ellipses that hold these shares of a normal distribution in the plane (chi-squared, 2 degrees).
ELLIPSES = tuple(-2 * math.log(1 - share) for share in COVERAGES)


@dataclass(frozen=True)
class Estimates:
    """NaN where a figure is not defined: no pair, no intensities, no errors.

    `jaccard` and `efficiency` (percent); `intensity_bias` and `intensity_rmse` of the error of a pair's intensity
    relative to the target's (percent); `nees` the mean over pairs of (dx^2 / sigma_x^2 + dy^2 / sigma_y^2) / 2, 1 where
    errors are as large as claimed; `coverage_68` and `coverage_95` the share of pairs inside the ellipses that claim to
    hold 68 and 95 percent (percent).
    """

    jaccard: float
    efficiency: float
    intensity_bias: float
    intensity_rmse: float
    nees: float
    coverage_68: float
    coverage_95: float


@dataclass(frozen=True, eq=False)
class Pairs:
    """True positives of n ranked detections within the widest threshold, (n,) each and NaN where there is none.

    `distance` px; `intensity` is the relative error of the intensity; `normalised` is dx^2 / sigma_x^2 + dy^2 /
    sigma_y^2, NaN also where no error above 0 is given.
    """

    distance: Floats
    intensity: Floats
    normalised: Floats

    def estimates(self, rows: Bools, n_targets: int) -> Estimates:
        """Return the figures of the detections picked by a mask (n,), against the so many targets of their frames."""
        distance = self.distance[rows]
        paired = distance[np.isfinite(distance)]
        false = len(distance) - len(paired)
        jaccard = 100 * len(paired) / (n_targets + false) if n_targets + false else math.nan
        rmse = _root_mean_square(paired)
        error = _given(self.intensity[rows])
        normalised = _given(self.normalised[rows])
        inside = [100 * _mean(normalised <= radius) for radius in ELLIPSES]
        return Estimates(
            jaccard=jaccard,
            efficiency=100 - math.hypot(100 - jaccard, EFFICIENCY_ALPHA * rmse),
            intensity_bias=100 * _mean(error),
            intensity_rmse=100 * _root_mean_square(error),
            nees=_mean(normalised) / 2,
            coverage_68=inside[0],
            coverage_95=inside[1],
        )


def pairs(matched: Matched, truth: Truth) -> Pairs:
    """Return the true positives within the widest threshold with their errors."""
    found = matched.detections
    rows, slot = hit_slots(matched, truth)
    target = truth.frame_xy[matched.frame[rows], slot]
    dx, dy = found.x[rows] - target[:, 0], found.y[rows] - target[:, 1]
    full = np.full((3, len(matched.frame)), np.nan)
    full[0, rows] = matched.distance[-1][rows]
    if found.intensity is not None:
        wanted = truth.frame_intensity[matched.frame[rows], slot]
        full[1, rows] = found.intensity[rows] / wanted - 1
    if found.sigma_x is not None and found.sigma_y is not None:
        sigma_x, sigma_y = found.sigma_x[rows], found.sigma_y[rows]
        claimed = (sigma_x > 0) & (sigma_y > 0)
        full[2, rows[claimed]] = (dx[claimed] / sigma_x[claimed]) ** 2 + (dy[claimed] / sigma_y[claimed]) ** 2
    return Pairs(*full)


def _given(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _mean(values: Floats | Bools) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _root_mean_square(values: Floats) -> float:
    return math.sqrt(_mean(values**2)) if len(values) else math.nan
