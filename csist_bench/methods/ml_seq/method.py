"""`ml-seq`: maximum likelihood unmixing of the frames of a window together (tier C).

The method knows the optics, the brightness law, and that the targets of a sequence keep their brightness and move
smoothly, as one rigid group or each on a path of its own; where the generator places them it does not know. A window's
frames are fitted jointly by Levenberg-Marquardt (`methods.ml_seq._kernels.fit`) from starts that the light's
moments give. Of the minima found the one of the highest Laplace evidence is the answer, and its share of the evidence
is a factor of the score. Where the light leaves the number of targets open, evidence decides it too (MacKay, 1992).

A rigid group may grow a little, its whole shape by one factor that is linear in time. Leaving that out scores 2 points
more on `seqcsist` at sigma = 2 and nothing on `seqcsist-rotated`: the misfit happens to favour targets along the pixel
axes, among the two near-equal minima of four targets. So growth stays an unknown, and its prior wide enough that the
distance to the Cramer-Rao line is alike on both sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import must, require_finite, require_shape
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.background import dark_camera, shot_variance, targets_alone
from csist_bench.methods.fitting.counts import (
    LARGEST_COUNT,
    blank_frames,
    count_candidates,
    flux_inflation,
    intensity_law,
)
from csist_bench.methods.fitting.dense_images import dense_workspace
from csist_bench.methods.fitting.frames import window_side
from csist_bench.methods.fitting.grouping import Plan, plans_of
from csist_bench.methods.fitting.noise_model import NoiseModel, noise_model_of
from csist_bench.methods.fitting.survey import Survey, cut_windows, survey_frames
from csist_bench.methods.ml_seq._kernels.motion import MotionModel, unknowns
from csist_bench.methods.ml_seq._kernels.search import Answers, Times, solve_windows
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT, Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WHOLE = 20  # from here on the setting `frames` means the whole sequence, of whatever length
BRIGHTEST_PIXEL = 1e9  # grey levels; far beyond any sensor, and safe to square
EDGE_SIGMAS = 4.0  # a group nearer to the frame's border loses light
BLANK_SIGMAS = 5.0  # a frame with less light than this is blank where the brightness is free
EXTENT_SIGMAS = 1.0  # prior spread of a group's targets about its path
GROWTH_SD = 0.0015  # prior spread of a rigid group's relative growth, per frame (module docstring)
FREE_SPREAD = 1.0  # prior spread of an intensity over its share of the light where no law is known
UNKNOWN_WIDTH = 0.5  # relative prior spread of the PSF's widths where the camera gives no error
# Relative error of a width from which it is fitted, where intensities follow a law and where they are free: then
# widths, intensities and the number of targets make up for each other, and up to there more is lost than won (measured
# on widths told 0, 1.2, 3 and 6 % wrong).
WORTH_FITTING, WORTH_FITTING_FREELY = 0.01, 0.05
SPEED_SD = 0.5  # px per frame: a path's straight part is left to the data
BEND_SD, BEND_DECAY = 0.1, 0.3  # px over 20 frames for the second Legendre coefficient; each further one is smaller


@dataclass(frozen=True, eq=False)
class SequenceFit:
    """What a fit of B sequences found: detections, log evidence (B, counts), and the PSF's widths (B, 2), px.

    The evidence is that of all pixels for each number of targets, up to a constant of the frames: -inf where a number
    was not tried, NaN where no frame was fitted. Widths, along x and y, are the camera's where they were not fitted.
    """

    detections: Detections
    log_evidence: Floats
    widths: Floats


class SequenceMaximumLikelihood(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the sequence fit, and the method itself.

    `frames` are fitted together: the window centred on each frame, or "all", the whole sequence. From 20 on a number
    means "all" too, whatever the length of the sequence. `motion` is that of a rigid group, or a polynomial for each
    target; `degree` of the path, 0 = by the length of the window.
    `brightness` follows the camera's law or is free; it is free where the camera knows of none. `width` is the PSF's:
    the camera's, or fitted to every window, shared by its frames, the camera's error being its prior; "auto" fits it
    where that error is above 1 %, or above 5 % where intensities are free. The errors answered include what was fitted.
    """

    frames: Annotated[int, Meta(ge=1)] | Literal["all"] = "all"
    motion: Literal["rigid", "polynomial"] = "rigid"
    degree: Annotated[int, Meta(ge=0, le=8)] = 0
    brightness: Literal["law", "free"] = "law"
    width: Literal["auto", "camera", "trajectory"] = "auto"
    window: Annotated[int, Meta(ge=0, le=63)] = 0  # px a side; 0: from the PSF

    def detect(self, frames: NDArray[Any], camera: Camera) -> Detections:
        """Find the targets of frames by joint fits of windows.

        Parameters
        ----------
        frames : ndarray, shape (B, T, size, size), grey levels
            B sequences; integer frames are taken too.
        camera : Camera
            Optics, noise, clipping level, background and brightness law.

        Returns
        -------
        Detections
            With standard errors, and `score` the probability of being right, averaged over distances 0.05..0.25 px. A
            frame with less light than half of the faintest target has none. A sequence whose number of targets changes
            is fitted frame by frame. Light for more than eight targets is answered by eight.

        Raises
        ------
        InputError
            If the frames have another shape, or a pixel is not finite or beyond any sensor.
        """
        return self.fit(frames, camera).detections

    def fit(self, frames: NDArray[Any], camera: Camera, counts: Ints | None = None) -> SequenceFit:
        """Find the targets of frames, as `detect` does, and say how well that explains them.

        Parameters
        ----------
        counts : int ndarray, shape (B,), optional
            The number of targets of each sequence, where it is known; 0: none.
        """
        size = camera.optics.size
        require_shape("frames", frames, (None, None, size, size), "(B, T, size, size)")
        whole_numbers = np.issubdtype(frames.dtype, np.integer)
        flat = np.ascontiguousarray(frames, dtype=np.float64).reshape(-1, size, size)
        require_finite("frames", flat)
        if flat.size and np.abs(flat).max() > BRIGHTEST_PIXEL:
            raise must("frames", f"hold values within +-{BRIGHTEST_PIXEL:g}", np.abs(flat).max())
        b, t = frames.shape[:2]
        found = FrameAnswers.empty(b * t, LARGEST_COUNT)
        window = np.full(b * t, -1)  # which fit answers a frame
        evidence, widths = np.full((b, LARGEST_COUNT + 1), np.nan), np.ones((b, 2))
        if b * t:
            scene = _Scene.of(flat - camera.background, camera, whole_numbers, self.window)
            for plan in self._plans(scene, (b, t)):
                window[plan.frames] = window.max() + 1 + plan.groups
                owner = plan.members.max(axis=1) // t
                known = None if counts is None else counts[owner]
                tried, factors = self._answer_plan(scene, plan, known, found)
                seen = owner >= 0
                evidence[owner[seen]] = np.nan_to_num(evidence[owner[seen]])
                np.add.at(evidence, owner[seen], tried[seen])
                widths[owner[seen]] = factors[seen]
        detections = found.detections(b, t, window if self._length(t) > 1 else None)
        return SequenceFit(detections, evidence, widths * camera.widths)

    def _free(self, camera: Camera) -> bool:
        return self.brightness == "free" or camera.intensity_free

    def _fits_widths(self, camera: Camera) -> bool:
        worth = WORTH_FITTING_FREELY if self._free(camera) else WORTH_FITTING
        return self.width == "trajectory" or (self.width == "auto" and _worst_width(camera) > worth)

    def _plans(self, scene: _Scene, shape: tuple[int, int]) -> Iterator[Plan]:
        return plans_of(scene.survey, self._blank(scene), shape, self._length(shape[1]), scene.dark)

    def _length(self, frames: int) -> int:
        """Return how many of the frames of a sequence are fitted together."""
        return frames if self.frames == "all" or self.frames >= WHOLE else min(self.frames, frames)

    def _blank(self, scene: _Scene) -> Bools:
        if not self._free(scene.camera):
            return blank_frames(scene.survey, scene.camera)
        sd = scene.survey.windows.shape[1] * math.sqrt(scene.noise_model.variance) * flux_inflation(scene.camera)
        return np.asarray(scene.survey.flux < BLANK_SIGMAS * sd)

    def _answer_plan(self, scene: _Scene, plan: Plan, known: Ints | None, found: FrameAnswers) -> tuple[Floats, Floats]:
        """Try the numbers of targets that each window's light allows; with free brightness, one more while it helps.

        Returns the log evidence (G, counts) of all that were tried, else -inf, and the PSF's width factors (G, 2) of
        each window's best fit. `known` (G,) are numbers of targets known beforehand.
        """
        seen = np.asarray((plan.members >= 0).any(axis=1))
        tried = _Tried(np.full((len(seen), LARGEST_COUNT + 1), -np.inf), np.ones((len(seen), 2)))
        if known is None and self._free(scene.camera):
            growing = np.flatnonzero(seen)
            for k in range(1, LARGEST_COUNT + 1):
                growing = self._try_count(k, growing, scene, plan, tried, found)
            return tried.evidence, tried.widths
        if known is None:
            allowed = count_candidates(scene.survey, plan.members, scene.dark, LARGEST_COUNT)
        else:
            allowed = seen[:, None] & (known[:, None] == np.arange(LARGEST_COUNT + 1))
        for k in range(1, LARGEST_COUNT + 1):
            self._try_count(k, np.flatnonzero(allowed[:, k]), scene, plan, tried, found)
        return tried.evidence, tried.widths

    def _try_count(self, k: int, chosen: Ints, scene: _Scene, plan: Plan, tried: _Tried, found: FrameAnswers) -> Ints:
        """Fit the windows `chosen` with k targets; keep and return those that beat their best evidence so far."""
        if not len(chosen):
            return chosen
        members = np.ascontiguousarray(plan.members[chosen])
        answered, rank = _offsets_answered(plan, chosen)
        times, model = self.motion_of(k, members.shape[1], scene.camera)
        answers = Answers.empty(answered.shape[0], answered.shape[1], k)
        free = self._free(scene.camera)
        start = scene.mean_flux(members) / k if free else np.full(len(chosen), model.mean[2])
        # Where the camera knows no law at all, a window's own light is the scale of its prior.
        spread = FREE_SPREAD * np.maximum(start, 1.0) if scene.camera.intensity_free else np.zeros(0)
        psf_sigma, side = scene.camera.optics.psf_sigma, scene.survey.windows.shape[1]
        solve_windows(
            scene.survey,
            members,
            answered,
            times,
            model,
            scene.noise_model,
            psf_sigma,
            start,
            spread,
            scene.pixels,
            answers,
            dense_workspace(k, side) if scene.noise_model.dense or model.freed else None,
        )
        evidence = answers.evidence + 0.5 * float(np.log(model.inverse_variance).sum())
        if len(spread):
            evidence -= k * np.log(spread) + 0.5 * k * float(np.log(model.inverse_variance[2]))
        if free:
            # Without a law a target can be split in two at no cost, which Laplace's evidence does not see.
            evidence -= k * math.log(members.shape[1] * scene.survey.windows[0].size)
        better = evidence > tried.evidence[chosen].max(axis=1)
        tried.evidence[chosen, k] = evidence
        tried.widths[chosen[better]] = answers.widths[better]
        row, column = np.nonzero((answered >= 0) & better[:, None])
        _store(found, plan.frames[rank[row, column]], answers, row, column)
        return np.asarray(chosen[better])

    def _degree(self, frames: int) -> int:
        if self.degree:
            return min(self.degree, frames - 1)
        if frames <= 8:
            return min(frames - 1, 2)
        return 5 if self.motion == "rigid" else 3

    def motion_of(self, k: int, frames: int, camera: Camera) -> tuple[Times, MotionModel]:
        """Return the times of a window of so many frames, and the motion model of k targets in it."""
        times = _times(frames, self._degree(frames))
        return times, self.model(k, times, camera)

    def model(self, k: int, times: Times, camera: Camera) -> MotionModel:
        """Return the motion model of k targets over a window's frames, with its prior."""
        rigid = self.motion == "rigid"
        frames, degree = times.basis.shape
        freed = self._fits_widths(camera)
        p = unknowns(k, degree, rigid, freed)
        mean, inverse_variance = np.zeros(p), np.zeros(p)
        law_mean, law_sd = intensity_law(camera)
        mean[2 : 3 * k : 3] = law_mean
        inverse_variance[2 : 3 * k : 3] = (camera.intensity_max if self._free(camera) else law_sd) ** -2
        for axis in range(2):
            inverse_variance[axis : 3 * k : 3] = (EXTENT_SIGMAS * camera.optics.psf_sigma) ** -2
        path = _path_inverse_variance(frames, degree)
        if rigid:
            growth = GROWTH_SD * max(frames - 1, 1) / 2
            path_part = np.concatenate([path, path, [growth**-2]])
        else:
            path_part = np.repeat(path, 2 * k)
        inverse_variance[3 * k : 3 * k + len(path_part)] = path_part
        if freed:
            mean[-2:], inverse_variance[-2:] = 1.0, _width_inverse_variance(camera)
        return MotionModel(k, degree, rigid, freed, mean, inverse_variance)


