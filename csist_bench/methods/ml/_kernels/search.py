"""Search of one frame: how many targets, which basin of the likelihood, and how sure.

For every target count that the flux allows, fits are run from the starts of `ml._kernels.starts`, and the count whose
best fit has the largest evidence is kept (Laplace's approximation: fit, prior and the volume of the posterior). Where
the errors it predicts are large, the posterior is sampled instead (`ml._kernels.posterior`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner, jit_within
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.background import FLUX_INFLATION
from csist_bench.methods.fitting.counts import BrightnessLaw
from csist_bench.methods.fitting.dense_images import DenseWorkspace
from csist_bench.methods.fitting.hit_probability import round_hit_probability
from csist_bench.methods.fitting.levenberg import (
    FrameWindow,
    FrameWorkspace,
    Prior,
    StoppingRule,
    cost_of,
    factor_of,
    fit_frame,
    gather_equations,
)
from csist_bench.methods.fitting.linear_algebra import copy_rows, inverse, log_determinant
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import cut_window, window_origin
from csist_bench.methods.ml._kernels.decision import choose_positions, sample_spread
from csist_bench.methods.ml._kernels.posterior import Draws, resample, sample_posterior
from csist_bench.methods.ml._kernels.starts import harmonic_moments, write_start
from csist_bench.methods.ml._kernels.workspace import SearchWorkspace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLUX_SDS = 3.0  # half width of the flux bracket, in standard deviations of the window's summed noise
FLUX_MARGIN = 0.005  # of the flux, for the light that falls outside the window
OPEN_COUNTS = 3  # counts tried above the flux's least one where light is missing
BORDER_SHARE = 0.02  # of the light on a border of the image: more means that some fell outside
MIN_GAIN = 16.0  # of -2 log likelihood, for one target to be seen at all where the flux does not ask for it
FREE_SPREAD = 1.0  # sd of intensity over its mean when nothing is known of it
FREE_PENALTY = 1.0  # log of the pixels, per target: an information criterion where no law bounds the volume
LEAST_SHARE = 0.02  # of the mean intensity: no target is fainter
LEAST_SAMPLES = 8.0
LOG_2PI = math.log(2.0 * math.pi)


class SearchSettings(NamedTuple):
    """How hard to look: the most targets, starts per count, limits of a fit; and the PSF's width in px."""

    max_targets: int
    starts: int
    stop: StoppingRule
    psf_sigma: float


@jit_inner
def flux_bracket(flux: float, noise: float, law: BrightnessLaw) -> tuple[int, int]:
    """Return the least and largest target count whose summed brightness agrees with the window's flux.

    Where no count does (brightness outside its law), the nearest count stands alone.
    """
    slack = FLUX_SDS * noise + FLUX_MARGIN * abs(flux)
    low = max(math.ceil((flux - slack) / law.high), 0)
    high = max(math.floor((flux + slack) / law.low), 0)
    if low > high:
        low = max(math.floor(2.0 * flux / (law.low + law.high) + 0.5), 0)
        high = low
    return low, high


@jit_inner
def set_prior(targets: int, flux: float, law: BrightnessLaw, over: bool, scratch: SearchWorkspace) -> Prior:
    """Return the brightness prior for a count; positions are free.

    With no law, or more light than the largest count explains (`over`), it is broad about an equal share of the flux.
    """
    mean, variance = 0.5 * (law.low + law.high), (law.high - law.low) ** 2 / 12.0
    if law.free or over:
        mean = max(flux, 1.0) / targets
        variance = (FREE_SPREAD * mean) ** 2
    scratch.mean[:, 2] = mean
    scratch.inverse_variance[:, 2] = 1.0 / max(variance, 1e-6 * mean * mean)
    return Prior(scratch.mean, scratch.inverse_variance, LEAST_SHARE * mean)


@jit_within
def fit_from_starts(
    targets: int,
    window: FrameWindow,
    noise_model: NoiseModel,
    prior: Prior,
    settings: SearchSettings,
    scratch: SearchWorkspace,
    dense: DenseWorkspace | None,
) -> float:
    """Fit `targets` targets from every start; leave the best theta in `scratch.best` and return its cost."""
    lowest = math.inf
    theta = scratch.theta[:targets]
    roots = np.empty(targets, np.complex128)
    x, y, square = scratch.centre[0], scratch.centre[1], scratch.centre[2]
    pixels = window.pixels.size
    # Residuals far below the noise mean that there was none, and no other basin can do better. One or two targets have
    # one basin only.
    settled = 0.1 * pixels if targets > 2 else pixels + 3.0 * math.sqrt(2.0 * pixels)
    for which in range(settings.starts):
        if not write_start(which, scratch.power, square, roots, scratch.coefficient):
            break
        for k in range(targets):
            theta[k, 0] = window.column + x + roots[k].real
            theta[k, 1] = window.row + y + roots[k].imag
            theta[k, 2] = prior.mean[k, 2]
        cost = fit_frame(theta, window, noise_model, prior, settings.stop, scratch.fit, dense)
        if cost < lowest:
            lowest = cost
            copy_rows(theta, scratch.best)
        if lowest < settled:
            break
    return lowest


