"""Fit every hypothesis of every group, drop the hopeless ones early, and answer the frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from csist_bench.methods.fitting.grouping import Plan, Slots
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.survey import Survey
from csist_bench.methods.group_map._kernels import decision as group_decision
from csist_bench.methods.group_map._kernels import fit as group_fitting
from csist_bench.methods.group_map._kernels import posterior as group_posterior
from csist_bench.methods.group_map.scene_law import (
    MIDDLE,
    direction_sets,
    path_basis,
    path_precision,
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
TURNED_LEVELS = ((1, 60.0), (2, 25.0), (2, 12.0), (2, 12.0))
CENTROID_SD = 0.05  # px; ridge of the start's path against the prior
MISFIT_SIGMAS = 4.0  # residuals this far above what noise explains widen the errors
DRAWS = 64  # of the intensities, to weigh the uniform law against the normal one
START_SD = 2e-3  # px; how closely the start keeps to its law
EDGE_SOFTNESS = 1.0  # grey levels, of the uniform brightness law
AXES_LARGEST = 4


@dataclass(frozen=True, eq=False)
class Model:
    """What one pass over groups of m frames shares: priors, sensor and the hypotheses."""

    camera: Camera
    noise_model: NoiseModel
    radius: tuple[float, float]
    growth: float
    arm_sd: float
    directions: str
    turns: bool
    step: float
    integer_start: bool

    def start_known(self, frames: int) -> bool:
        """Tell whether groups of so many frames are conditioned on the law of the start.

        A turned scene shows its first axis by its motion alone, so a single frame of it cannot be.
        """
        return self.integer_start and (not self.turns or (frames > 1 and self.step > 0))

    def drift(self, frames: int) -> Floats:
        """Return the growth of the arms over the frames of a group, counted from its middle, px."""
        return np.asarray(self.growth * (np.arange(frames) - (frames - 1) / 2), dtype=np.float64)

    def arms(self, count: int) -> Floats:
        """Return the direction sets for `count` targets; more than four need the eight compass points."""
        return direction_sets("compass" if count > AXES_LARGEST else self.directions, count)


@dataclass(frozen=True, eq=False)
class Jobs:
    """Fitted hypotheses of equal K, as `group_fitting.fit_jobs` takes and leaves them."""

    group: Ints
    arms: Floats
    state: Floats
    cost: Floats
    log_volume: Floats
    factor: Floats

    def select(self, index: NDArray[np.generic]) -> Jobs:
        """Return the jobs picked by a mask or an index array."""
        return Jobs(
            self.group[index],
            self.arms[index],
            self.state[index],
            self.cost[index],
            self.log_volume[index],
            self.factor[index],
        )


@dataclass(frozen=True, eq=False)
class Concluded:
    """Jobs of equal K with their posterior: covariance (J, U, U), log evidence (J,), and at mid-group xy, spread."""

    groups: group_fitting.Groups
    jobs: Jobs
    covariance: Floats
    log_evidence: Floats
    xy: Floats
    spread: Floats


def answer_plan(survey: Survey, plan: Plan, allowed: Bools, model: Model, slots: Slots) -> None:
    """Fill the slots of every frame of a plan; `allowed` (G, counts) says which target counts are open."""
    path = start_path(survey, plan.members)
    tables = []
    for count in np.flatnonzero(allowed.any(axis=0)):
        chosen = np.flatnonzero(allowed[:, count])
        tables.append(fit_count(survey, plan, path, chosen, int(count), model))
    if tables:
        answer_best(plan, tables, model, slots)


def start_path(survey: Survey, members: Ints) -> Floats:
    """Return the path's coefficients (G, D, 2) through the centroids of each group's frames, by ridge regression."""
    basis = path_basis(members.shape[1])
    used = (members >= 0).astype(np.float64)
    normal = np.einsum("gt,ti,tj->gij", used, basis, basis)
    normal += np.diag(path_precision(members.shape[1]) * CENTROID_SD**2)
    right = np.einsum("gt,ti,gta->gia", used, basis, survey.centroids[members, :2])
    return np.asarray(np.linalg.solve(normal, right))


def fit_count(survey: Survey, plan: Plan, path: Floats, chosen: Ints, count: int, model: Model) -> Concluded:
    """Fit all hypotheses of `count` targets to the chosen groups, in rounds, keeping those still in the race."""
    m = plan.members.shape[1]
    groups = group_fitting.Groups(
        survey.windows,
        survey.origins,
        plan.members,
        np.ascontiguousarray(path[:, 0]),
        path_basis(m),
        model.drift(m),
        prior_of(count, m, model.radius, model.turns, model.step, model.camera),
        model.noise_model,
    )
    jobs = start_jobs(path, chosen, count, groups.prior, model)
    for iterations, margin in TURNED_LEVELS if model.turns else LEVELS:
        group_fitting.fit_jobs(
            groups, jobs.group, jobs.arms, iterations, jobs.state, jobs.cost, jobs.log_volume, jobs.factor
        )
        keep, temper = in_the_race(jobs, plan, survey, margin, model)
        jobs, temper = jobs.select(keep), temper[keep]
    return concluded(jobs, temper, plan.first, groups, model)


def start_jobs(path: Floats, chosen: Ints, count: int, prior: Floats, model: Model) -> Jobs:
    """Return one job for every group, hypothesis and starting angle, set off from the centroids."""
    sets, degrees = model.arms(count), path.shape[1]
    angles = np.zeros((len(chosen), 1))
    if model.turns and (count > 1 or degrees > 1):
        angles = start_angles(path[chosen], float(prior[0, 1]) if degrees > 1 else 0.0)
    turned = np.repeat(angles[:, None, :], len(sets), axis=1).reshape(-1)
    per_set, per_group = angles.shape[1], len(sets) * angles.shape[1]
    arms = np.tile(np.repeat(sets, per_set, axis=0), (len(chosen), 1, 1))
    group = np.repeat(chosen, per_group)
    state = np.tile(prior[0], (len(group), 1))
    # The path is counted from its own middle, and turned back into the scene's axes.
    cos, sin = np.cos(turned)[:, None], np.sin(turned)[:, None]
    x, y = path[group, 1:, 0], path[group, 1:, 1]
    state[:, 1:degrees], state[:, degrees + 1 : 2 * degrees] = cos * x + sin * y, cos * y - sin * x
    state[:, [0, degrees]] = -model.radius[0] * arms.mean(axis=1)
    if model.turns:
        state[:, -1] = turned
    j, u = state.shape
    return Jobs(group, arms, state, np.zeros(j), np.zeros(j), np.empty((j, u, u)))


def in_the_race(jobs: Jobs, plan: Plan, survey: Survey, margin: float, model: Model) -> tuple[Bools, Floats]:
    """Tell which jobs stay, and by what factor the best fit of their group exceeds what noise explains (1: not)."""
    pixels = (plan.members >= 0).sum(axis=1) * float(survey.windows[0].size)
    keep, temper = np.empty(len(jobs.group), np.bool_), np.empty(len(jobs.group))
    # With shot noise the cost holds log variances and is no chi-square.
    sigmas = MISFIT_SIGMAS if model.camera.shot_gain == 0.0 else np.inf
    group_decision.race(jobs.group, jobs.cost, jobs.log_volume, pixels, sigmas, margin, temper, keep)
    return keep, temper


@lru_cache(maxsize=16)
def normal_draws(count: int) -> Floats:
    """Return DRAWS quasi-random points of the `count`-dimensional standard normal law."""
    points = qmc.Sobol(count, scramble=False).random(DRAWS) + 0.5 / DRAWS
    return np.ascontiguousarray(ndtri(points))


def concluded(jobs: Jobs, temper: Floats, first: Ints, groups: group_fitting.Groups, model: Model) -> Concluded:
    """Turn fits into evidences, under the uniform brightness law, and positions at the middle of each group."""
    (j, count), u, middle = jobs.arms.shape[:2], jobs.state.shape[1], len(groups.basis) // 2
    out = Concluded(groups, jobs, np.empty((j, u, u)), np.empty(j), np.empty((j, count, 2)), np.empty((j, count, 2)))
    light = model.camera
    bounds = np.array([light.intensity_min, light.intensity_max, EDGE_SOFTNESS])
    pivots = groups.pivots[jobs.group]
    group_posterior.conclude(
        jobs.state, jobs.factor, jobs.cost, jobs.log_volume, 2 * groups.basis.shape[1] + 1, groups.prior, bounds,
        normal_draws(count), temper, out.covariance, out.log_evidence,
    )  # fmt: skip
    if model.start_known(len(groups.basis)):
        marks = start_marks(first[jobs.group], model.step, model.turns) - MIDDLE
        group_posterior.condition_on_start(
            marks,
            START_SD,
            groups.basis[0],
            pivots - model.camera.centre,
            model.turns,
            jobs.state,
            out.covariance,
            out.log_evidence,
        )
    group_posterior.place_jobs(
        jobs.state, out.covariance, jobs.arms, pivots, groups.basis[middle], groups.drift[middle], out.xy, out.spread
    )
    out.log_evidence[:] -= np.log(len(model.arms(count)))
    return out


def answer_best(plan: Plan, tables: list[Concluded], model: Model, slots: Slots) -> None:
    """Choose one job for each group, over all counts, and write its targets into the slots of its frames."""
    group = np.concatenate([table.jobs.group for table in tables])
    count = np.concatenate([np.full(len(table.jobs.group), table.xy.shape[1]) for table in tables])
    total, largest = len(group), int(count.max())
    evidence = np.concatenate([table.log_evidence for table in tables])
    xy, spread = np.zeros((2, total, largest, 2))
    offsets = np.cumsum([0, *(len(table.jobs.group) for table in tables)])
    for table, low in zip(tables, offsets):
        high, k = low + len(table.jobs.group), table.xy.shape[1]
        xy[low:high, :k], spread[low:high, :k] = table.xy, table.spread
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(plan.members) + 1))
    chosen, weight = np.empty(len(plan.members), np.int64), np.empty(len(plan.members))
    elsewhere = np.zeros((len(plan.members), largest))
    group_decision.decide(bounds, evidence[order], count[order], xy[order], spread[order], chosen, weight, elsewhere)
    job = order[chosen]
    for table, low in zip(tables, offsets):
        fill_slots(plan, table, job - low, weight, elsewhere, model, slots)


def fill_slots(
    plan: Plan, table: Concluded, job: Ints, weight: Floats, elsewhere: Floats, model: Model, slots: Slots
) -> None:
    """Write the answers of the groups whose chosen job (by index into `table`) lies in this table."""
    mine = (job >= 0) & (job < len(table.jobs.group))
    rows = np.flatnonzero(mine[plan.groups])
    group, frames = plan.groups[rows], plan.frames[rows]
    slots.count[frames] = table.xy.shape[1]
    group_posterior.answer_frames(
        frames, plan.seats[rows], job[group], table.jobs.state, table.covariance, table.jobs.arms,
        table.groups.pivots[table.jobs.group], table.groups.basis, table.groups.drift, model.arm_sd,
        weight[group], elsewhere[group], slots.xy, slots.sigma, slots.light, slots.score,
    )  # fmt: skip