class _Tried(NamedTuple):
    """Log evidence (G, counts) of each window and number of targets, and the width factors (G, 2) of the best."""

    evidence: Floats
    widths: Floats


@dataclass(frozen=True, eq=False)
class _Scene:
    """All frames of a call as the kernels take them, and the camera they come from.

    `survey` shows them without background and bad pixels, `pixels` (F, n, n) are its windows as they are. `dark` is
    the camera for sums of their light.
    """

    camera: Camera
    dark: Camera
    noise_model: NoiseModel
    survey: Survey
    pixels: Floats

    @classmethod
    def of(cls, frames: Floats, camera: Camera, whole_numbers: bool, asked: int = 0) -> _Scene:
        """Cut and measure the windows of frames (F, size, size), the known background subtracted."""
        sigma, noise_model = camera.optics.psf_sigma, noise_model_of(camera, whole_numbers, NOISE_FLOOR_FLOAT)
        size = window_side(asked, camera, frames.shape[1:])
        alone = targets_alone(frames, camera)
        survey = survey_frames(alone, size, noise_model.saturation, EDGE_SIGMAS * sigma - 0.5)
        pixels = survey.windows
        if alone is not frames:
            pixels = np.empty_like(survey.windows)
            cut_windows(frames, survey.origins, pixels)
            clipped = (pixels >= noise_model.saturation).any(axis=(1, 2))
            survey = survey._replace(flags=np.where(clipped, 1, survey.flags))
        return cls(camera, dark_camera(camera, shot_variance(frames, alone, camera)), noise_model, survey, pixels)

    def mean_flux(self, members: Ints) -> Floats:
        """Return the mean light of the frames of each window (J, m), -1 = left out; grey levels."""
        used = members >= 0
        return np.asarray(np.where(used, self.survey.flux[members], 0.0).sum(axis=1) / used.sum(axis=1))


