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
    path_inverse_variance,
    prior_of,
    start_angles,
    start_marks,
)
from csist_bench.simulation.sensor import Camera

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

    def start_known(self, frames: int) -> bool:
        """Tell whether groups of so many frames are conditioned on the law of the start.

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
class Hypotheses:
    """Fitted hypotheses of equal K, as `group_fitting.fit_jobs` takes and leaves them."""

    group: Ints
    arms: Floats
    state: Floats
    cost: Floats
    log_volume: Floats
    factor: Floats

    def select(self, index: NDArray[np.generic]) -> Hypotheses:
        """Return the hypotheses picked by a mask or an index array."""
        return Hypotheses(
            self.group[index],
            self.arms[index],
            self.state[index],
            self.cost[index],
            self.log_volume[index],
            self.factor[index],
        )


@dataclass(frozen=True, eq=False)
class HypothesisPosteriors:
    """Jobs of equal K with their posterior: covariance (J, U, U), log evidence (J,), and at mid-group xy, spread."""

    groups: group_fitting.Groups
    hypotheses: Hypotheses
    covariance: Floats
    log_evidence: Floats
    xy: Floats
    spread: Floats


def answer_plan(survey: Survey, plan: Plan, allowed: Bools, model: GroupModel, slots: Slots) -> None:
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
    normal += np.diag(path_inverse_variance(members.shape[1]) * CENTROID_SD**2)
    right = np.einsum("gt,ti,gta->gia", used, basis, survey.centroids[members, :2])
    return np.asarray(np.linalg.solve(normal, right))


def fit_count(
    survey: Survey, plan: Plan, path: Floats, chosen: Ints, count: int, model: GroupModel
) -> HypothesisPosteriors:
    """Fit all hypotheses of `count` targets to the chosen groups, in rounds, dropping the hopeless ones after each."""
    m = plan.members.shape[1]
    groups = group_fitting.Groups(
        survey.windows,
        survey.origins,
        plan.members,
        np.ascontiguousarray(path[:, 0]),
        path_basis(m),
        model.drift(m),
        prior_of(count, m, model.radius, model.rotates, model.step, model.camera),
        model.noise_model,
    )
    hypotheses = start_hypotheses(path, chosen, count, groups.prior, model)
    for iterations, margin in ROTATED_LEVELS if model.rotates else LEVELS:
        group_fitting.fit_hypotheses(
            groups,
            hypotheses.group,
            hypotheses.arms,
            iterations,
            hypotheses.state,
            hypotheses.cost,
            hypotheses.log_volume,
            hypotheses.factor,
        )
        keep, variance_inflation = pruned(hypotheses, plan, survey, margin, model)
        hypotheses, variance_inflation = hypotheses.select(keep), variance_inflation[keep]
    return posteriors_of(hypotheses, variance_inflation, plan.first, groups, model)


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
    j, u = state.shape
    return Hypotheses(group, arms, state, np.zeros(j), np.zeros(j), np.empty((j, u, u)))


def pruned(
    hypotheses: Hypotheses, plan: Plan, survey: Survey, margin: float, model: GroupModel
) -> tuple[Bools, Floats]:
    """Return which hypotheses stay, and by what factor the best fit of their group exceeds the noise (1: by none)."""
    pixels = (plan.members >= 0).sum(axis=1) * float(survey.windows[0].size)
    keep, variance_inflation = np.empty(len(hypotheses.group), np.bool_), np.empty(len(hypotheses.group))
    # With shot noise the cost holds log variances and is no chi-square.
    sigmas = MISFIT_SIGMAS if model.camera.shot_gain == 0.0 else np.inf
    group_decision.prune(
        hypotheses.group, hypotheses.cost, hypotheses.log_volume, pixels, sigmas, margin, variance_inflation, keep
    )
    return keep, variance_inflation


@lru_cache(maxsize=16)
def normal_draws(count: int) -> Floats:
    """Return DRAWS quasi-random points of the `count`-dimensional standard normal law."""
    points = qmc.Sobol(count, scramble=False).random(DRAWS) + 0.5 / DRAWS
    return np.ascontiguousarray(ndtri(points))


def posteriors_of(
    hypotheses: Hypotheses, variance_inflation: Floats, first: Ints, groups: group_fitting.Groups, model: GroupModel
) -> HypothesisPosteriors:
    """Turn fits into evidences, under the uniform brightness law, and positions at the middle of each group."""
    (j, count), u, middle = hypotheses.arms.shape[:2], hypotheses.state.shape[1], len(groups.basis) // 2
    out = HypothesisPosteriors(
        groups, hypotheses, np.empty((j, u, u)), np.empty(j), np.empty((j, count, 2)), np.empty((j, count, 2))
    )
    light = model.camera
    bounds = np.array([light.intensity_min, light.intensity_max, EDGE_SOFTNESS])
    pivots = groups.pivots[hypotheses.group]
    group_posterior.laplace_posterior(
        hypotheses.state, hypotheses.factor, hypotheses.cost, hypotheses.log_volume, 2 * groups.basis.shape[1] + 1,
        groups.prior, bounds, normal_draws(count), variance_inflation, out.covariance, out.log_evidence,
    )  # fmt: skip
    if model.start_known(len(groups.basis)):
        marks = start_marks(first[hypotheses.group], model.step, model.rotates) - MIDDLE
        group_posterior.condition_on_start(
            marks,
            START_SD,
            groups.basis[0],
            pivots - MIDDLE,
            model.rotates,
            hypotheses.state,
            out.covariance,
            out.log_evidence,
        )
    group_posterior.place_hypotheses(
        hypotheses.state,
        out.covariance,
        hypotheses.arms,
        pivots,
        groups.basis[middle],
        groups.drift[middle],
        out.xy,
        out.spread,
    )
    out.log_evidence[:] -= np.log(len(model.arms(count)))
    return out


def answer_best(plan: Plan, tables: list[HypothesisPosteriors], model: GroupModel, slots: Slots) -> None:
    """Choose one hypothesis for each group, over all counts, and write its targets into the slots of its frames."""
    group = np.concatenate([table.hypotheses.group for table in tables])
    count = np.concatenate([np.full(len(table.hypotheses.group), table.xy.shape[1]) for table in tables])
    total, largest = len(group), int(count.max())
    evidence = np.concatenate([table.log_evidence for table in tables])
    xy, spread = np.zeros((2, total, largest, 2))
    offsets = np.cumsum([0, *(len(table.hypotheses.group) for table in tables)])
    for table, low in zip(tables, offsets):
        high, k = low + len(table.hypotheses.group), table.xy.shape[1]
        xy[low:high, :k], spread[low:high, :k] = table.xy, table.spread
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(plan.members) + 1))
    chosen, weight = np.empty(len(plan.members), np.int64), np.empty(len(plan.members))
    p_hit_otherwise = np.zeros((len(plan.members), largest))
    group_decision.choose_hypotheses(
        bounds, evidence[order], count[order], xy[order], spread[order], chosen, weight, p_hit_otherwise
    )
    hypothesis = order[chosen]
    for table, low in zip(tables, offsets):
        fill_slots(plan, table, hypothesis - low, weight, p_hit_otherwise, model, slots)


def fill_slots(
    plan: Plan,
    table: HypothesisPosteriors,
    hypothesis: Ints,
    weight: Floats,
    p_hit_otherwise: Floats,
    model: GroupModel,
    slots: Slots,
) -> None:
    """Write the answers of the groups whose chosen hypothesis (by index into `table`) lies in this table."""
    mine = (hypothesis >= 0) & (hypothesis < len(table.hypotheses.group))
    rows = np.flatnonzero(mine[plan.groups])
    group, frames = plan.groups[rows], plan.frames[rows]
    slots.count[frames] = table.xy.shape[1]
    group_posterior.answer_frames(
        frames, plan.frame_offsets[rows], hypothesis[group], table.hypotheses.state, table.covariance,
        table.hypotheses.arms, table.groups.pivots[table.hypotheses.group], table.groups.basis, table.groups.drift,
        model.arm_sd,
        weight[group], p_hit_otherwise[group], slots.xy, slots.sigma, slots.light, slots.score,
    )  # fmt: skip
