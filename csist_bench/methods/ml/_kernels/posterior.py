"""Weighted samples of the posterior of one frame, where its mode is a poor answer.

Where noise is strong the likelihood of close targets is a curved ridge rather than a peak.
What pixels fix well are the light's total, centre and second moments S. With positions X (K, 2) about their centre and
near equal intensities, X = sqrt(K) P A with A'A = S, and P any two orthonormal columns orthogonal to (1, ..., 1): the
arrangement P is what the pixels leave open. So samples are drawn with the six moments from their Gaussian posterior
and P uniformly, and weighted by the likelihood (dX = |S|^((K - 4) / 2) dS dP, the polar decomposition behind Wishart's
density). All random numbers come as tables; which rows a frame uses follows from its own pixels, so equal frames
get equal answers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import by_reference, jit_inner
from csist_bench.methods.fitting.lanes import zeros
from csist_bench.methods.fitting.levenberg import FrameWindow, FrameWorkspace, Prior, cost_of
from csist_bench.methods.fitting.linear_algebra import cholesky
from csist_bench.methods.fitting.noise_model import NoiseModel
from csist_bench.methods.fitting.pixel_model import ROOT_2

Floats = NDArray[np.float64]

MOMENTS = 6  # total, centre (x, y), second moments (xx, xy, yy)
WIDENING = 1.2  # of the moments' Gaussian, so that its tails cover the posterior's
LEAST_RING_RADIUS = 0.15  # px, of the ring about which the moments' inverse variance is taken
SERIES = 10  # order of the Taylor series of responses, written out in `taylor_response`
VOLUME_FREE = 4  # targets for which the volume element is constant: dX = |S|^((K - 4) / 2) dS dP


class Draws(NamedTuple):
    """Random tables of R samples: moments (6, R) and shares (K, R) standard normal, arrangement (K + 1, 2, K, R).

    `arrangement[k, :, :, r]` holds two orthonormal vectors of k entries, orthogonal to (1, ..., 1), uniformly turned.
    """

    moments: Floats
    shares: Floats
    arrangement: Floats


@by_reference
class Samples:
    """Samples of one frame, sample index last: x, y, s (K, M), moments (6, M), scratch a, b (K, M), log weight (M,)."""

    x: Floats
    y: Floats
    s: Floats
    moments: Floats
    a: Floats
    b: Floats
    model: Floats
    weight: Floats


def draws_from_generator(rng: np.random.Generator, samples: int, targets: int) -> Draws:
    """Return tables of `samples` samples for up to `targets` targets."""
    arrangement = np.zeros((targets + 1, 2, targets, samples))
    for k in range(3, targets + 1):
        pair = rng.standard_normal((2, k, samples))
        pair -= pair.mean(axis=1, keepdims=True)
        first = pair[0] / np.linalg.norm(pair[0], axis=0)
        second = pair[1] - first * (pair[1] * first).sum(axis=0)
        arrangement[k, 0, :k] = first
        arrangement[k, 1, :k] = second / np.linalg.norm(second, axis=0)
    return Draws(rng.standard_normal((MOMENTS, samples)), rng.standard_normal((targets, samples)), arrangement)


@jit_inner
def empty_samples(number: int, targets: int) -> Samples:
    """Return the arrays for `number` samples of up to `targets` targets."""
    return Samples(
        zeros(targets, number),
        zeros(targets, number),
        zeros(targets, number),
        zeros(int(MOMENTS), number),
        zeros(targets, number),
        zeros(targets, number),
        zeros(targets, number)[0],
        zeros(targets, number)[0],
    )


@jit_inner
def moments_of(theta: Floats, out: Floats) -> None:
    """Write total, centre and second moments about it, weighted by intensity, of theta (K, 3) into `out` (6,)."""
    out[:] = 0.0
    for m in range(theta.shape[0]):
        out[0] += theta[m, 2]
        out[1] += theta[m, 2] * theta[m, 0]
        out[2] += theta[m, 2] * theta[m, 1]
    out[1] /= out[0]
    out[2] /= out[0]
    for m in range(theta.shape[0]):
        x, y, share = theta[m, 0] - out[1], theta[m, 1] - out[2], theta[m, 2] / out[0]
        out[3] += share * x * x
        out[4] += share * x * y
        out[5] += share * y * y


@jit_inner
def moment_factor(
    moments: Floats,
    targets: int,
    window: FrameWindow,
    noise_model: NoiseModel,
    prior: Prior,
    work: FrameWorkspace,
    ring: Floats,
    factor: Floats,
) -> bool:
    """Write the Cholesky factor of the moments' information to `factor` (6, 6), taken about a ring of equal targets.

    For a ring with moments S = r^2 I, stretching it by a symmetric E changes S by 2 r^2 E; so the derivative of the
    model in S is that of the displacements E x over 2 r^2.
    """
    radius = max(math.sqrt(max(moments[3] + moments[5], 0.0)), LEAST_RING_RADIUS)
    share = moments[0] / targets
    for m in range(targets):
        angle = 2.0 * math.pi * (m + 0.25) / targets
        ring[m, 0] = moments[1] + radius * math.cos(angle)
        ring[m, 1] = moments[2] + radius * math.sin(angle)
        ring[m, 2] = share
    cost_of(ring[:targets], window, noise_model, prior, work, None)  # of plain cameras alone
    factor[:] = 0.0
    stretch = 1.0 / (radius * radius)
    row = work.jacobian
    for i in range(window.pixels.shape[0]):
        for j in range(window.pixels.shape[1]):
            row[:MOMENTS] = 0.0
            row[0] = work.model[i, j] / moments[0]
            for m in range(targets):
                along_x = share * work.da[m, j] * work.b[m, i]
                along_y = share * work.a[m, j] * work.db[m, i]
                x, y = ring[m, 0] - moments[1], ring[m, 1] - moments[2]
                row[1] += along_x
                row[2] += along_y
                row[3] += stretch * x * along_x
                row[4] += stretch * (y * along_x + x * along_y)
                row[5] += stretch * y * along_y
            for p in range(MOMENTS):
                for q in range(p + 1):
                    factor[p, q] += work.curvature[i, j] * row[p] * row[q]
    factor[0, 0] += prior.inverse_variance[0, 2] / targets
    for p in range(MOMENTS):
        for q in range(p + 1):
            factor[p, q] /= WIDENING * WIDENING
    return cholesky(factor, MOMENTS)


@jit_inner
def hash_fraction(moments: Floats, salt: float) -> float:
    """Return a number in [0, 1) from digits of a frame's light far below its noise: equal frames get equal numbers."""
    digits = moments[0] * 7548.776662 + moments[1] * 56984.02910 + moments[2] * 43015.97090
    digits = (digits - math.floor(digits)) * salt
    return float(digits - math.floor(digits))


