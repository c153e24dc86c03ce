"""Answer frames by samples of their posterior: as many answers as targets, or as many as are worth it.

Numbers come out, nothing is checked.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.group_map._kernels.expected_hits import (
    GAIN,
    LEVELS,
    ROUNDS,
    WIDEST,
    Sight,
    best_place,
    gain_of,
    gather_candidates,
    look_from_all,
    take,
)
from csist_bench.methods.group_map._kernels.sampling import Mixture, Samples, sample_frame

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class FramesToAnswer(NamedTuple):
    """n frames: number, group and offset in the group, (n,); pivots of groups (G, 2), px; basis (m, D), drift (m,)."""

    frame: Ints
    group: Ints
    offset: Ints
    pivots: Floats
    basis: Floats
    drift: Floats


class Choice(NamedTuple):
    """What answers are chosen: at most `most`, worth `least` expected hits or more each.

    With `as_targets` their number is the most probable number of targets. Hits are counted at the thresholds `first` to
    `last` - 1, by so many `samples` of the posterior.
    """

    as_targets: bool
    most: int
    least: float
    first: int
    last: int
    samples: int


class Room(NamedTuple):
    """Room to decide one frame in: C candidates, S samples of K targets, A answers.

    sight, candidates : what candidates see, and (C, 2), px
    nearest, level : (A, S), what answers see
    left : (K, S), levels that no answer has taken
    places, gains : (A, 2), px, and (A,), what each answer adds
    """

    sight: Sight
    candidates: Floats
    nearest: Ints
    level: Ints
    left: Ints
    places: Floats
    gains: Floats


@jit
def answer_by_samples(
    frames: FramesToAnswer,
    mixture: Mixture,
    normal: Floats,
    choice: Choice,
    samples: Samples,
    room: Room,
    answers: FrameAnswers,
) -> None:
    """Fill the answers of frames from their posteriors; `samples` and `room` are room to work in."""
    for row in range(len(frames.frame)):
        g, t = frames.group[row], frames.offset[row]
        number, centres = sample_frame(mixture, g, frames.pivots[g], frames.basis[t], frames.drift[t], normal, samples)
        decide_frame(samples, number, centres, choice, room, frames.frame[row], answers)


@jit
def decide_frame(
    samples: Samples, number: int, centres: int, choice: Choice, room: Room, frame: int, answers: FrameAnswers
) -> None:
    """Fill the answers of one frame from `number` samples of its posterior and the first `centres` of their centres."""
    candidates, sight, left = room.candidates, room.sight, room.left
    places, gains, nearest, level = room.places, room.gains, room.nearest, room.level
    thresholds = (choice.first, choice.last)
    count = gather_candidates(samples.centres, centres, candidates)
    look_from_all(candidates, count, samples, number, sight)
    most, least = choice.most, choice.least
    if choice.as_targets:
        most, least = min(most, likely_count(samples, number)), -1.0
    found = choose_greedily(
        candidates, count, samples, number, sight, left, thresholds, most, least, places, gains, nearest, level
    )
    if choice.as_targets and found > 1:
        exchange(candidates, count, samples, number, sight, left, thresholds, found, places, gains, nearest, level)
        rank(samples, number, left, thresholds, found, places, gains, nearest, level)
    answers.targets[frame] = found
    for i in range(found):
        answers.theta[frame, i, 0], answers.theta[frame, i, 1] = places[i, 0], places[i, 1]
        answers.score[frame, i] = gains[i]
        describe(samples, number, places[i], nearest[i], answers.theta[frame, i], answers.sigma[frame, i])


@jit
def likely_count(samples: Samples, number: int) -> int:
    """Return the most probable number of targets; of equally probable ones the least."""
    weights = np.zeros(len(samples.x) + 1)
    for s in range(number):
        weights[samples.targets[s]] += samples.weight[s]
    return int(np.argmax(weights))


@jit_inner
def choose_greedily(
    candidates: Floats,
    count: int,
    samples: Samples,
    number: int,
    sight: Sight,
    left: Ints,
    thresholds: tuple[int, int],
    most: int,
    least: float,
    places: Floats,
    gains: Floats,
    nearest: Ints,
    level: Ints,
) -> int:
    """Choose answers one after another, each the one that adds most; return how many are worth `least` or more."""
    left[:, :number] = LEVELS
    for i in range(most):
        gains[i] = best_place(
            candidates, count, samples, number, sight, left, thresholds, places[i], nearest[i], level[i]
        )
        if gains[i] < least:
            return i
        take(number, nearest[i], level[i], left)
    return most


@jit_inner
def exchange(
    candidates: Floats,
    count: int,
    samples: Samples,
    number: int,
    sight: Sight,
    left: Ints,
    thresholds: tuple[int, int],
    found: int,
    places: Floats,
    gains: Floats,
    nearest: Ints,
    level: Ints,
) -> None:
    """Move each of the answers in turn to where it adds most beside the others, until none gains."""
    place, tried_nearest, tried_level = np.empty(2), np.empty_like(nearest[0]), np.empty_like(level[0])
    for _ in range(ROUNDS):
        moved = False
        for i in range(found):
            left[:, :number] = LEVELS
            for j in range(found):
                if j != i:
                    take(number, nearest[j], level[j], left)
            now = gain_of(samples, number, nearest[i], level[i], left, thresholds[0], thresholds[1])
            gain = best_place(
                candidates, count, samples, number, sight, left, thresholds, place, tried_nearest, tried_level
            )
            if gain > now + 10.0 * GAIN:
                places[i], nearest[i], level[i], moved = place, tried_nearest, tried_level, True
        if not moved:
            return


@jit_inner
def rank(
    samples: Samples,
    number: int,
    left: Ints,
    thresholds: tuple[int, int],
    found: int,
    places: Floats,
    gains: Floats,
    nearest: Ints,
    level: Ints,
) -> None:
    """Put answers in the order in which each adds most, and write what it adds."""
    left[:, :number] = LEVELS
    for i in range(found):
        best, which = -1.0, i
        for j in range(i, found):
            gain = gain_of(samples, number, nearest[j], level[j], left, thresholds[0], thresholds[1])
            if gain > best + GAIN:
                best, which = gain, j
        if which != i:
            swap(places, i, which)
            swap(nearest, i, which)
            swap(level, i, which)
        gains[i] = max(best, 0.0)
        take(number, nearest[i], level[i], left)


@jit_inner
def swap(rows: NDArray[np.generic], i: int, j: int) -> None:
    """Exchange two rows."""
    for k in range(rows.shape[1]):
        rows[i, k], rows[j, k] = rows[j, k], rows[i, k]


@jit_inner
def describe(samples: Samples, number: int, place: Floats, nearest: Ints, theta: Floats, sigma: Floats) -> None:
    """Write the mean intensity of the targets that an answer hits, and the standard errors (x, y, s) about it.

    Only samples within the widest threshold count: the errors are those of an answer that is right.
    """
    total, mean, square = 0.0, 0.0, 0.0
    sigma[:] = 0.0
    for s in range(number):
        k = nearest[s]
        dx, dy = samples.x[k, s] - place[0], samples.y[k, s] - place[1]
        if dx * dx + dy * dy <= WIDEST * WIDEST:
            weight, light = samples.weight[s], samples.intensity[k, s]
            total += weight
            sigma[0] += weight * dx * dx
            sigma[1] += weight * dy * dy
            mean += weight * light
            square += weight * light * light
    if total > 0.0:
        sigma[0], sigma[1], mean = math.sqrt(sigma[0] / total), math.sqrt(sigma[1] / total), mean / total
        sigma[2] = math.sqrt(max(square / total - mean * mean, 0.0))
    theta[2] = mean
