"""What of `group-map` is compiled beside a run (`csist_bench.methods.ahead`): all that follows the fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.counts import LARGEST_COUNT
from csist_bench.methods.fitting.grouping import Plan
from csist_bench.methods.fitting.noise_model import noise_model_of, plain_noise_model
from csist_bench.methods.fitting.survey import Survey
from csist_bench.methods.group_map.hypotheses import (
    CountFits,
    GroupModel,
    answer_best,
    groups_of,
    posteriors_of,
    pruned,
    start_hypotheses,
    start_path,
)
from csist_bench.methods.group_map.method import GroupMap
from csist_bench.simulation.camera import Camera


def steps(camera: Camera) -> Iterator[Callable[[], object]]:
    """Yield what turns fits into answers, here for one group of two frames and one target, and what drops fits."""
    usual, size = GroupMap(), GroupMap().window
    law = (usual.radius, usual.radius_sd), usual.growth, usual.arm_sd, usual.directions, False, usual.step, False
    model = GroupModel(camera, plain_noise_model(noise_model_of(camera, False)), *law)
    numbers, both = np.arange(2), np.zeros(2, np.int64)
    plan = Plan(numbers[None], both[:1], numbers, both, numbers)
    survey = Survey(np.zeros((2, size, size)), np.zeros((2, 2), np.int64), np.zeros((2, 3)), both)
    path = start_path(survey, plan.members)
    groups = groups_of(survey, plan, path, 1, np.ones(2), model)
    hypotheses = start_hypotheses(path, both[:1], 1, groups.prior, model).with_factors()
    hypotheses.factor[:] = np.eye(hypotheses.factor.shape[1])
    fits: list[CountFits] = []
    yield lambda: fits.append(posteriors_of(hypotheses, np.ones(len(hypotheses.group)), plan.first, groups, model))
    yield lambda: answer_best(plan, fits, model, FrameAnswers.empty(2, LARGEST_COUNT))
    yield lambda: pruned(hypotheses, plan, survey, 1.0, model)


def own_steps(_: Camera) -> Iterator[Callable[[], object]]:
    """Yield nothing: the fit is the run's own, and it waits for nothing before it ends."""
    return iter(())