@jit_inner
def draw_moments(moments: Floats, factor: Floats, draws: Draws, first: int, samples: Samples) -> None:
    """Draw the six moments of every sample and start its log weight: minus the log density of the draw.

    A draw whose second moments are impossible keeps the weight -inf and harmless moments.
    """
    value, weight = samples.moments, samples.weight
    for p in range(MOMENTS - 1, -1, -1):
        for m in range(weight.shape[0]):
            value[p, m] = draws.moments[p, first + m]
        for q in range(p + 1, MOMENTS):
            for m in range(weight.shape[0]):
                value[p, m] -= factor[q, p] * value[q, m]
        for m in range(weight.shape[0]):
            value[p, m] /= factor[p, p]
    weight[:] = 0.0
    for p in range(MOMENTS):
        for m in range(weight.shape[0]):
            weight[m] += 0.5 * draws.moments[p, first + m] ** 2
            value[p, m] += moments[p]
    for m in range(weight.shape[0]):
        if not (value[0, m] > 0.0 and value[3, m] > 0.0 and value[3, m] * value[5, m] > value[4, m] * value[4, m]):
            weight[m] = -math.inf
            value[0, m] = moments[0]
            value[3, m], value[4, m], value[5, m] = 1.0, 0.0, 1.0


@jit_inner
def draw_targets(targets: int, prior: Prior, draws: Draws, begin: int, rotation: float, samples: Samples) -> None:
    """Turn moments into targets: shares of the total, positions sqrt(K) P A; adds the volume element to the weights.

    The rows' arrangements are turned by `rotation` rad, so that similar scenes do not all get the same draws.
    """
    value, weight = samples.moments, samples.weight
    sd = 1.0 / math.sqrt(prior.inverse_variance[0, 2])
    cosine, sine = math.sqrt(targets) * math.cos(rotation), math.sqrt(targets) * math.sin(rotation)
    mean, centre_x, centre_y = samples.model, samples.a[0], samples.b[0]
    mean[:] = 0.0
    centre_x[:] = 0.0
    centre_y[:] = 0.0
    for k in range(targets):
        for m in range(weight.shape[0]):
            mean[m] += draws.shares[k, begin + m] / targets
    for k in range(targets):
        for m in range(weight.shape[0]):
            upper = math.sqrt(value[3, m])
            lower = value[4, m] / upper
            corner = math.sqrt(value[5, m] - lower * lower)
            away = draws.shares[k, begin + m] - mean[m]
            weight[m] += 0.5 * away * away
            u, v = draws.arrangement[targets, 0, k, begin + m], draws.arrangement[targets, 1, k, begin + m]
            first, second = cosine * u - sine * v, sine * u + cosine * v
            samples.x[k, m] = first * upper
            samples.y[k, m] = first * lower + second * corner
            samples.s[k, m] = value[0, m] / targets + sd * away
            centre_x[m] += samples.x[k, m] * samples.s[k, m] / value[0, m]
            centre_y[m] += samples.y[k, m] * samples.s[k, m] / value[0, m]
    for k in range(targets):
        for m in range(weight.shape[0]):
            samples.x[k, m] += value[1, m] - centre_x[m]
            samples.y[k, m] += value[2, m] - centre_y[m]
            away = samples.s[k, m] - prior.mean[k, 2]
            weight[m] -= 0.5 * prior.inverse_variance[k, 2] * away * away
    if targets != VOLUME_FREE:
        for m in range(weight.shape[0]):
            determinant = value[3, m] * value[5, m] - value[4, m] * value[4, m]
            weight[m] += 0.5 * (targets - VOLUME_FREE) * math.log(determinant)


