"""Cramer-Rao covariances per prior tier, and estimates drawn from them.

With the model m_ij = sum_k s_k q(j - x_k) q(i - y_k) (`simulation.optics`) and theta_t the 3K numbers (x, y, s) of
frame t, the Fisher information is F_t = J_t' W J_t, J_t the Jacobian of m at the truth and W the information that one
pixel gives on its own mean (`pixel_information`). What ties the frames of a window together is linear at the truth,
theta_t = M_t a, so that

    A = sum_t M_t' F_t M_t + prior,    C_t = M_t A^-1 M_t'

is the covariance no unbiased estimator with that knowledge can undercut (van Trees, 1968, for the prior term). What of
the camera is not known costs its share: the numbers of a background fitted in every frame are taken out of F_t (Schur
complement), widths of the PSF that are known with an error stand in a, the same in all frames of a window. A line of
the table is made of estimates drawn from N(truth, C_t), the number of targets known, and scored as a method is.

The lines are not strict bounds on average precision. Where the standard errors pass about 0.1 px the quadratic
approximation fails and a real fit, held by the walls of the likelihood, can score above its line; and a line takes the
right basin for granted, so the group lines leave out that the directions of the arms are a discrete unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, require_shape
from csist_bench.simulation.camera import Camera, PixelMaps
from csist_bench.simulation.jacobian import background_columns, fitted_widths, frame_model

Floats = NDArray[np.float64]

# Integer frames reach the saturation level from half a grey level below it, by rounding.
CENSORED_BELOW_LEVEL = 0.5
# Closely spaced means within one spot of one another: the spread of a rigid group's targets about its path, in units
# of the PSF's sigma (0.3 px at 0.5 px). It also parts the group's shape from its path.
EXTENT_SIGMAS = 0.6
# "Brightness free" is a prior this many times as wide as the brightest target: it only keeps A invertible.
FREE_BRIGHTNESS = 100.0
# What the group lines know of an arm's length: the spread of the growth, px.
ARM_SD = 0.0013
# What the scaled group line knows of the radius: the relative spread of U(0.2, 0.45) px.
SCALE_SD = 0.22
# Least variance of the brightness law, so that equal brightnesses stay a prior and not a division by zero.
VARIANCE_FLOOR = 1e-6
# A fitted background is known to lie within so many grey levels: it only keeps frames without a good pixel solvable.
FREE_BACKGROUND = 1e6
WHOLE_TRAJECTORY = 20
BLOCK = 50  # trajectories whose Jacobians are held at a time

Motion = Literal["free", "polynomial", "rigid", "group", "group-rotated", "group-scaled"]


@dataclass(frozen=True)
class CramerRaoLine:
    """One kind of knowledge: the prior tier, a name, frames used together (20: all), motion model, brightness law."""

    prior_tier: Literal["A", "B", "C", "D"]
    name: str
    frames: int
    motion: Motion
    degree: int = 0
    law: bool = True


LINES = (
    CramerRaoLine("A", "1 frame, brightness free", 1, "free", law=False),
    CramerRaoLine("B", "1 frame", 1, "free"),
    CramerRaoLine("C", "5 frames, linear motion, brightness free", 5, "polynomial", 1, law=False),
    CramerRaoLine("C", "5 frames, linear motion", 5, "polynomial", 1),
    CramerRaoLine("C", "5 frames, rigid group, linear motion", 5, "rigid", 1),
    CramerRaoLine("C", "20 frames, quadratic motion, brightness free", 20, "polynomial", 2, law=False),
    CramerRaoLine("C", "20 frames, quadratic motion", 20, "polynomial", 2),
    CramerRaoLine("C", "20 frames, cubic motion", 20, "polynomial", 3),
    CramerRaoLine("C", "20 frames, rigid group, cubic motion", 20, "rigid", 3),
    CramerRaoLine("D", "1 frame, group of known arms", 1, "group"),
    CramerRaoLine("D", "1 frame, group of known arms, any angle", 1, "group-rotated"),
    CramerRaoLine("D", "1 frame, group of known arms, any angle and radius", 1, "group-scaled"),
    CramerRaoLine("D", "5 frames, group of known arms", 5, "group", 1),
    CramerRaoLine("D", "20 frames, group of known arms", 20, "group", 3),
    CramerRaoLine("D", "20 frames, group of known arms, any angle", 20, "group-rotated", 3),
    CramerRaoLine("D", "20 frames, group of known arms, any angle and radius", 20, "group-scaled", 3),
)


def pixel_information(mean: Floats, camera: Camera) -> Floats:
    """Return the Fisher information of each pixel on its own mean, shape of `mean`, 1 / grey levels^2.

    `mean` is the light above the camera's background, (..., H * W) where the camera has maps of pixels. Gaussian noise
    of variance v = noise_sigma^2 + shot_gain * (mean + background) gives 1 / v, a bad pixel 0. A pixel that clips at
    level L is censored: of y ~ N(m, v) only min(y, L) is seen, which leaves the share
    Phi(z) - z phi(z) + phi(z)^2 / (1 - Phi(z)), z = (L - m) / sqrt(v), of it (Amemiya, 1973): all of it far below the
    level, none of it far above.
    """
    maps = camera.maps or PixelMaps()
    noise_sigma = camera.noise_sigma if maps.noise_sigma is None else maps.noise_sigma.ravel()
    variance = noise_sigma**2 + camera.shot_gain * np.maximum(mean + camera.background, 0.0)
    information = _seen_share(mean, variance, camera) / variance
    return information if maps.bad is None else np.where(maps.bad.ravel(), 0.0, information)


def _seen_share(mean: Floats, variance: Floats, camera: Camera) -> Floats:
    """Return the share of each pixel's information that clipping leaves."""
    if not np.isfinite(camera.saturation):
        return np.ones_like(mean)
    level = camera.saturation - CENSORED_BELOW_LEVEL - camera.background
    z = np.clip((level - mean) / np.sqrt(variance), -30.0, 30.0)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    above = ndtr(-z)
    hidden = np.divide(density**2, above, out=np.zeros_like(z), where=above > 0)
    return np.asarray(np.clip(ndtr(z) - z * density + hidden, 0.0, 1.0))


