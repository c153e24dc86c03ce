"""Sequence maximum likelihood (`ml-seq`, tier C): all frames of a window fitted together.

The targets move smoothly or as one rigid group, and keep their brightness; where the generator places them is not
known to the method. The fits themselves are in `csist_bench.kernels.sequence_fit`.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench.checks import must, require_finite
from csist_bench.detections import Detections, concatenate
from csist_bench.kernels.fitting import psf_table
from csist_bench.kernels.group_fitting import survey
from csist_bench.kernels.sequence_fit import Model, unknowns
from csist_bench.kernels.sequence_search import solve_jobs
from csist_bench.sensor import Instrument

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_TARGETS = 8
THRESHOLDS = np.array([0.05, 0.10, 0.15, 0.20, 0.25])
WINDOW_SIGMAS = 4.0
EXTENT_SIGMAS = 2.0
GROWTH_SD = 0.004
PATH_SD = 10.0
SHORT_WINDOW = 8


class Run(NamedTuple):
    first: int
    length: int
    candidates: tuple[int, ...]


class SequenceMaximumLikelihood(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings."""

    frames: Annotated[int, Meta(ge=1)] = 20
    motion: Literal["rigid", "polynomial"] = "rigid"
    degree: Annotated[int, Meta(ge=0, le=5)] = 0
    brightness: Literal["law", "free"] = "law"

    def detect(self, frames: NDArray[Any], instrument: Instrument) -> Detections:
        b, t = frames.shape[:2]
        flat = np.ascontiguousarray(frames, dtype=np.float64).reshape(b * t, *frames.shape[2:]) - instrument.background
        require_finite("frames", flat)
        size = min(2 * math.ceil(WINDOW_SIGMAS * instrument.optics.psf_sigma) + 1, *frames.shape[2:])
        windows, origins = np.empty((b * t, size, size)), np.empty((b * t, 2), np.int64)
        centroids, missing = np.empty((b * t, 3)), np.empty(b * t, np.int64)
        survey(flat, instrument.saturation - instrument.background, 2.0, size, windows, origins, centroids, missing)
        flux = centroids[:, 2].reshape(b, t)
        count = np.rint(np.median(flux, axis=1) / 235).astype(int)
        parts = []
        level = instrument.saturation - instrument.background
        sensor = np.array([instrument.noise_sigma**2, instrument.shot_gain, level, level - 0.5])
        for k in np.unique(count):
            rows = np.flatnonzero(count == k)
            m = min(self.frames, t)
            if m == t:
                first = rows * t
                answered = np.broadcast_to(np.arange(t), (len(rows), t)).copy()
            else:
                start = np.clip(np.arange(t) - m // 2, 0, t - m)
                first = (rows[:, None] * t + start).ravel()
                answered = np.tile(np.arange(t) - start, len(rows))[:, None]
            degree = min(self.degree or (1 if m < SHORT_WINDOW else 3 if self.motion == "rigid" else 2), m - 1)
            time = np.linspace(-1, 1, m) if m > 1 else np.zeros(1)
            smoother = np.linalg.pinv(time[:, None] ** np.arange(degree + 1))
            model = self._model(int(k), degree, m, instrument)
            j, r = answered.shape
            theta, cov, score, ev = np.empty((j, r, k, 3)), np.empty((j, r, k, 4)), np.empty((j, r, k)), np.empty(j)
            solve_jobs(windows, origins, centroids, missing, first, answered, time, smoother, model, psf_table(instrument.optics.psf_sigma), sensor,
                       instrument.optics.psf_sigma, np.full(j, model.mean[2]), THRESHOLDS, theta, cov, score, ev)
            f = first[:, None] + answered
            shape = (j, r, int(k))
            col = lambda v: np.broadcast_to(v, shape).ravel().copy()
            parts.append(Detections(col((f // t)[..., None]), col((f % t)[..., None]), col(theta[..., 0]), col(theta[..., 1]), score.ravel(),
                col(theta[..., 2]), col(np.sqrt(cov[..., 0])), col(np.sqrt(cov[..., 1])), col(np.sqrt(cov[..., 3]))))
        return concatenate(parts)

    def _model(self, k: int, degree: int, m: int, instrument: Instrument) -> Model:
        rigid = self.motion == "rigid"
        p = unknowns(k, degree, rigid)
        mean, precision = np.zeros(p), np.full(p, PATH_SD**-2)
        law = (instrument.intensity_min + instrument.intensity_max) / 2, (instrument.intensity_max - instrument.intensity_min) ** 2 / 12
        mean[2 : 3 * k : 3] = law[0]
        precision[2 : 3 * k : 3] = 1 / law[1]
        for axis in range(2):
            precision[axis : 3 * k : 3] = (EXTENT_SIGMAS * instrument.optics.psf_sigma) ** -2
        if rigid:
            precision[-1] = (GROWTH_SD * max(m - 1, 1) / 2) ** -2
        return Model(k, degree, rigid, mean, precision)
