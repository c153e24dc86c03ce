"""How likely a position counts as right: the mean over CSO-mAP's thresholds d of P(distance <= d).

What an answer's error is known by decides which formula serves:

- `hit_share`: the distance itself, as of a sample;
- `round_hit_probability`: one variance, of an error without preferred direction, centred on the answer; exact;
- `hit_probability`: an ellipse, and how far off its centre the answer lies. On centre, an ellipse that is nearly round
  is taken as the round law of the same area, whose variance is the product of its standard deviations and not their
  mean square; any other by slices along its major axis.

`methods.networks.common.correctness` is the first two for tensors, with ellipses by quadrature.
"""

from __future__ import annotations

import math

from csist_bench.conventions import THRESHOLDS
from csist_bench.jit import jit, jit_inner

ROUND = 1.5  # an ellipse whose axes differ by less is taken as round
CERTAIN = 3.0  # standard deviations away from a threshold, from which on it is no question
ROOT_2 = math.sqrt(2.0)
# Middles of eight equally probable slices of the standard normal law.
SLICES = (-1.53412054, -0.88714656, -0.48877641, -0.15731068, 0.15731068, 0.48877641, 0.88714656, 1.53412054)


@jit_inner
def hit_share(square: float) -> float:
    """Return the share of the thresholds that a squared distance, px^2, lies within."""
    hits = 0.0
    for d in THRESHOLDS:
        if square <= d * d:
            hits += 1.0
    return hits / len(THRESHOLDS)


@jit
def round_hit_probability(variance: float) -> float:
    """Return the hit probability of a round normal error; `variance` (px^2) is the mean of the two axes'."""
    total = 0.0
    for d in THRESHOLDS:
        total += 1.0 - math.exp(-0.5 * d * d / variance)
    return total / len(THRESHOLDS)


@jit_inner
def hit_probability(offset: float, major: float, minor: float) -> float:
    """Return the hit probability of a point `offset` px off the centre of a 2-D normal law.

    `major` and `minor` are its standard deviations along its axes, px; the offset lies along the first.
    """
    total = 0.0
    for d in THRESHOLDS:
        if offset < 1e-9 and major < ROUND * minor:
            total += 1.0 - math.exp(-0.5 * d * d / (major * minor))
        elif offset < d + CERTAIN * major:
            if offset < d - CERTAIN * major:
                total += 1.0
                continue
            for z in SLICES:
                left = d * d - (offset + major * z) ** 2
                if left > 0.0:
                    total += math.erf(math.sqrt(left) / (minor * ROOT_2)) / len(SLICES)
    return total / len(THRESHOLDS)
