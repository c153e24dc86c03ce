"""Fit every hypothesis of every group, drop the hopeless ones early, and answer the frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.grouping import Plan
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.survey import Survey
from csist_bench.methods.group_map._kernels.decision import choose_hypotheses, prune
from csist_bench.methods.group_map._kernels.fit import Groups, Hypotheses, fit_hypotheses
from csist_bench.methods.group_map._kernels.posterior import (
    ChosenHypotheses,
    Posteriors,
    answer_frames,
    condition_on_start,
    laplace_posterior,
    place_hypotheses,
)
from csist_bench.methods.group_map.scene_law import (
    MIDDLE,
    direction_sets,
    path_basis,
    path_inverse_variance,
    prior_of,
    start_angles,
    start_marks,
)
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Gauss-Newton steps, and the log evidence by which a hypothesis may then trail the best of its group and stay.
LEVELS = ((1, 20.0), (1, 8.0), (1, 8.0))
ROTATED_LEVELS = ((1, 60.0), (2, 25.0), (2, 12.0), (2, 12.0))
CENTROID_SD = 0.05  # px; ridge of the start's path against the prior
MISFIT_SIGMAS = 4.0  # residuals this far above what noise explains widen the errors
DRAWS = 64  # of the intensities, to weigh the uniform law against the normal one
START_SD = 2e-3  # px; how closely the start keeps to its law
EDGE_SOFTNESS = 1.0  # grey levels, of the uniform brightness law
AXES_LARGEST = 4


@dataclass(frozen=True, eq=False)
class GroupModel:
    """What one pass over groups of m frames shares: the camera and the laws of the scene."""

    camera: Camera
    noise_model: NoiseModel
    radius: tuple[float, float]
    growth: float
    arm_sd: float
    directions: str
    rotates: bool
    step: float
    integer_start: bool
    every_start: bool = False

    def start_known(self, frames: int) -> bool:
        """Return whether groups of so many frames are conditioned on the law of the start.

        A rotated scene shows its first axis by its motion alone, so a single frame of it cannot be.
        """
        return self.integer_start and (not self.rotates or (frames > 1 and self.step > 0))

    def drift(self, frames: int) -> Floats:
        """Return the growth of the arms over the frames of a group, counted from its middle, px."""
        return np.asarray(self.growth * (np.arange(frames) - (frames - 1) / 2), dtype=np.float64)

    def arms(self, count: int) -> Floats:
        """Return the direction sets for `count` targets; more than four need the eight compass points."""
        return direction_sets("compass" if count > AXES_LARGEST else self.directions, count)


@dataclass(frozen=True, eq=False)
class CountFits:
    """All fits of one number of targets: the groups, the hypotheses that stayed, and their posteriors."""

    groups: Groups
    hypotheses: Hypotheses
    posteriors: Posteriors

    def __len__(self) -> int:
        return len(self.hypotheses.group)

    @property
    def targets(self) -> int:
        """Targets of every hypothesis."""
        return int(self.hypotheses.arms.shape[1])


def fit_plan(survey: Survey, plan: Plan, allowed: Bools, variances: Floats, model: GroupModel) -> list[CountFits]:
    """Fit the groups of a plan.

    `allowed` (G, counts) says which target counts are open; `variances` (F,), grey levels^2, are of the noise of a dark
    pixel of each frame.
    """
    path = start_path(survey, plan.members)
    fits = []
    for count in np.flatnonzero(allowed.any(axis=0)):
        chosen = np.flatnonzero(allowed[:, count])
        groups = groups_of(survey, plan, path, int(count), variances, model)
        fits.append(fit_count(groups, survey, plan, path, chosen, int(count), model))
    return fits


def start_path(survey: Survey, members: Ints) -> Floats:
    """Return the path's coefficients (G, D, 2) through the centroids of each group's frames, by ridge regression."""
    basis = path_basis(members.shape[1])
    used = (members >= 0).astype(np.float64)
    normal = np.einsum("gt,ti,tj->gij", used, basis, basis)
    normal += np.diag(path_inverse_variance(members.shape[1]) * CENTROID_SD**2)
    right = np.einsum("gt,ti,gta->gia", used, basis, survey.centroids[members, :2])
    return np.asarray(np.linalg.solve(normal, right))


def fit_count(
    groups: Groups, survey: Survey, plan: Plan, path: Floats, chosen: Ints, count: int, model: GroupModel
) -> CountFits:
    """Fit all hypotheses of `count` targets to the chosen groups, in rounds, dropping the hopeless ones after each."""
    hypotheses = start_hypotheses(path, chosen, count, groups.prior, model)
    levels = ROTATED_LEVELS if model.rotates else LEVELS
    for level, (iterations, margin) in enumerate(levels, 1):
        if level == len(levels):
            hypotheses = hypotheses.with_factors()
        fit_hypotheses(groups, hypotheses, iterations)
        keep, variance_inflation = pruned(hypotheses, plan, survey, margin, model)
        hypotheses, variance_inflation = hypotheses.select(keep), variance_inflation[keep]
    return posteriors_of(hypotheses, variance_inflation, plan.first, groups, model)


def groups_of(survey: Survey, plan: Plan, path: Floats, count: int, variances: Floats, model: GroupModel) -> Groups:
    """Return what the fits of `count` targets are told of the groups of a plan."""
    m = plan.members.shape[1]
    return Groups(
        survey.windows,
        survey.origins,
        variances,
        plan.members,
        np.ascontiguousarray(path[:, 0]),
        path_basis(m),
        model.drift(m),
        prior_of(count, m, model.radius, model.rotates, model.step, model.camera),
        model.noise_model,
    )


def start_hypotheses(path: Floats, chosen: Ints, count: int, prior: Floats, model: GroupModel) -> Hypotheses:
    """Return one hypothesis for every group, set of arms and starting angle, set off from the centroids."""
    sets, degrees = model.arms(count), path.shape[1]
    angles = np.zeros((len(chosen), 1))
    if model.rotates and (count > 1 or degrees > 1):
        angles = start_angles(path[chosen], float(prior[0, 1]) if degrees > 1 else 0.0)
    rotation = np.repeat(angles[:, None, :], len(sets), axis=1).reshape(-1)
    per_set, per_group = angles.shape[1], len(sets) * angles.shape[1]
    arms = np.tile(np.repeat(sets, per_set, axis=0), (len(chosen), 1, 1))
    group = np.repeat(chosen, per_group)
    state = np.tile(prior[0], (len(group), 1))
    # The path is counted from its own middle, and rotated back into the scene's axes.
    cos, sin = np.cos(rotation)[:, None], np.sin(rotation)[:, None]
    x, y = path[group, 1:, 0], path[group, 1:, 1]
    state[:, 1:degrees], state[:, degrees + 1 : 2 * degrees] = cos * x + sin * y, cos * y - sin * x
    state[:, [0, degrees]] = -model.radius[0] * arms.mean(axis=1)
    if model.rotates:
        state[:, -1] = rotation
    j = len(state)
    return Hypotheses(group, arms, state, np.zeros(j), np.zeros(j), np.empty((j, 0, 0)))


def pruned(
    hypotheses: Hypotheses, plan: Plan, survey: Survey, margin: float, model: GroupModel
) -> tuple[Bools, Floats]:
    """Return which hypotheses stay, and by what factor the best fit of their group exceeds the noise (1: by none)."""
    pixels = (plan.members >= 0).sum(axis=1) * float(survey.windows[0].size)
    keep, variance_inflation = np.empty(len(hypotheses.group), np.bool_), np.empty(len(hypotheses.group))
    # With shot noise the cost holds log variances and is no chi-square.
    sigmas = MISFIT_SIGMAS if model.camera.shot_gain == 0.0 else np.inf
    prune(hypotheses, pixels, sigmas, margin, variance_inflation, keep)
    return keep, variance_inflation


@lru_cache(maxsize=16)
def normal_draws(count: int) -> Floats:
    """Return DRAWS quasi-random points of the `count`-dimensional standard normal law."""
    points = qmc.Sobol(count, scramble=False).random(DRAWS) + 0.5 / DRAWS
    return np.ascontiguousarray(ndtri(points))


def posteriors_of(
    hypotheses: Hypotheses, variance_inflation: Floats, first: Ints, groups: Groups, model: GroupModel
) -> CountFits:
    """Turn fits into evidences, under the uniform brightness law, and positions at the middle of each group."""
    (j, count), camera, frames = hypotheses.arms.shape[:2], model.camera, len(groups.basis)
    out = Posteriors.empty(j, hypotheses.state.shape[1], count)
    bounds = np.array([camera.intensity_min, camera.intensity_max, EDGE_SOFTNESS])
    laplace_posterior(hypotheses, groups, bounds, normal_draws(count), variance_inflation, out)
    if model.start_known(frames):
        marks = start_marks(first[hypotheses.group], model.step, model.rotates) - MIDDLE
        if model.every_start:
            hypotheses, out, marks = at_every_start(hypotheses, out, marks)
        condition_on_start(marks, START_SD, camera.centre, model.rotates, hypotheses, groups, out)
    place_hypotheses(hypotheses, groups, frames // 2, out)
    out.log_evidence[:] -= np.log(len(model.arms(count)))
    return CountFits(groups, hypotheses, out)


def at_every_start(
    hypotheses: Hypotheses, posteriors: Posteriors, marks: Floats
) -> tuple[Hypotheses, Posteriors, Floats]:
    """Return each hypothesis once for each of its marks (J, M), the marks as (J M, 1)."""
    index = np.repeat(np.arange(len(marks)), marks.shape[1])
    return hypotheses.select(index), Posteriors(*(part[index] for part in posteriors)), marks.reshape(-1, 1)


def answer_best(plan: Plan, fits: list[CountFits], model: GroupModel, answers: FrameAnswers) -> None:
    """Choose one hypothesis for each group, over all counts, and answer the group's frames by it."""
    if not fits:
        return
    group = np.concatenate([fit.hypotheses.group for fit in fits])
    count = np.concatenate([np.full(len(fit), fit.targets) for fit in fits])
    evidence = np.concatenate([fit.posteriors.log_evidence for fit in fits])
    offsets = np.cumsum([0, *map(len, fits)])
    groups, largest = len(plan.members), int(count.max())
    xy, spread = np.zeros((2, len(group), largest, 2))
    for fit, low in zip(fits, offsets):
        xy[low : low + len(fit), : fit.targets] = fit.posteriors.xy
        spread[low : low + len(fit), : fit.targets] = fit.posteriors.spread
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(groups + 1))
    chosen, weight, p_hit_otherwise = np.empty(groups, np.int64), np.empty(groups), np.zeros((groups, largest))
    choose_hypotheses(bounds, evidence[order], count[order], xy[order], spread[order], chosen, weight, p_hit_otherwise)
    hypothesis = order[chosen]
    for fit, low in zip(fits, offsets):
        here = chosen_of(plan, len(fit), hypothesis - low, weight, p_hit_otherwise)
        answer_frames(here, fit.hypotheses, fit.groups, model.arm_sd, fit.posteriors.covariance, answers)


def chosen_of(plan: Plan, number: int, hypothesis: Ints, weight: Floats, p_hit_otherwise: Floats) -> ChosenHypotheses:
    """Return the frames of a plan whose group chose one of `number` hypotheses, counted from the first of these."""
    mine = (hypothesis >= 0) & (hypothesis < number)
    rows = np.flatnonzero(mine[plan.groups])
    group = plan.groups[rows]
    return ChosenHypotheses(
        plan.frames[rows], plan.frame_offsets[rows], hypothesis[group], weight[group], p_hit_otherwise[group]
    )
