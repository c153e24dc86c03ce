"""Fit every hypothesis of every group, drop the hopeless ones early, and answer the frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtri
from scipy.stats import qmc

from csist_bench.kernels import group_fitting, group_posterior
from csist_bench.kernels.fitting import psf_table
from csist_bench.offgrid.group_counts import LARGEST_COUNT, Plan, Survey
from csist_bench.offgrid.group_scene import (
    ROTATED_STARTS,
    direction_sets,
    path_basis,
    path_precision,
    prior_of,
)
from csist_bench.sensor import Instrument

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Gauss-Newton steps, and the log evidence by which a hypothesis may then trail the best of its group and stay.
LEVELS = ((1, 30.0), (2, 12.0), (1, 12.0))
TURNED_LEVELS = ((1, 60.0), (2, 25.0), (2, 12.0), (2, 12.0))
CENTROID_SD = 0.05  # px; ridge of the start's path against the prior
MISFIT_SIGMAS = 4.0  # residuals this far above what noise explains widen the errors
EDGE_SOFTNESS = 1.0  # grey levels, of the uniform brightness law
AXES_LARGEST = 4


@dataclass(frozen=True, eq=False)
class Model:
    """What one pass over groups of m frames shares: priors, sensor and the hypotheses."""

    instrument: Instrument
    sensor: Floats
    radius: tuple[float, float]
    growth: float
    arm_sd: float
    directions: str
    turns: bool

    def arms(self, count: int) -> Floats:
        """Return the direction sets for `count` targets; more than four need the eight compass points."""
        return direction_sets("compass" if count > AXES_LARGEST else self.directions, count)


@dataclass(frozen=True, eq=False)
class Slots:
    """Answers of F frames: count (F,), xy and sigma (F, K, 2) px, light (F, K, 2) grey levels, score (F, K)."""

    count: Ints
    xy: Floats
    sigma: Floats
    light: Floats
    score: Floats

    @classmethod
    def empty(cls, frames: int) -> Slots:
        """Return answers of `frames` frames without any target."""
        k = LARGEST_COUNT
        pairs = (np.zeros((frames, k, 2)) for _ in range(3))
        return cls(np.zeros(frames, np.int64), *pairs, np.zeros((frames, k)))


@dataclass(frozen=True, eq=False)
class Jobs:
    """Fitted hypotheses of equal K: group (J,), arms (J, K, 2), state (J, U), cost (J,), factor (J, U, U)."""

    group: Ints
    arms: Floats
    state: Floats
    cost: Floats
    factor: Floats

    def select(self, index: NDArray[np.generic]) -> Jobs:
        """Return the jobs picked by a mask or an index array."""
        return Jobs(self.group[index], self.arms[index], self.state[index], self.cost[index], self.factor[index])


@dataclass(frozen=True, eq=False)
class Concluded:
    """Jobs of equal K with their posterior: covariance (J, U, U), log evidence (J,), and at mid-group xy, spread."""

    jobs: Jobs
    covariance: Floats
    log_evidence: Floats
    xy: Floats
    spread: Floats


def answer_plan(survey: Survey, plan: Plan, allowed: Bools, model: Model, slots: Slots) -> None:
    """Fill the slots of every frame of a plan; `allowed` (G, counts) says which target counts are open."""
    tables = []
    for count in np.flatnonzero(allowed.any(axis=0)):
        groups = np.flatnonzero(allowed[:, count])
        tables.append(fit_count(survey, plan, groups, int(count), model))
    if tables:
        answer_best(plan, tables, model, slots)


def fit_count(survey: Survey, plan: Plan, groups: Ints, count: int, model: Model) -> Concluded:
    """Fit all hypotheses of `count` targets to the given groups, in rounds, keeping those still in the race."""
    m = plan.members.shape[1]
    basis, drift = path_basis(m), model.growth * (np.arange(m) - (m - 1) / 2)
    prior = prior_of(count, m, model.radius, model.turns, model.instrument)
    table = psf_table(model.instrument.optics.psf_sigma)
    jobs = start_jobs(survey, plan, groups, count, model)
    for iterations, margin in TURNED_LEVELS if model.turns else LEVELS:
        group_fitting.fit_jobs(
            survey.windows, survey.origins, plan.members, basis, drift, jobs.group, jobs.arms, prior,
            model.sensor, table, iterations, jobs.state, jobs.cost, jobs.factor,
        )  # fmt: skip
        jobs = jobs.select(in_the_race(jobs, len(plan.members), margin, misfit(jobs, plan, survey, model)))
    return concluded(jobs, survey, plan, prior, model)


def start_jobs(survey: Survey, plan: Plan, groups: Ints, count: int, model: Model) -> Jobs:
    """Return one job for every group, hypothesis and starting angle, set off from the centroids."""
    m = plan.members.shape[1]
    sets = model.arms(count)
    angles = np.array(ROTATED_STARTS) if model.turns and count > 1 else np.zeros(1)
    degrees = path_basis(m).shape[1]
    prior = prior_of(count, m, model.radius, model.turns, model.instrument)
    path = start_path(survey, plan.members[groups])  # (G, D, 2)
    variants = len(sets) * len(angles)
    arms = np.repeat(sets, len(angles), axis=0)
    turned = np.tile(angles, len(sets))
    middle = arms.mean(axis=1) * model.radius[0]
    cos, sin = np.cos(turned), np.sin(turned)
    centre = np.stack([cos * middle[:, 0] - sin * middle[:, 1], sin * middle[:, 0] + cos * middle[:, 1]], axis=1)
    state = np.empty((len(groups), variants, prior.shape[1]))
    state[:] = prior[0]
    state[..., :degrees], state[..., degrees : 2 * degrees] = path[:, None, :, 0], path[:, None, :, 1]
    state[..., 0] -= centre[:, 0]
    state[..., degrees] -= centre[:, 1]
    if model.turns:
        state[..., -1] = turned
    u, j = prior.shape[1], len(groups) * variants
    everywhere = np.broadcast_to(arms, (len(groups), *arms.shape)).reshape(j, count, 2)
    return Jobs(np.repeat(groups, variants), everywhere.copy(), state.reshape(j, u), np.zeros(j), np.empty((j, u, u)))


def start_path(survey: Survey, members: Ints) -> Floats:
    """Return the path's coefficients (G, D, 2) through the centroids of each group's frames, by ridge regression."""
    basis = path_basis(members.shape[1])
    used = (members >= 0).astype(np.float64)
    normal = np.einsum("gt,ti,tj->gij", used, basis, basis)
    normal += np.diag(path_precision(members.shape[1]) * CENTROID_SD**2)
    right = np.einsum("gt,ti,gta->gia", used, basis, survey.centroids[members, :2])
    return np.asarray(np.linalg.solve(normal, right))


def misfit(jobs: Jobs, plan: Plan, survey: Survey, model: Model) -> Floats:
    """Return by what factor the best fit of each group exceeds what noise explains (1: it does not), shape (G,)."""
    best = np.full(len(plan.members), np.inf)
    np.minimum.at(best, jobs.group, jobs.cost)
    pixels = np.maximum((plan.members >= 0).sum(axis=1), 1) * survey.windows[0].size
    ratio = best / pixels
    explained = 1 + MISFIT_SIGMAS * np.sqrt(2 / pixels)
    # With shot noise the cost holds log variances and is no chi-square.
    noisy = (ratio > explained) & np.isfinite(ratio) & (model.instrument.shot_gain == 0.0)
    return np.where(noisy, ratio, 1.0)


def in_the_race(jobs: Jobs, groups: int, margin: float, temper: Floats) -> Bools:
    """Tell which jobs trail the best evidence of their group by less than `margin`."""
    log_volume = np.log(np.diagonal(jobs.factor, axis1=1, axis2=2)).sum(axis=1)
    log_evidence = -0.5 * jobs.cost / temper[jobs.group] - log_volume
    best = np.full(groups, -np.inf)
    np.maximum.at(best, jobs.group, log_evidence)
    return np.asarray(log_evidence >= best[jobs.group] - margin)


@lru_cache(maxsize=16)
def normal_draws(count: int) -> Floats:
    """Return 128 quasi-random points of the `count`-dimensional standard normal law."""
    points = qmc.Sobol(count, scramble=False).random(128) + 0.5 / 128
    return np.ascontiguousarray(ndtri(points))


def concluded(jobs: Jobs, survey: Survey, plan: Plan, prior: Floats, model: Model) -> Concluded:
    """Turn fits into evidences, under the uniform brightness law, and positions at the middle of each group."""
    (j, count), u, m = jobs.arms.shape[:2], jobs.state.shape[1], plan.members.shape[1]
    out = Concluded(jobs, np.empty((j, u, u)), np.empty(j), np.empty((j, count, 2)), np.empty((j, count)))
    basis, middle = path_basis(m), m // 2
    light = model.instrument
    bounds = np.array([light.intensity_min, light.intensity_max, EDGE_SOFTNESS])
    temper = misfit(jobs, plan, survey, model)[jobs.group]
    group_posterior.conclude(
        jobs.state, jobs.factor, jobs.cost, jobs.arms, basis.shape[1], basis[middle],
        model.growth * (middle - (m - 1) / 2), prior, bounds, normal_draws(count), temper,
        out.covariance, out.log_evidence, out.xy, out.spread,
    )  # fmt: skip
    out.log_evidence[:] -= np.log(len(model.arms(count)))
    return out


def answer_best(plan: Plan, tables: list[Concluded], model: Model, slots: Slots) -> None:
    """Choose one job for each group, over all counts, and write its targets into the slots of its frames."""
    group = np.concatenate([table.jobs.group for table in tables])
    count = np.concatenate([np.full(len(table.jobs.group), table.xy.shape[1]) for table in tables])
    total, largest = len(group), int(count.max())
    evidence = np.concatenate([table.log_evidence for table in tables])
    xy, spread = np.zeros((total, largest, 2)), np.zeros((total, largest))
    offsets = np.cumsum([0, *(len(table.jobs.group) for table in tables)])
    for table, low in zip(tables, offsets):
        high, k = low + len(table.jobs.group), table.xy.shape[1]
        xy[low:high, :k], spread[low:high, :k] = table.xy, table.spread
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(plan.members) + 1))
    chosen, weight = np.empty(len(plan.members), np.int64), np.empty(len(plan.members))
    elsewhere = np.zeros((len(plan.members), largest))
    group_posterior.decide(
        bounds, evidence[order], count[order], xy[order], spread[order], chosen, weight, elsewhere
    )
    job = order[chosen]
    for table, low in zip(tables, offsets):
        fill_slots(plan, table, job - low, weight, elsewhere, model, slots)


def fill_slots(
    plan: Plan, table: Concluded, job: Ints, weight: Floats, elsewhere: Floats, model: Model, slots: Slots
) -> None:
    """Write the answers of the groups whose chosen job (by index into `table`) lies in this table."""
    m, count = plan.members.shape[1], table.xy.shape[1]
    mine = (job >= 0) & (job < len(table.jobs.group))
    rows = np.flatnonzero(mine[plan.groups])
    groups, frames = plan.groups[rows], plan.frames[rows]
    slots.count[frames] = count
    drift = model.growth * (np.arange(m) - (m - 1) / 2)
    group_posterior.answer_frames(
        frames, plan.seats[rows], job[groups], table.jobs.state, table.covariance, table.jobs.arms, path_basis(m), drift,
        model.arm_sd, weight[groups], elsewhere[groups], slots.xy, slots.sigma, slots.light, slots.score,
    )  # fmt: skip