def frame_information(xy: Floats, intensity: Floats, camera: Camera) -> Floats:
    """Return the Fisher information of each frame on its targets' (x, y, s), target by target, and fitted widths.

    A background that is fitted is taken into account, as unknown.

    Parameters
    ----------
    xy : ndarray, shape (N, T, K, 2), px
        NaN marks an absent target: its rows and columns are zero.
    intensity : ndarray, shape (N, T, K), grey levels

    Returns
    -------
    ndarray, shape (N, T, 3K + w, 3K + w)
        w is the number of the PSF's widths that are known with an error alone (`psf_sigma_error`).
    """
    _require_targets(xy, intensity)
    n, t, k = intensity.shape
    unknowns = 3 * k + len(fitted_widths(camera))
    information = np.empty((n, t, unknowns, unknowns))
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        information[block] = _information_of(xy[block], intensity[block], camera)
    return information


def _information_of(xy: Floats, intensity: Floats, camera: Camera) -> Floats:
    model = frame_model(xy, intensity, camera)
    weight = pixel_information(model.mean, camera)[:, :, None, :]
    jacobian = np.concatenate([model.targets, model.widths], axis=2)
    information = np.asarray((jacobian * weight) @ np.swapaxes(jacobian, -1, -2))
    background = background_columns(camera)
    if not len(background):
        return information
    across = (jacobian * weight) @ background.T
    own = (background * weight) @ background.T + np.eye(len(background)) / FREE_BACKGROUND**2
    return np.asarray(information - across @ np.linalg.solve(own, np.swapaxes(across, -1, -2)))


def _require_targets(xy: Floats, intensity: Floats) -> None:
    if xy.ndim != 4 or xy.shape[-1] != 2:
        raise must("xy", "have shape (N, T, K, 2)", xy.shape)
    require_shape("intensity", intensity, xy.shape[:-1], "(N, T, K)")
    if np.isinf(xy).any() or np.isinf(intensity).any():
        raise InputError("targets must be finite (NaN marks an absent one), got an infinite value")


@dataclass(frozen=True, eq=False)
class ImagedTargets:
    """Targets as a camera sees them: positions (N, T, K, 2) px, intensities (N, T, K) grey levels, information.

    NaN marks an absent target. `information` (N, T, 3K + w, 3K + w) is that of `frame_information`.
    """

    xy: Floats
    intensity: Floats
    information: Floats
    camera: Camera

    @classmethod
    def of(cls, xy: Floats, intensity: Floats, camera: Camera) -> ImagedTargets:
        """Compute what the frames of the targets tell of them."""
        return cls(xy, intensity, frame_information(xy, intensity, camera), camera)