@jit_within
def frame_log_evidence(
    theta: Floats,
    cost: float,
    window: FrameWindow,
    noise_model: NoiseModel,
    prior: Prior,
    area: float,
    work: FrameWorkspace,
    dense: DenseWorkspace | None,
) -> float:
    """Return Laplace's log evidence at a fit; targets are alike and lie anywhere in `area` px^2 beforehand."""
    k = theta.shape[0]
    cost_of(theta, window, noise_model, prior, work, dense)
    gather_equations(theta, noise_model, prior, work, dense)
    if not factor_of(work.normal, 3 * k, work.factor):
        return -math.inf
    volume = 1.5 * k * LOG_2PI - 0.5 * log_determinant(work.factor, 3 * k)
    before = -0.5 * k * (LOG_2PI - math.log(prior.inverse_variance[0, 2])) - k * math.log(area)
    return float(-0.5 * cost + volume + before + math.lgamma(k + 1.0))


@jit_within
def count_targets(
    window: FrameWindow,
    noise_model: NoiseModel,
    cut: bool,
    law: BrightnessLaw,
    settings: SearchSettings,
    scratch: SearchWorkspace,
    answer: Floats,
    dense: DenseWorkspace | None,
) -> int:
    """Find the number of targets in a window and fit them; leaves theta in `answer` (max_targets, 3).

    `cut` tells that light falls outside the image. Then, and where pixels are clipped, the flux bounds the count from
    below alone, and counts are tried upwards until one fits.
    """
    n = window.pixels.shape[0]
    flux, clipped = 0.0, False
    for i in range(n):
        for j in range(n):
            flux += scratch.pixels[i, j]
            clipped |= window.pixels[i, j] >= noise_model.saturation
    noise = math.sqrt(n * n * noise_model.variance + noise_model.gain * max(flux, 0.0))
    if noise_model.background > 0:
        noise *= FLUX_INFLATION
    if law.free:
        low, high = 0, settings.max_targets
    else:
        low, high = flux_bracket(flux, noise, law)
    over = low > settings.max_targets
    good = n * n + 3.0 * math.sqrt(2.0 * n * n)
    missing_light = clipped or cut
    if missing_light:
        high = max(high, low + OPEN_COUNTS)
    low, high = min(low, settings.max_targets), min(high, settings.max_targets)
    area = (2.0 * settings.psf_sigma) ** 2
    work = scratch.fit
    scratch.centre[0], scratch.centre[1], scratch.centre[2] = harmonic_moments(
        scratch.pixels,
        settings.psf_sigma,
        noise_model.table,
        noise_model.table_y,
        work.a,
        work.b,
        work.da,
        scratch.power,
    )
    found, strongest = 0, -math.inf
    for k in range(max(low, 1), high + 1):
        prior = set_prior(k, flux, law, over, scratch)
        cost = fit_from_starts(k, window, noise_model, prior, settings, scratch, dense)
        evidence = 0.0
        if low != high:
            if law.free:
                evidence = -0.5 * cost - FREE_PENALTY * k * math.log(n * n)
            else:
                evidence = frame_log_evidence(
                    scratch.best[:k], cost, window, noise_model, prior, area, scratch.fit, dense
                )
        if evidence > strongest or found == 0:
            found, strongest = k, evidence
            copy_rows(scratch.best[:k], answer)
        elif law.free or missing_light:
            break
        if missing_light and not law.free and cost < good:
            break
    return found


@jit_within
def touches_border(frame: Floats, window: FrameWindow, noise: float) -> bool:
    """Return whether the window holds light on a border of the image, so that some of it fell outside."""
    n = window.pixels.shape[0]
    row, column = window.row, window.column
    top, bottom, left, right, light = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        top += window.pixels[0, i] if row == 0 else 0.0
        bottom += window.pixels[n - 1, i] if row + n == frame.shape[0] else 0.0
        left += window.pixels[i, 0] if column == 0 else 0.0
        right += window.pixels[i, n - 1] if column + n == frame.shape[1] else 0.0
        for j in range(n):
            light += window.pixels[i, j]
    return max(top, bottom, left, right) > FLUX_SDS * noise * math.sqrt(n) + BORDER_SHARE * light


@jit_within
def is_seen(
    targets: int,
    window: FrameWindow,
    noise_model: NoiseModel,
    prior: Prior,
    theta: Floats,
    scratch: SearchWorkspace,
    dense: DenseWorkspace | None,
) -> bool:
    """Return whether a fit explains the pixels better than an empty window does, by `MIN_GAIN` for a target."""
    nothing = cost_of(theta[:0], window, noise_model, prior, scratch.fit, dense)
    return nothing - cost_of(theta[:targets], window, noise_model, prior, scratch.fit, dense) > MIN_GAIN * targets


