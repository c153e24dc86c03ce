"""`ml-seq`: maximum likelihood unmixing of the frames of a window together (tier C).

The method knows the optics, the brightness law, and that the targets of a sequence move smoothly, as one rigid group or
each on a path of its own; where the generator places them it does not know. A window's frames are fitted jointly by
Levenberg-Marquardt (`csist_bench.kernels.sequence_fit`) from starts that the light's moments give; of the minima found
the one of the highest Laplace evidence is the answer, and its share of the evidence a factor of the score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench.checks import require_finite, require_shape
from csist_bench.detections import Detections, detections_from_slots
from csist_bench.kernels.fitting import psf_table
from csist_bench.kernels.group_fitting import survey
from csist_bench.kernels.sequence_motion import Model, unknowns
from csist_bench.kernels.sequence_search import Images, Times, solve_windows
from csist_bench.kernels.single_fit import Sensor
from csist_bench.offgrid.group_counts import (
    Plan,
    Survey,
    blank_frames,
    count_candidates,
    plan_groups,
    varying_trajectories,
)
from csist_bench.sensor import Instrument

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_TARGETS = 8
WHOLE = 20  # the setting `frames` that means the whole sequence, of whatever length
THRESHOLDS = np.array([0.05, 0.10, 0.15, 0.20, 0.25])  # px, at which an answer counts as right
WINDOW_SIGMAS = 4.0  # half width of the fitted pixels: 5 x 5 at 0.5 px
EDGE_SIGMAS = 4.0  # a group nearer to the frame's border loses light
EXTENT_SIGMAS = 2.0  # prior spread of a group's targets about its path
GROWTH_SD = 0.004  # prior spread of a rigid group's relative growth, per frame
SPEED_SD = 0.5  # px per frame: a path's straight part is left to the data
BEND_SD, BEND_DECAY = 0.1, 0.3  # px over 20 frames for the second Legendre coefficient; each further one is smaller


class SequenceMaximumLikelihood(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the sequence fit, and the method itself.

    `frames` are fitted together: below 20 the window centred on each frame, from 20 on the whole sequence. `motion` is
    that of a rigid group, or a polynomial for each target; `degree` of the path, 0 = by the length of the window.
    `brightness` follows the instrument's law or is free.
    """

    frames: Annotated[int, Meta(ge=1)] = WHOLE
    motion: Literal["rigid", "polynomial"] = "rigid"
    degree: Annotated[int, Meta(ge=0, le=8)] = 0
    brightness: Literal["law", "free"] = "law"

    def detect(self, frames: NDArray[Any], instrument: Instrument) -> Detections:
        size = instrument.optics.size
        require_shape("frames", frames, (None, None, size, size), "(B, T, size, size)")
        whole_numbers = np.issubdtype(frames.dtype, np.integer)
        flat = np.ascontiguousarray(frames, dtype=np.float64).reshape(-1, size, size)
        require_finite("frames", flat)
        b, t = frames.shape[:2]
        slots = Slots.empty(b * t)
        if b * t:
            scene = _Scene(instrument, _sensor(instrument, whole_numbers), _surveyed(flat - instrument.background, instrument))
            self._answer(scene, (b, t), slots)
        return slots.detections(b, t)

    def _answer(self, scene: _Scene, shape: tuple[int, int], slots: Slots) -> None:
        blank = blank_frames(scene.survey, scene.instrument)
        length = shape[1] if self.frames >= WHOLE else min(self.frames, shape[1])
        alone = np.zeros(shape[0], np.bool_)
        if length > 1:
            alone = varying_trajectories(scene.survey, blank, shape, scene.instrument)
        for trajectories, run in ((np.flatnonzero(~alone), length), (np.flatnonzero(alone), 1)):
            plan = plan_groups(blank, trajectories, shape[1], run)
            if len(plan.frames):
                self._answer_plan(scene, plan, slots)

    def _answer_plan(self, scene: _Scene, plan: Plan, slots: Slots) -> None:
        groups = len(plan.members)
        seen = np.flatnonzero((plan.members >= 0).any(axis=1))
        allowed = np.zeros((groups, MAX_TARGETS + 1), np.bool_)
        allowed[seen] = count_candidates(scene.survey, plan.members[seen], scene.instrument, MAX_TARGETS)
        best = np.full(groups, -np.inf)
        for k in range(1, MAX_TARGETS + 1):
            chosen = np.flatnonzero(allowed[:, k])
            if len(chosen):
                self._try_count(k, chosen, scene, plan, best, slots)

    def _try_count(self, k: int, chosen: Ints, scene: _Scene, plan: Plan, best: Floats, slots: Slots) -> None:
        """Fit the windows `chosen` with k targets and keep the answers of those that beat their best evidence."""
        m = plan.members.shape[1]
        times = _times(m, self._degree(m))
        model = self._model(k, times, scene.instrument)
        answered, rank = _seats(plan, chosen)
        j, r = answered.shape
        theta, covariance = np.zeros((j, r, k, 3)), np.zeros((j, r, k, 4))
        score, evidence = np.zeros((j, r, k)), np.zeros(j)
        brightness = np.full(j, model.mean[2])
        members = np.ascontiguousarray(plan.members[chosen])
        images = Images(scene.survey.windows, scene.survey.origins, scene.survey.centroids, scene.survey.flags)
        solve_windows(
            images, members, answered, times, model, scene.sensor, scene.instrument.optics.psf_sigma, brightness, THRESHOLDS,
            theta, covariance, score, evidence,
        )
        evidence += 0.5 * float(np.log(model.precision).sum()) + math.lgamma(k + 1)
        better = evidence > best[chosen]
        best[chosen[better]] = evidence[better]
        row, seat = np.nonzero((answered >= 0) & better[:, None])
        slots.store(plan.frames[rank[row, seat]], theta[row, seat], covariance[row, seat], score[row, seat])

    def _degree(self, m: int) -> int:
        if self.degree:
            return min(self.degree, m - 1)
        if m <= 3:
            return m - 1
        return 2 if m <= 8 else 5 if self.motion == "rigid" else 3

    def _model(self, k: int, times: Times, instrument: Instrument) -> Model:
        rigid = self.motion == "rigid"
        m, degree = times.basis.shape
        p = unknowns(k, degree, rigid)
        mean, precision = np.zeros(p), np.zeros(p)
        low, high = instrument.intensity_min, instrument.intensity_max
        mean[2 : 3 * k : 3] = (low + high) / 2
        precision[2 : 3 * k : 3] = 12 / (high - low) ** 2 if self.brightness == "law" else high ** -2
        for axis in range(2):
            precision[axis : 3 * k : 3] = (EXTENT_SIGMAS * instrument.optics.psf_sigma) ** -2
        d = np.arange(2, degree + 1)
        path = np.concatenate([[SPEED_SD * max(m - 1, 1) / 2], BEND_SD * BEND_DECAY ** (d - 2) * ((m - 1) / 19) ** d])[:degree] ** -2
        if rigid:
            precision[3 * k :] = np.concatenate([path, path, [(GROWTH_SD * max(m - 1, 1) / 2) ** -2]])
        else:
            precision[3 * k :] = np.repeat(path, 2 * k)
        return Model(k, degree, rigid, mean, precision)