@dataclass(frozen=True, eq=False)
class CramerRaoSample:
    """Estimates drawn with the Cramer-Rao covariance: D draws of every trajectory, and the median standard error, px.

    `detections` number the trajectories draw by draw (draw d of trajectory n is d N + n); their score is the mean
    variance of the two coordinates, negated. `intensity` are the drawn ones, `position_sd` is the median of that
    mean variance's root.
    """

    detections: Detections
    intensity: Floats
    position_sd: float


def sample_cramer_rao(
    line: CramerRaoLine, targets: ImagedTargets, scored: range, rng: np.random.Generator, draws: int = 4
) -> CramerRaoSample:
    """Draw estimates ~ N(truth, C_t) of the targets in the scored frames, under one line's knowledge.

    Parameters
    ----------
    line : CramerRaoLine
    targets : ImagedTargets
        The truth, and what the frames tell of it.
    scored : range of frames to answer
    draws : number of estimates of each trajectory

    Returns
    -------
    CramerRaoSample
        The frames of one window are drawn together: one draw of a, then theta_t = truth + M_t (a - truth of a).
    """
    if draws < 1:
        raise must("draws", "be at least 1", draws)
    n, t, k, _ = targets.xy.shape
    error = np.zeros((draws, n, len(scored), 3 * k))
    variance = np.zeros((n, len(scored), 3 * k))
    for window, answered in windows(t, line.frames, scored):
        design = _with_widths(_design(line, targets.xy, window), len(fitted_widths(targets.camera)))
        information = targets.information[:, window.start : window.stop]
        factor = _inverse_factor(line, design, information, targets.camera, k)
        normal = rng.standard_normal((draws, n, factor.shape[-1]))
        for frame in answered:
            spread = design[:, frame - window.start, : 3 * k] @ factor  # (n, 3K, P); C_t = spread spread'
            row = frame - scored.start
            error[:, :, row] = np.einsum("nip,dnp->dni", spread, normal)
            variance[:, row] = (spread**2).sum(axis=-1)
    return _as_sample(targets.xy, targets.intensity, scored, error, variance)