@jit_within
def state_errors(
    theta: Floats,
    window: FrameWindow,
    noise_model: NoiseModel,
    prior: Prior,
    scratch: SearchWorkspace,
    sigma: Floats,
    score: Floats,
    dense: DenseWorkspace | None,
) -> float:
    """Fill standard errors (K, 3) and scores (K,) from the curvature at a fit; return the largest error in px."""
    k = theta.shape[0]
    cost_of(theta, window, noise_model, prior, scratch.fit, dense)
    gather_equations(theta, noise_model, prior, scratch.fit, dense)
    if not factor_of(scratch.fit.normal, 3 * k, scratch.fit.factor):
        # No finite error: say so with one as wide as the window.
        sigma[:] = window.pixels.shape[0]
        score[:] = 0.0
        return math.inf
    inverse(scratch.fit.factor, 3 * k, scratch.covariance)
    worst = 0.0
    for m in range(k):
        for u in range(3):
            sigma[m, u] = math.sqrt(scratch.covariance[3 * m + u, 3 * m + u])
        variance = 0.5 * (sigma[m, 0] ** 2 + sigma[m, 1] ** 2)
        score[m] = round_hit_probability(variance)
        worst = max(worst, math.sqrt(variance))
    return worst


@jit
def find_frames(
    frames: Floats,
    raw: Floats,
    noise_model: NoiseModel,
    law: BrightnessLaw,
    settings: SearchSettings,
    scratch: SearchWorkspace,
    origin: Ints,
    answers: FrameAnswers,
    dense: DenseWorkspace | None,
) -> None:
    """Fit frames (F, H, W); writes window origins (F, 2), theta and the number of targets.

    `frames` are without background and bad pixels, for a first look; `raw` are those that are fitted.
    """
    n = scratch.pixels.shape[0]
    for f in range(frames.shape[0]):
        row, column = window_origin(frames[f], n)
        origin[f, 0], origin[f, 1] = row, column
        cut_window(frames[f], row, column, scratch.pixels)
        cut_window(raw[f], row, column, scratch.raw)
        cut = touches_border(frames[f], FrameWindow(scratch.pixels, row, column), math.sqrt(noise_model.variance))
        window = FrameWindow(scratch.raw, row, column)
        answers.targets[f] = count_targets(window, noise_model, cut, law, settings, scratch, answers.theta[f], dense)


@jit_within
def final_prior(targets: int, law: BrightnessLaw, settings: SearchSettings, scratch: SearchWorkspace) -> Prior:
    """Return the prior that a found count was fitted with."""
    flux = scratch.pixels.sum()
    return set_prior(targets, flux, law, flux > (settings.max_targets + 1) * law.low, scratch)


@jit
def state_frames(
    frames: Floats,
    raw: Floats,
    noise_model: NoiseModel,
    law: BrightnessLaw,
    settings: SearchSettings,
    scratch: SearchWorkspace,
    origin: Ints,
    answers: FrameAnswers,
    worst: Floats,
    dense: DenseWorkspace | None,
) -> None:
    """Fill the fits' sigma, score and largest error (F,) of each frame; targets that are not seen are dropped."""
    theta, sigma, score = answers.theta, answers.sigma, answers.score
    for f in range(frames.shape[0]):
        k = answers.targets[f]
        if k == 0:
            continue
        row, column = origin[f, 0], origin[f, 1]
        cut_window(frames[f], row, column, scratch.pixels)
        cut_window(raw[f], row, column, scratch.raw)
        window, prior = FrameWindow(scratch.raw, row, column), final_prior(k, law, settings, scratch)
        if is_seen(k, window, noise_model, prior, theta[f], scratch, dense):
            worst[f] = state_errors(
                theta[f, :k], window, noise_model, prior, scratch, sigma[f, :k], score[f, :k], dense
            )
        else:
            answers.targets[f] = 0


@jit
def decide_frames(
    frames: Floats,
    chosen_frames: Ints,
    noise_model: NoiseModel,
    law: BrightnessLaw,
    settings: SearchSettings,
    draws: Draws,
    scratch: SearchWorkspace,
    origin: Ints,
    answers: FrameAnswers,
) -> None:
    """Replace the mode, its errors and scores by the posterior's decision, in the frames of the given indices."""
    for f in chosen_frames:
        k = answers.targets[f]
        row, column = origin[f, 0], origin[f, 1]
        cut_window(frames[f], row, column, scratch.pixels)
        window, prior = FrameWindow(scratch.pixels, row, column), final_prior(k, law, settings, scratch)
        theta = answers.theta[f, :k]
        effective = sample_posterior(theta, window, noise_model, prior, draws, scratch.fit, scratch.samples)
        if effective > LEAST_SAMPLES:
            chosen = scratch.chosen[:, :k].copy()
            resample(scratch.samples, chosen)
            choose_positions(theta, chosen, answers.score[f, :k])
            sample_spread(theta, chosen, answers.sigma[f, :k])