@jit_inner
def taylor_of(position: float, first: int, psf_sigma: float, coefficient: Floats) -> None:
    """Write Taylor coefficients in h of q(i - position - h), pixels i = first.., to `coefficient` (n, order + 1)."""
    order = coefficient.shape[1] - 1
    for i in range(coefficient.shape[0]):
        for side in range(2):
            z = (first + i + 0.5 - side - position) / psf_sigma
            sign = 1.0 - 2.0 * side
            density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
            if side == 0:
                coefficient[i, :] = 0.0
            coefficient[i, 0] += sign * 0.5 * math.erfc(-z / ROOT_2)
            hermite, before, factor = 1.0, 0.0, sign
            for p in range(1, order + 1):
                factor /= p * psf_sigma
                coefficient[i, p] -= hermite * density * factor
                hermite, before = z * hermite - (p - 1) * before, hermite


@jit_inner
def taylor_response(place: Floats, centre: float, c: Floats, out: Floats) -> None:
    """Write one pixel's response to targets at `place` (M,) from its Taylor coefficients c (11,) about `centre`."""
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10]
    for m in range(place.shape[0]):
        h = place[m] - centre
        low = c0 + h * (c1 + h * (c2 + h * (c3 + h * c4)))
        high = c5 + h * (c6 + h * (c7 + h * (c8 + h * (c9 + h * c10))))
        out[m] = low + h * h * h * h * h * high


