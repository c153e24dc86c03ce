"""The PSF's widths where the intensities follow a law: Rao's score test on the answers of a fit.

A fit has its own unknowns at their best; the derivative of the log likelihood in the two widths is what it could not
take up. Less its share along those unknowns (Neyman's efficient score) and over its variance it is one step of
Fisher's scoring towards the widths of the frames (Rao, Proc. Camb. Phil. Soc. 44, 50, 1948).

A fit is not always at its maximum: priors pull, and single frames are answered by means of the posterior. The same
score of frames that are simulated from the answers has that share and nothing else, and is taken off (Smith, J. Appl.
Econometrics 8, S63, 1993).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.methods.calibration.widths import Widths, window_of, with_widths
from csist_bench.methods.camera_use import plainly, without_unknown_background
from csist_bench.methods.fitting.counts import intensity_law
from csist_bench.methods.fitting.misfit import explain
from csist_bench.methods.ml.method import WIDEST_LAW, MaximumLikelihood
from csist_bench.methods.ml_seq.method import SequenceMaximumLikelihood
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.jacobian import background_columns, frame_model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_TOGETHER, MOST_TOGETHER = 5, 20  # frames of a sequence: fewer are answered one by one, longer ones are cut
BENDS = (2, 3)  # powers of time of the path that the targets share; each has a straight part of its own
LEAST_SEQUENCES, LEAST_SINGLE_FRAMES = 8, 60  # fewer tell nothing
RIDGE = 1e-9  # of the normal matrix's diagonal: unknowns that are alike take up no more than one does
LARGEST_STEP, STEPS = 0.15, 8  # relative, of one step of Fisher's scoring; and how many there are
CLOSE = 0.3  # standard errors: a shorter step ends the search
SEED = 20_000  # of simulated noise


@dataclass(frozen=True, eq=False)
class Departure:
    """By how much the widths of the frames depart from those told, relative, along x, y and both at once.

    `relative` and `error` are (3,): one step of Fisher's scoring, and its standard error, by how sequences scatter and
    at least that of the likelihood.
    `counts` (B,) are the sequences' numbers of targets, 0 where they were not scored.
    """

    relative: Floats
    error: Floats
    counts: Ints


@dataclass(frozen=True, eq=False)
class _Scores:
    """Efficient scores of S sequences in the logarithms of both widths, (S, 2), and their information, (S, 2, 2).

    `counts` as in `Departure`.
    """

    gradient: Floats
    information: Floats
    counts: Ints

    def departure(self) -> Departure:
        """Return one step of Fisher's scoring along x, y and both at once."""
        information, gradient, s = self.information.sum(axis=0), self.gradient.sum(axis=0), len(self.gradient)
        inverse = np.linalg.inv(information)
        step, both = inverse @ gradient, gradient.sum() / information.sum()
        away = self.gradient - self.information @ step
        away_both = self.gradient.sum(axis=1) - self.information.sum(axis=(1, 2)) * both
        scatter = np.append(
            np.sqrt(np.diag(inverse @ (away.T @ away) @ inverse)),
            math.sqrt(float(away_both @ away_both)) / information.sum(),
        )
        # A few sequences may hold most of the information: their scatter alone says too little.
        least = np.append(np.sqrt(np.diag(inverse)), information.sum() ** -0.5)
        return Departure(np.append(step, both), np.maximum(scatter * math.sqrt(s / (s - 2)), least), self.counts)


def has_law(camera: Camera) -> bool:
    """Return whether intensities are told, and so well that the light tells the number of targets."""
    told = not camera.intensity_free and "intensity" not in camera.assumed
    return told and camera.intensity_max <= WIDEST_LAW * camera.intensity_min