@dataclass(frozen=True, eq=False)
class _Scene:
    instrument: Instrument
    sensor: Sensor
    survey: Survey


def _sensor(instrument: Instrument, whole_numbers: bool) -> Sensor:
    limit = instrument.saturation - instrument.background
    edge = limit - 0.5 if whole_numbers else limit
    return Sensor(psf_table(instrument.optics.psf_sigma), instrument.noise_sigma**2, instrument.shot_gain, limit, edge)


def _surveyed(frames: Floats, instrument: Instrument) -> Survey:
    sigma = instrument.optics.psf_sigma
    f, n = len(frames), min(2 * math.ceil(WINDOW_SIGMAS * sigma) + 1, instrument.optics.size)
    found = Survey(np.empty((f, n, n)), np.empty((f, 2), np.int64), np.empty((f, 3)), np.empty(f, np.int64))
    limit = instrument.saturation - instrument.background
    survey(frames, limit, EDGE_SIGMAS * sigma - 0.5, found.windows, found.origins, found.centroids, found.flags)
    return found


def _times(m: int, degree: int) -> Times:
    u = np.linspace(-1, 1, m) if m > 1 else np.zeros(1)
    return Times(u, np.ascontiguousarray(np.polynomial.legendre.legvander(u, degree)[:, 1:]))


def _seats(plan: Plan, chosen: Ints) -> tuple[Ints, Ints]:
    """Return which seats each chosen window answers, (J, R), -1 = none, and the row of the plan behind each."""
    place = np.full(len(plan.members), -1)
    place[chosen] = np.arange(len(chosen))
    rows = np.flatnonzero(place[plan.groups] >= 0)
    job = place[plan.groups[rows]]
    order = np.argsort(job, kind="stable")
    rows, job = rows[order], job[order]
    starts = np.searchsorted(job, np.arange(len(chosen)))
    column = np.arange(len(job)) - starts[job]
    answered, rank = np.full((len(chosen), int(column.max()) + 1), -1), np.zeros((len(chosen), int(column.max()) + 1), np.int64)
    answered[job, column], rank[job, column] = plan.seats[rows], rows
    return answered, rank


@dataclass(frozen=True, eq=False)
class Slots:
    xy: Floats
    intensity: Floats
    sigma: Floats
    score: Floats
    count: Ints

    @classmethod
    def empty(cls, frames: int) -> Slots:
        shape = (frames, MAX_TARGETS)
        return cls(np.zeros((*shape, 2)), np.zeros(shape), np.zeros((*shape, 3)), np.zeros(shape), np.zeros(frames, np.int64))

    def store(self, frames: Ints, theta: Floats, covariance: Floats, score: Floats) -> None:
        k = theta.shape[1]
        self.xy[frames, :k] = theta[..., :2]
        self.intensity[frames, :k] = theta[..., 2]
        self.sigma[frames, :k] = np.sqrt(covariance[..., [0, 1, 3]])
        self.score[frames, :k] = score
        self.count[frames] = k

    def detections(self, b: int, t: int) -> Detections:
        shape = (b, t, MAX_TARGETS)
        return detections_from_slots(self.xy.reshape(*shape, 2), self.score.reshape(shape), self.count.reshape(b, t),
            self.intensity.reshape(shape), self.sigma[..., :2].reshape(*shape, 2), self.sigma[..., 2].reshape(shape))