def windows(frames: int, width: int, scored: range) -> Iterator[tuple[range, list[int]]]:
    """Yield the windows of a sequence and the scored frames each answers.

    A window of `width` frames is centred on its frame and shifted inside the sequence; 20 or more is the whole of it.
    """
    if width >= min(WHOLE_TRAJECTORY, frames):
        yield range(frames), list(scored)
        return
    for frame in scored:
        start = min(max(frame - width // 2, 0), frames - width)
        yield range(start, start + width), [frame]


def _design(line: CramerRaoLine, xy: Floats, window: range) -> Floats:
    """Return M_t of every trajectory and frame of a window, shape (N, frames, 3K, P)."""
    n, _, k, _ = xy.shape
    length = len(window)
    # Frame numbers scaled to [-1, 1]: the span of the columns is what matters, and this keeps A well conditioned.
    u = np.linspace(-1.0, 1.0, length) if length > 1 else np.zeros(1)
    degree = min(line.degree, length - 1)
    powers = u[:, None] ** np.arange(degree + 1)
    eye_k, eye_2 = np.eye(k), np.eye(2)
    if line.motion in ("free", "polynomial"):
        motion = np.einsum("td,kl,ab->tkaldb", powers, eye_k, eye_2).reshape(length, k, 2, -1)
    else:
        shared = np.einsum("td,k,ab->tkadb", powers, np.ones(k), eye_2).reshape(length, k, 2, -1)
        own = np.broadcast_to(np.einsum("kl,ab->kalb", eye_k, eye_2).reshape(k, 2, -1), (length, k, 2, 2 * k))
        motion = np.concatenate([shared, own], axis=-1)
    moved = np.broadcast_to(motion, (n, *motion.shape))
    if line.motion in ("group-rotated", "group-scaled"):
        moved = np.concatenate([moved, _shape_columns(xy[:, window.start : window.stop], line.motion)], axis=-1)
    p = moved.shape[-1]
    design = np.zeros((n, length, k, 3, p + k))
    design[:, :, :, :2, :p] = moved
    design[:, :, :, 2, p:] = eye_k
    return design.reshape(n, length, 3 * k, p + k)


def _with_widths(design: Floats, widths: int) -> Floats:
    """Return M_t with the PSF's fitted widths behind the targets, and as the last parameters, shared by all frames."""
    if not widths:
        return design
    n, length, rows, columns = design.shape
    wider = np.zeros((n, length, rows + widths, columns + widths))
    wider[:, :, :rows, :columns] = design
    wider[:, :, rows:, columns:] = np.eye(widths)
    return wider


def _shape_columns(xy: Floats, motion: Motion) -> Floats:
    """Return how the targets move as the group turns (and grows) about its centre, shape (N, T, K, 2, 1 or 2)."""
    present = np.isfinite(xy)
    offset = np.where(present, xy, 0.0)
    offset = offset - offset.sum(axis=2, keepdims=True) / np.maximum(present.sum(axis=2, keepdims=True), 1)
    offset = np.where(present, offset, 0.0)
    rotation = np.stack([-offset[..., 1], offset[..., 0]], axis=-1)
    return np.stack([rotation] if motion == "group-rotated" else [rotation, offset], axis=-1)


def _inverse_factor(line: CramerRaoLine, design: Floats, information: Floats, camera: Camera, k: int) -> Floats:
    """Return R with R R' = A^-1 for every trajectory, shape (N, P, P)."""
    a = np.einsum("ntip,ntij,ntjq->npq", design, information, design, optimize=True)
    index = np.arange(a.shape[-1])
    widths = np.array([camera.psf_sigma_error[axis] for axis in fitted_widths(camera)])
    motion_and_light = _prior_inverse_variance(line, len(index) - len(widths), camera, k)
    a[:, index, index] += np.concatenate([motion_and_light, 1.0 / widths**2])
    return np.asarray(np.swapaxes(np.linalg.inv(np.linalg.cholesky(a)), -1, -2))


def _prior_inverse_variance(line: CramerRaoLine, p: int, camera: Camera, k: int) -> Floats:
    """Return the prior inverse variance of each parameter: 1 / px^2 for motion, 1 / grey levels^2 for brightness."""
    # A target is known to be somewhere in the frame and to have some brightness: this only keeps A invertible where
    # the frames say nothing, as of an absent or a wholly hidden target.
    inverse_variance = np.full(p, 1.0 / camera.optics.size**2)
    shape = {"group-rotated": [1.0 / np.pi**2], "group-scaled": [1.0 / np.pi**2, 1.0 / SCALE_SD**2]}.get(
        line.motion, []
    )
    if line.motion not in ("free", "polynomial"):
        own = p - k - len(shape) - 2 * k
        arms_known = line.motion.startswith("group")
        own_sd = ARM_SD if arms_known else EXTENT_SIGMAS * camera.optics.psf_sigma
        inverse_variance[own : own + 2 * k] = 1.0 / own_sd**2
        inverse_variance[own + 2 * k : p - k] = shape
    law_variance = max((camera.intensity_max - camera.intensity_min) ** 2 / 12, VARIANCE_FLOOR)
    law_known = line.law and not camera.intensity_free
    inverse_variance[p - k :] = 1.0 / (law_variance if law_known else (FREE_BRIGHTNESS * camera.intensity_max) ** 2)
    return inverse_variance


def _as_sample(xy: Floats, intensity: Floats, scored: range, error: Floats, variance: Floats) -> CramerRaoSample:
    draws, n, frames, _ = error.shape
    k = xy.shape[2]
    truth = np.concatenate([xy, intensity[..., None]], axis=-1)[:, scored.start : scored.stop]
    estimate = truth + error.reshape(draws, n, frames, k, 3)
    variance = np.broadcast_to(variance.reshape(n, frames, k, 3), estimate.shape)
    d, trajectory, frame, slot = np.nonzero(np.isfinite(estimate).all(axis=-1))
    value, spread = estimate[d, trajectory, frame, slot], variance[d, trajectory, frame, slot]
    detections = Detections(
        trajectory=d * n + trajectory,
        frame=frame + scored.start,
        x=value[:, 0],
        y=value[:, 1],
        score=-0.5 * (spread[:, 0] + spread[:, 1]),
        intensity=value[:, 2],
        sigma_x=np.sqrt(spread[:, 0]),
        sigma_y=np.sqrt(spread[:, 1]),
        sigma_intensity=np.sqrt(spread[:, 2]),
    )
    sd = np.sqrt(-detections.score)
    return CramerRaoSample(detections, value[:, 2], float(np.median(sd)) if len(sd) else float("nan"))