class WidthScore:
    """Scores the PSF's widths on sequences (B, T, n, n) by what a camera tells of everything else."""

    def __init__(self, frames: NDArray[Any], camera: Camera, simulations: int = 1) -> None:
        if frames.shape[1] < LEAST_TOGETHER:
            frames = frames.reshape(-1, 1, *frames.shape[2:])
        self.frames, self.camera, self.simulations = frames, camera, simulations
        clipped = np.greater_equal(frames, camera.saturation)
        # Light that one frame has lost is missing where its targets are counted; a sequence makes up for it, but not
        # for a frame that is clipped all over.
        alone = frames.shape[1] == 1
        self.usable = ~(clipped.any(axis=(1, 2, 3)) if alone else clipped.all(axis=(2, 3)).any(axis=1))
        self.alone = without_unknown_background(frames, camera)
        # The part that was taken off is light too, whose noise stays.
        self.background = np.asarray(frames - self.alone, dtype=np.float64) + camera.background
        light = float(np.clip(self.background, 0, None).mean()) - max(camera.background, 0.0)
        noise = math.sqrt(camera.noise_sigma**2 + camera.shot_gain * max(light, 0.0))
        self.told = replace(plainly(camera), noise_sigma=noise, saturation=camera.saturation - max(light, 0.0))

    def departure(self, widths: tuple[float, float]) -> Departure | None:
        """Return how the widths of the frames depart from those given, px; None where too few frames are answered."""
        told = with_widths(self.told, *widths)
        found = self._answers(self.alone, told)
        scores = self._scores(self.alone, found, told)
        if scores is None:
            return None
        seen, expected = scores.departure(), []
        for number in range(self.simulations):
            frames = without_unknown_background(self._simulated(found, told, number), self.camera)
            simulated = self._scores(frames, self._answers(frames, told), told)
            if simulated is None:
                return None
            expected.append(simulated.departure().relative)
        own = np.mean(expected, axis=0) if expected else np.zeros(3)
        error = seen.error * math.sqrt(1 + 1 / self.simulations) if self.simulations else seen.error
        return Departure(seen.relative - own, error, scores.counts)

    def widths(self, start: tuple[float, float], first: Departure | None = None) -> Widths | None:
        """Return the widths by Fisher's scoring from `start`, px; None: there is no end.

        `first` is the departure from `start`, where it is known.
        """
        x, y = start
        for number in range(STEPS):
            found = first if first and not number else self.departure((x, y))
            if found is None:
                return None
            step, error = found.relative[:2], found.error[:2]
            bounded = np.clip(step, -LARGEST_STEP, LARGEST_STEP)
            x, y = x * math.exp(bounded[0]), y * math.exp(bounded[1])
            if (np.abs(step) < CLOSE * error).all():
                return Widths((x, y), (x * float(error[0]), y * float(error[1])), found.counts)
        return None

    def _answers(self, frames: NDArray[Any], told: Camera) -> Detections:
        if frames.shape[1] > 1:
            return SequenceMaximumLikelihood(window=window_of(frames, told), width="camera").detect(frames, told)
        return MaximumLikelihood().detect(frames, told)

    def _simulated(self, found: Detections, told: Camera, number: int) -> Floats:
        """Return frames that would be seen if the answers were right."""
        camera, shape = self.camera, self.frames.shape
        light = explain(self.alone, found, told).light.reshape(shape) + self.background
        sd = np.sqrt(camera.read_variance + camera.shot_gain * np.clip(light, 0, None))
        noise = np.random.default_rng(SEED + number).standard_normal(shape)
        return np.asarray(np.minimum(light + sd * noise, camera.saturation))

    def _scores(self, frames: NDArray[Any], found: Detections, told: Camera) -> _Scores | None:
        """Return the scores of all sequences whose answers are the same targets in every frame."""
        gradients, matrices, counts = [], [], np.zeros(len(frames), np.int64)
        t = frames.shape[1]
        order = np.lexsort((found.frame, found.trajectory))
        starts = np.searchsorted(found.trajectory[order], np.arange(len(frames) + 1))
        for b in np.flatnonzero(self.usable).tolist():
            rows = order[starts[b] : starts[b + 1]]
            targets, odd = divmod(len(rows), t)
            if not targets or odd:
                continue
            track = np.arange(targets) if t == 1 or found.track is None else found.track[rows].reshape(t, targets)
            names = np.unique(track)
            if len(names) != targets or (np.sort(track, axis=-1) != names).any():
                continue
            rows = rows.reshape(t, targets)
            if t > 1:
                rows = np.take_along_axis(rows, np.argsort(track, axis=1), axis=1)
            try:
                gradient, information = self._score(b, frames[b], found, rows, told)
            except np.linalg.LinAlgError:  # all pixels about a target are bad or clipped
                continue
            gradients.append(gradient)
            matrices.append(information)
            counts[b] = targets
        if len(gradients) < (LEAST_SEQUENCES if t > 1 else LEAST_SINGLE_FRAMES):
            return None
        scores = _Scores(np.array(gradients), np.array(matrices), counts)
        return scores if np.linalg.eigvalsh(scores.information.sum(axis=0))[0] > 0 else None

    def _score(
        self, b: int, frames: NDArray[Any], found: Detections, rows: Ints, told: Camera
    ) -> tuple[Floats, Floats]:
        """Return the efficient score of one sequence (T, n, n) and its information.

        `rows` (T, K) are the answers, a column a target.
        """
        assert found.intensity is not None
        xy, intensity = np.stack([found.x[rows], found.y[rows]], axis=-1), found.intensity[rows]
        freed = replace(told, psf_sigma_error=told.widths)  # which both widths are derived by
        model = frame_model(xy[None], intensity[None], freed)
        widths = model.widths[0] * np.array(told.widths)[:, None]  # (T, 2, P), by their logarithms
        unknowns = _unknowns(model.targets[0])
        residual = np.asarray(frames, dtype=np.float64).reshape(len(frames), -1) - told.background - model.mean[0]
        weight = self._weights(b, frames, model.mean[0])
        columns = background_columns(self.camera)
        if len(columns):
            residual, unknowns, widths = _without(columns, weight, residual, unknowns, widths)
        precision, pull = _law(told, intensity.mean(axis=0), len(unknowns))
        flat = (unknowns * weight).reshape(len(unknowns), -1)
        normal = flat @ unknowns.reshape(len(unknowns), -1).T + np.diag(precision)
        normal[np.diag_indices_from(normal)] *= 1 + RIDGE
        across = np.einsum("utp,twp->uw", unknowns * weight, widths)
        share = np.linalg.solve(normal, across)  # of the widths' derivatives, along each unknown
        right = flat @ residual.ravel() + pull
        weighted = widths * weight[:, None]
        gradient = np.einsum("twp,tp->w", weighted, residual) - share.T @ right
        information = np.einsum("twp,tvp->wv", weighted, widths) - across.T @ share
        return gradient, information

    def _weights(self, b: int, frames: NDArray[Any], light: Floats) -> Floats:
        """Return the inverse variances of the pixels (T, P) of a sequence; 0 where they are bad or clipped."""
        camera = self.camera
        lit = light.reshape(frames.shape) + self.background[b]
        variance = (camera.read_variance + camera.shot_gain * np.clip(lit, 0, None)).reshape(light.shape)
        seen = (self.frames[b] < camera.saturation).reshape(light.shape)
        if camera.maps is not None and camera.maps.bad is not None:
            seen = seen & ~camera.maps.bad.ravel()
        return np.where(seen, 1 / variance, 0.0)


