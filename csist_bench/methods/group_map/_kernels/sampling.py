"""Weighted samples of a frame's targets from the posterior of its group: a mixture of normal laws, one a hypothesis.

Numbers come out, nothing is checked, and nothing is random: the normal numbers are the caller's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POSE = 4  # u and v of the reference point in the scene's own axes, radius, angle
FEWEST_SAMPLES = 8  # of a hypothesis that is not left out
NEGLIGIBLE = 1e-3  # a hypothesis less probable than this is left out
ABSENT = 1e9  # px
TINY = 1e-14  # px^2 or rad^2; least variance


class Mixture(NamedTuple):
    """J hypotheses of G groups, ascending in their groups, those of group g from bounds[g] to bounds[g + 1].

    probability, targets : (J,), within the group, and the number of targets
    arms : (J, K, 2), at radius 1
    path : (J, 2 D), coefficients of the reference point; radius, angle : (J,), px and rad
    intensity : (J, K), grey levels
    covariance : (J, 2 D + 2, 2 D + 2), of path, radius and angle
    """

    bounds: Ints
    probability: Floats
    targets: Ints
    arms: Floats
    path: Floats
    radius: Floats
    angle: Floats
    intensity: Floats
    covariance: Floats


class Samples(NamedTuple):
    """Room for S weighted samples of one frame: weight (S,), targets (S,), x and y (K, S) px, intensity (K, S).

    Targets that a sample lacks stand at ABSENT. `centres` (C, 2), px, are the targets of the hypotheses that the
    samples are of. The samples are the last axis, so that loops over them are the same arithmetic on neighbours.
    """

    weight: Floats
    targets: Ints
    x: Floats
    y: Floats
    intensity: Floats
    centres: Floats


@jit
def sample_frame(
    mixture: Mixture, group: int, pivot: Floats, basis: Floats, drift: float, normal: Floats, samples: Samples
) -> tuple[int, int]:
    """Sample the targets of one frame of a group; return the numbers of samples and of centres.

    Parameters
    ----------
    pivot : (2,), px, the point that paths are counted from
    basis, drift : (D,) and px, of the frame: the path's basis, the growth of the radius
    normal : (n, POSE), normal numbers; their number is that of the samples, but for FEWEST_SAMPLES of a hypothesis
    samples : out
    """
    low, high = mixture.bounds[group], mixture.bounds[group + 1]
    kept = 0.0
    for j in range(low, high):
        if mixture.probability[j] >= NEGLIGIBLE:
            kept += mixture.probability[j]
    s, c = 0, 0
    mean, pose, root = np.empty(POSE), np.empty(POSE), np.empty((POSE, POSE))
    for j in range(low, high):
        share = mixture.probability[j] / kept if kept > 0.0 else 0.0
        if mixture.probability[j] < NEGLIGIBLE:
            continue
        pose_of(mixture, j, basis, drift, mean, root)
        number = min(samples_of(share, len(normal)), len(samples.weight) - s)
        for k in range(mixture.targets[j]):
            if c < len(samples.centres):
                place(mean, mixture.arms[j, k], pivot, samples.centres[c])
                c += 1
        for i in range(number):
            draw_pose(mean, root, normal[i], pose)
            write_sample(mixture, j, pose, pivot, share / number, s, samples)
            s += 1
    return s, c


@jit
def samples_of(share: float, number: int) -> int:
    """Return how many of `number` samples a hypothesis of that share gets: an even number, as normal numbers pair."""
    return max(FEWEST_SAMPLES, 2 * math.ceil(0.5 * share * number))


@jit_inner
def pose_of(mixture: Mixture, j: int, basis: Floats, drift: float, mean: Floats, root: Floats) -> None:
    """Write mean (POSE,) and Cholesky root (POSE, POSE) of the pose of hypothesis j in a frame."""
    degrees = len(basis)
    mean[0], mean[1], mean[2], mean[3] = 0.0, 0.0, mixture.radius[j] + drift, mixture.angle[j]
    slope = np.zeros((POSE, 2 * degrees + 2))
    for i in range(degrees):
        mean[0] += basis[i] * mixture.path[j, i]
        mean[1] += basis[i] * mixture.path[j, degrees + i]
        slope[0, i], slope[1, degrees + i] = basis[i], basis[i]
    slope[2, 2 * degrees], slope[3, 2 * degrees + 1] = 1.0, 1.0
    covariance = mixture.covariance[j]
    root[:] = 0.0
    for a in range(POSE):
        for b in range(a + 1):
            value = 0.0
            for u in range(2 * degrees + 2):
                if slope[a, u] != 0.0:
                    for v in range(2 * degrees + 2):
                        value += slope[a, u] * covariance[u, v] * slope[b, v]
            for m in range(b):
                value -= root[a, m] * root[b, m]
            root[a, b] = math.sqrt(max(value, TINY)) if a == b else value / root[b, b]


@jit_inner
def place(pose: Floats, arm: Floats, pivot: Floats, out: Floats) -> None:
    """Write the place of the target on one arm of a pose, px."""
    cos, sin = math.cos(pose[3]), math.sin(pose[3])
    u, v = pose[0] + pose[2] * arm[0], pose[1] + pose[2] * arm[1]
    out[0], out[1] = pivot[0] + cos * u - sin * v, pivot[1] + sin * u + cos * v


@jit_inner
def draw_pose(mean: Floats, root: Floats, normal: Floats, pose: Floats) -> None:
    """Write the pose (POSE,) that belongs to a vector of normal numbers."""
    for a in range(POSE):
        pose[a] = mean[a]
        for b in range(a + 1):
            pose[a] += root[a, b] * normal[b]


@jit_inner
def write_sample(
    mixture: Mixture, j: int, pose: Floats, pivot: Floats, weight: float, s: int, samples: Samples
) -> None:
    """Write sample s: the targets of hypothesis j in a pose."""
    place_xy = np.empty(2)
    samples.weight[s], samples.targets[s] = weight, mixture.targets[j]
    for k in range(len(samples.x)):
        place_xy[:] = ABSENT
        if k < mixture.targets[j]:
            place(pose, mixture.arms[j, k], pivot, place_xy)
        samples.x[k, s], samples.y[k, s], samples.intensity[k, s] = place_xy[0], place_xy[1], mixture.intensity[j, k]