@jit_inner
def weigh_pixels(
    targets: int,
    moments: Floats,
    window: FrameWindow,
    noise_model: NoiseModel,
    curvature: Floats,
    samples: Samples,
) -> None:
    """Add every sample's log likelihood to its weight.

    Responses are Taylor series about the light's centre (order `SERIES`, good to 2e-3 of the light within 1.2
    widths of the PSF). Pixels have the mode's curvature as weight; a clipped one counts only where the model stays
    below its edge.
    """
    n = window.pixels.shape[0]
    columns, rows = np.empty((n, SERIES + 1)), np.empty((n, SERIES + 1))
    taylor_of(moments[1], window.column, noise_model.sigma_x, columns)
    taylor_of(moments[2], window.row, noise_model.sigma_y, rows)
    a, b, model, weight = np.empty((n, targets, samples.weight.shape[0])), samples.b, samples.model, samples.weight
    for j in range(n):
        for k in range(targets):
            taylor_response(samples.x[k], moments[1], columns[j], a[j, k])
    for i in range(n):
        for k in range(targets):
            taylor_response(samples.y[k], moments[2], rows[i], b[k])
            for m in range(weight.shape[0]):
                b[k, m] *= samples.s[k, m]
        for j in range(n):
            pixel = window.pixels[i, j]
            clipped = pixel >= noise_model.saturation
            half = 0.5 / noise_model.variance if clipped else 0.5 * curvature[i, j]
            if clipped:
                pixel = noise_model.edge
            model[:] = 0.0
            for k in range(targets):
                for m in range(weight.shape[0]):
                    model[m] += a[j, k, m] * b[k, m]
            for m in range(weight.shape[0]):
                away = pixel - model[m]
                if clipped:
                    away = max(away, 0.0)
                weight[m] -= half * away * away


@jit_inner
def sample_posterior(
    mode: Floats,
    window: FrameWindow,
    noise_model: NoiseModel,
    prior: Prior,
    draws: Draws,
    work: FrameWorkspace,
    samples: Samples,
) -> float:
    """Draw weighted samples about the mode (K, 3); return the effective number of samples."""
    k = mode.shape[0]
    moments, factor = np.empty(MOMENTS), np.empty((MOMENTS, MOMENTS))
    moments_of(mode, moments)
    if not moment_factor(moments, k, window, noise_model, prior, work, work.trial, factor):
        return 0.0
    first = int(hash_fraction(moments, 1.0) * (draws.shares.shape[1] - samples.weight.shape[0]))
    draw_moments(moments, factor, draws, first, samples)
    draw_targets(k, prior, draws, first, 2.0 * math.pi * hash_fraction(moments, 89.0), samples)
    weigh_pixels(k, moments, window, noise_model, work.curvature, samples)
    weight = samples.weight
    highest = weight.max()
    if highest == -math.inf:
        return 0.0
    total, squares = 0.0, 0.0
    for m in range(weight.shape[0]):
        weight[m] = math.exp(weight[m] - highest)
        total += weight[m]
    for m in range(weight.shape[0]):
        weight[m] /= total
        squares += weight[m] * weight[m]
    return 1.0 / squares


@jit_inner
def resample(samples: Samples, chosen: Floats) -> None:
    """Fill `chosen` (3, K, L) with samples drawn systematically in proportion to their weights."""
    size = chosen.shape[2]
    m, reached = 0, samples.weight[0]
    for c in range(size):
        while reached < (c + 0.5) / size and m < samples.weight.shape[0] - 1:
            m += 1
            reached += samples.weight[m]
        for k in range(chosen.shape[1]):
            chosen[0, k, c], chosen[1, k, c], chosen[2, k, c] = samples.x[k, m], samples.y[k, m], samples.s[k, m]