def _times(frames: int, degree: int) -> Times:
    u = np.linspace(-1, 1, frames) if frames > 1 else np.zeros(1)
    return Times(u, np.ascontiguousarray(np.polynomial.legendre.legvander(u, degree)[:, 1:]))


def _path_inverse_variance(frames: int, degree: int) -> Floats:
    """Return the prior inverse variance of a path's coefficients along one axis, shape (degree,), 1 / px^2."""
    d = np.arange(2, degree + 1)
    bends = BEND_SD * BEND_DECAY ** (d - 2) * ((frames - 1) / 19) ** d
    return np.asarray(np.concatenate([[SPEED_SD * max(frames - 1, 1) / 2], bends])[:degree] ** -2)


def _worst_width(camera: Camera) -> float:
    """Return the larger of the relative errors of the PSF's widths."""
    return max(error / width for error, width in zip(camera.psf_sigma_error, camera.widths))


def _width_inverse_variance(camera: Camera) -> Floats:
    """Return the prior inverse variance of the two width factors, (2,); nearly flat where no error is known."""
    relative = np.array(camera.psf_sigma_error) / np.array(camera.widths)
    return np.asarray(np.where(relative > 0, relative, UNKNOWN_WIDTH) ** -2)


def _offsets_answered(plan: Plan, chosen: Ints) -> tuple[Ints, Ints]:
    """Return which frames each chosen window answers, (J, R), -1 = none, and the row of the plan behind each.

    A frame is given by its offset within the window.
    """
    index = np.full(len(plan.members), -1)
    index[chosen] = np.arange(len(chosen))
    rows = np.flatnonzero(index[plan.groups] >= 0)
    window = index[plan.groups[rows]]
    order = np.argsort(window, kind="stable")
    rows, window = rows[order], window[order]
    column = np.arange(len(window)) - np.searchsorted(window, np.arange(len(chosen)))[window]
    shape = (len(chosen), int(column.max(initial=0)) + 1)
    answered, rank = np.full(shape, -1), np.zeros(shape, np.int64)
    answered[window, column], rank[window, column] = plan.frame_offsets[rows], rows
    return answered, rank


def _store(found: FrameAnswers, frames: Ints, answers: Answers, row: Ints, column: Ints) -> None:
    """Write the answers of (row, column) to their frames."""
    theta, covariance = answers.theta[row, column], answers.covariance[row, column]
    k = theta.shape[1]
    found.targets[frames] = k
    found.theta[frames, :k] = theta
    found.sigma[frames, :k] = np.sqrt(covariance[..., [0, 1, 3]])
    found.score[frames, :k] = answers.score[row, column]