def _unknowns(targets: Floats) -> Floats:
    """Return how pixels answer to what a fit may choose, (U, T, P), from derivatives by (x, y, s), (T, 3K, P).

    The K intensities come first. Over time each target's place has a straight part of its own, and all share bends: at
    least as much as a sequence fit has.
    """
    t, p = targets.shape[0], targets.shape[2]
    each = targets.reshape(t, -1, 3, p)
    place, intensity = each[:, :, :2], each[:, :, 2]
    parts = [intensity.transpose(1, 0, 2), place.transpose(1, 2, 0, 3).reshape(-1, t, p)]
    if t > 1:
        time = np.linspace(-1.0, 1.0, t)[:, None]
        parts.append(parts[1] * time)
        together = place.sum(axis=1).transpose(1, 0, 2)
        parts += [together * time**power for power in BENDS]
    return np.concatenate(parts)


def _without(columns: Floats, weight: Floats, residual: Floats, unknowns: Floats, widths: Floats) -> tuple[Floats, ...]:
    """Return residual (T, P), unknowns (U, T, P) and widths (T, 2, P) less their share along a fitted background."""
    normal = np.einsum("ap,tp,bp->tab", columns, weight, columns)
    every = np.concatenate([residual[:, None], unknowns.transpose(1, 0, 2), widths], axis=1)  # (T, R, P)
    share = np.linalg.solve(normal, np.einsum("ap,tp,trp->tar", columns, weight, every))
    every = every - np.einsum("tar,ap->trp", share, columns)
    return every[:, 0], every[:, 1:-2].transpose(1, 0, 2), every[:, -2:]


def _law(camera: Camera, intensity: Floats, unknowns: int) -> tuple[Floats, Floats]:
    """Return what the law of intensities adds to the normal matrix's diagonal and to its right side, each (U,)."""
    precision, pull = np.zeros((2, unknowns))
    if not camera.intensity_free:
        mean, sd = intensity_law(camera)
        precision[: len(intensity)] = sd**-2
        pull[: len(intensity)] = (mean - intensity) / sd**2
    return precision, pull
