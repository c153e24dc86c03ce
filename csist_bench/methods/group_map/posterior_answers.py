"""Answer frames by what their posterior is expected to score, instead of by its most probable hypothesis."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.grouping import Plan
from csist_bench.methods.group_map._kernels.answering import Choice, FramesToAnswer, Room, answer_by_samples
from csist_bench.methods.group_map._kernels.decision import weigh_hypotheses
from csist_bench.methods.group_map._kernels.expected_hits import LEVELS, Sight
from csist_bench.methods.group_map._kernels.sampling import FEWEST_SAMPLES, POSE, Mixture, Samples
from csist_bench.methods.group_map.hypotheses import CountFits

Floats = NDArray[np.float64]
Answers = Literal["map", "posterior", "hedged"]

SAMPLES = 128  # of a frame's posterior, and FEWEST_SAMPLES of every hypothesis that counts
HYPOTHESES = 64  # of a frame that there is room for
CANDIDATES = 96  # places tried before the search
MOST_ANSWERS = 12
WORTH = 0.005  # expected hits of an answer, averaged over the thresholds, from which on it is given


def choice_of(answers: Answers, most: int) -> Choice | None:
    """Return how answers of a kind are chosen; None: as those of one hypothesis."""
    if answers == "map":
        return None
    if answers == "posterior":
        return Choice(True, most, 0.0, 0, LEVELS, SAMPLES)
    return Choice(False, MOST_ANSWERS, WORTH, 0, LEVELS, SAMPLES)


@lru_cache(maxsize=4)
def normal_pairs(number: int) -> Floats:
    """Return `number` quasi-random points of the standard normal law, (number, POSE): each with its opposite."""
    points = ndtri(qmc.Sobol(POSE, scramble=True, seed=0).random(number // 2))
    return np.ascontiguousarray(np.stack([points, -points], axis=1).reshape(-1, POSE))


def answer_by_posterior(plan: Plan, fits: list[CountFits], choice: Choice, answers: FrameAnswers) -> None:
    """Answer every frame of a plan by the choice that its posterior is expected to score most with."""
    if not fits:
        return
    mixture = mixture_of(len(plan.members), fits)
    groups, most = fits[0].groups, mixture.arms.shape[1]
    frames = FramesToAnswer(plan.frames, plan.groups, plan.frame_offsets, groups.pivots, groups.basis, groups.drift)
    samples = samples_for(choice.samples + HYPOTHESES * FEWEST_SAMPLES, most, HYPOTHESES * most)
    room = room_for(choice, samples)
    answer_by_samples(frames, mixture, normal_pairs(choice.samples), choice, samples, room, answers)


def samples_for(number: int, most: int, centres: int) -> Samples:
    """Return room for so many samples of one frame, of up to `most` targets each."""
    x, y, intensity = (np.empty((most, number)) for _ in range(3))
    return Samples(np.empty(number), np.empty(number, np.int64), x, y, intensity, np.empty((centres, 2)))


def room_for(choice: Choice, samples: Samples, candidates: int = CANDIDATES) -> Room:
    """Return room to decide frames in, one after another."""
    number = len(samples.weight)
    sight = Sight(*np.zeros((2, candidates, number), np.int64))
    nearest, level = np.zeros((2, choice.most, number), np.int64)
    left = np.empty(samples.x.shape, np.int64)
    places, gains = np.empty((choice.most, 2)), np.empty(choice.most)
    return Room(sight, np.empty((candidates, 2)), nearest, level, left, places, gains)


def mixture_of(groups: int, fits: list[CountFits]) -> Mixture:
    """Return the posteriors of so many groups, over all numbers of targets."""
    group = np.concatenate([fit.hypotheses.group for fit in fits])
    degrees = fits[0].groups.basis.shape[1]
    j, most, path = len(group), max(fit.targets for fit in fits), 2 * degrees
    count, evidence = np.empty(j, np.int64), np.empty(j)
    (arms, xy), intensity, state = np.zeros((2, j, most, 2)), np.zeros((j, most)), np.zeros((j, path + 2))
    covariance = np.zeros((j, path + 2, path + 2))
    rotates, low = False, 0
    for fit in fits:
        rows, k = slice(low, low + len(fit)), fit.targets
        count[rows], evidence[rows] = k, fit.posteriors.log_evidence
        arms[rows, :k], xy[rows, :k] = fit.hypotheses.arms, fit.posteriors.xy
        intensity[rows, :k] = fit.hypotheses.state[:, path + 1 : path + 1 + k]
        # Path, radius and, where scenes rotate, the angle, which stands last.
        rotates = fit.hypotheses.state.shape[1] > path + 1 + k
        held = [*range(path + 1), *range(path + 1 + k, fit.hypotheses.state.shape[1])]
        state[rows, : len(held)] = fit.hypotheses.state[:, held]
        covariance[rows, : len(held), : len(held)] = fit.posteriors.covariance[:, held][:, :, held]
        low += len(fit)
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(groups + 1)).astype(np.int64)
    probability = np.empty(j)
    weigh_hypotheses(bounds, evidence[order], count[order], xy[order], rotates, probability)
    parts = (count, arms, state[:, :path], state[:, path], state[:, path + 1], intensity, covariance)
    return Mixture(bounds, probability, *(np.ascontiguousarray(part[order]) for part in parts))
