"""A camera from frames alone: background, noise and clipping first, then the PSF and photon transfer in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.methods.calibration.sensor import (
    Background,
    PhotonTransfer,
    background_of,
    bad_pixels_of,
    photon_transfer,
    saturation_of,
)
from csist_bench.methods.calibration.widths import WidthFinder, Widths, with_widths
from csist_bench.methods.fitting.background import estimated_background
from csist_bench.methods.fitting.misfit import Explained, explain
from csist_bench.simulation.camera import BackgroundLaw, Camera, PixelMaps

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LONGEST = 20  # frames of a sequence that are fitted together; longer ones are cut
LARGEST_SAMPLE = 60  # sequences
LEAST_LENGTH = 5  # frames: shorter sequences leave the PSF open
ROUNDS = 3  # of widths, noise and gain in turn
WINDOW_SIGMAS = 4.0
FEW = 30  # intensities, below which no law of them is told
WELL_KNOWN = 0.03  # relative error up to which an intensity counts
LAW_QUANTILES = (0.005, 0.995)

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What frames tell of their camera; None where they do not tell.

    Errors stand beside the figures. `residual` (n, n) is the mean of what the fits leave, in standard errors of that
    mean; `intensities` (n,) are the fitted ones, grey levels.
    """

    camera: Camera
    background: Background
    widths: Widths | None
    transfer: PhotonTransfer | None
    level: tuple[float, float]
    saturation: float | None
    bad: Bools | None
    intensity_law: tuple[float, float] | None
    intensities: Floats
    residual: Floats | None
    sequences: int
    frames: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """What is known beforehand and not sought: names of a camera file's fields; the camera holds their values."""

    camera: Camera
    names: frozenset[str] = frozenset()


def calibrate(frames: NDArray[Any], given: Given, say: Say = lambda text: None) -> Calibration:
    """Estimate the camera of frames.

    Parameters
    ----------
    frames : ndarray, shape (N, T, n, n), grey levels
        Sequences of groups of targets.
    given : Given
        The camera to begin with, and which of its fields are not to be sought.
    say : callable
        Told what is being done.
    """
    bad = given.camera.maps.bad if "bad_pixels" in given.names and given.camera.maps else bad_pixels_of(frames)
    bad = bad if bad is not None and bad.any() else None
    saturation = given.camera.saturation if "saturation" in given.names else saturation_of(frames)
    background = background_of(frames, bad)
    camera = _first_camera(given, background, saturation, bad)
    sample = sampled(frames)
    if sample.shape[1] < LEAST_LENGTH and "psf_sigma" not in given.names:
        missing = ("psf_sigma: single frames leave it open; give sequences of at least 5 frames", "gain", "intensity")
        return _without_fits(camera, background, saturation, bad, frames, missing)
    return _Fitter(sample, given, background, bad, say).run(camera, saturation, frames)


def sampled(frames: NDArray[Any]) -> NDArray[Any]:
    """Return up to LARGEST_SAMPLE sequences of at most LONGEST frames, evenly spread over frames (N, T, H, W)."""
    n, t = frames.shape[:2]
    length = min(t, LONGEST)
    runs = t // length
    cut = frames[:, : runs * length].reshape(n * runs, length, *frames.shape[2:])
    chosen = np.unique(np.linspace(0, len(cut) - 1, min(len(cut), LARGEST_SAMPLE)).astype(int))
    return np.asarray(cut[chosen])


def _first_camera(given: Given, background: Background, saturation: float | None, bad: Bools | None) -> Camera:
    """Return the camera before any target is fitted."""
    camera = given.camera
    law = background.law if background.law in ("constant", "plane") else "level"
    changes: dict[str, Any] = {"saturation": np.inf if saturation is None else saturation}
    if "background" not in given.names:
        changes |= {"background_law": law, "background": background.level if background.law == "level" else 0.0}
    if "noise_sigma" not in given.names:
        changes["noise_sigma"] = max(background.noise_sigma, camera.noise_floor)
    if "gain" not in given.names:
        changes["shot_gain"] = 0.0
    if "intensity" not in given.names:
        changes["intensity_free"] = True
    if "bad_pixels" not in given.names:
        changes["maps"] = None if bad is None else PixelMaps(bad)
    return replace(camera, **changes)


def _without_fits(
    camera: Camera,
    background: Background,
    saturation: float | None,
    bad: Bools | None,
    frames: NDArray[Any],
    missing: tuple[str, ...],
) -> Calibration:
    level = (background.level, background.error)
    none = np.zeros(0)
    return Calibration(
        camera, background, None, None, level, saturation, bad, None, none, None, len(frames),
        frames.shape[0] * frames.shape[1], missing,
    )  # fmt: skip


class _Fitter:
    """Widths, noise and gain in turn, from one sample of sequences."""

    def __init__(self, sample: NDArray[Any], given: Given, background: Background, bad: Bools | None, say: Say) -> None:
        self.sample, self.given, self.background, self.bad, self.say = sample, given, background, bad, say
        flat = np.asarray(sample, dtype=np.float64).reshape(-1, *sample.shape[2:])
        unknowns = 3 if background.law == "plane" else 1
        self.flat = (flat - estimated_background(flat, unknowns, bad)).reshape(sample.shape)

    def run(self, camera: Camera, saturation: float | None, frames: NDArray[Any]) -> Calibration:
        seek_width, seek_noise = "psf_sigma" not in self.given.names, "noise_sigma" not in self.given.names
        width, widths, transfer, missing = 0.0, None, None, []
        counts = None
        for turn in range(ROUNDS):
            if seek_width:
                widths = self._widths(camera, width, turn)
                if widths is None:
                    missing.append("psf_sigma: no width explains the sequences best; more of them, or brighter ones")
                    break
                camera, counts = with_widths(camera, *widths.sigma), widths.counts
                width = camera.optics.psf_sigma
            found = self._answers(camera, counts)
            explained = self._explained(found, camera)
            if not seek_noise:
                break
            transfer = self._transfer(found, explained, camera)
            gain = camera.shot_gain if "gain" in self.given.names else transfer.gain[0]
            camera = replace(camera, noise_sigma=max(transfer.noise_sigma[0], camera.noise_floor), shot_gain=gain)
        found = self._answers(camera, counts)
        explained = self._explained(found, camera)
        return self._finished(camera, widths, transfer, found, explained, saturation, frames, tuple(missing))

    def _flat_camera(self, camera: Camera) -> Camera:
        """Return the camera of the frames without background: its light's noise stays."""
        level = max(self.background.level, 0.0)
        noise = float(np.sqrt(camera.noise_sigma**2 + camera.shot_gain * level))
        return replace(
            camera, background_law="level", background=0.0, noise_sigma=noise,
            saturation=camera.saturation - self.background.level,
        )  # fmt: skip

    def _finder(self, camera: Camera, width: float) -> WidthFinder:
        side = 2 * int(np.ceil(WINDOW_SIGMAS * width)) + 3
        return WidthFinder(self.flat, self._flat_camera(camera), min(side, self.sample.shape[3]))

    def _widths(self, camera: Camera, width: float, turn: int) -> Widths | None:
        if not width:
            self.say("PSF: a first look")
            width = self._finder(camera, 1.0).rough()
        start = (width, width) if turn == 0 else camera.widths
        self.say(f"PSF: round {turn + 1} of {ROUNDS}, {start[0]:.3f} x {start[1]:.3f} px")
        return self._finder(camera, max(start)).refine(*start)

    def _answers(self, camera: Camera, counts: NDArray[np.int64] | None) -> Detections:
        return self._finder(camera, max(camera.widths)).fit(*camera.widths).detections

    def _explained(self, found: Detections, camera: Camera) -> Explained:
        """Compare answers with the sampled frames; a level that is told is fitted here, to see whether it holds."""
        law: BackgroundLaw = "plane" if camera.background_law == "plane" else "constant"
        return explain(self.sample, found, replace(camera, background_law=law), leverage=True)

    def _transfer(self, found: Detections, explained: Explained, camera: Camera) -> PhotonTransfer:
        b, t = self.sample.shape[:2]
        frames = np.asarray(self.sample, dtype=np.float64).reshape(b * t, *self.sample.shape[2:])
        targets = np.bincount(found.trajectory * t + found.frame, minlength=b * t)
        own = np.maximum(3.0 * targets, 1)
        share = (own + 11.0) / t / own  # three unknowns a target, ten of the path, one of growth
        usable = np.broadcast_to(frames < camera.saturation, frames.shape).copy()
        usable &= (targets > 0)[:, None, None]
        if self.bad is not None:
            usable &= ~self.bad
        return photon_transfer(frames, explained, camera.background, share, usable)

    def _finished(  # noqa: PLR0913 (everything that was found)
        self,
        camera: Camera,
        widths: Widths | None,
        transfer: PhotonTransfer | None,
        found: Detections,
        explained: Explained,
        saturation: float | None,
        frames: NDArray[Any],
        missing: tuple[str, ...],
    ) -> Calibration:
        """Put the figures together."""
        level = explained.level[:, 0] + camera.background
        error = float(level.std() / np.sqrt(len(level)))
        law, intensities = _intensity_law(found)
        if "background" not in self.given.names and self.background.law == "level":
            camera = replace(camera, background=float(level.mean()))
        if widths is not None:
            camera = replace(camera, psf_sigma_error=widths.error)
        if "intensity" not in self.given.names and law is not None:
            camera = replace(camera, intensity_min=law[0], intensity_max=law[1], intensity_free=False)
        residual = self._residual(explained, camera)
        return Calibration(
            camera, self.background, widths, transfer, (float(level.mean()), error), saturation, self.bad, law,
            intensities, residual, len(self.sample), frames.shape[0] * frames.shape[1], missing,
        )  # fmt: skip

    def _residual(self, explained: Explained, camera: Camera) -> Floats:
        """Return the mean of residuals about the brightest pixel of each frame, in standard errors."""
        frames = np.asarray(self.sample, dtype=np.float64).reshape(explained.light.shape)
        light = explained.light + camera.background
        sd = np.sqrt(camera.noise_sigma**2 + camera.shot_gain * np.maximum(light, 0))
        pull = (frames - light) / sd
        n, half = light.shape[1], min(3, (light.shape[1] - 1) // 2)
        total, count = np.zeros((2 * half + 1, 2 * half + 1)), 0
        peaks = explained.light.reshape(len(light), -1).argmax(axis=1)
        for f, (row, column) in enumerate(zip(*np.unravel_index(peaks, (n, n)), strict=True)):
            if half <= row < n - half and half <= column < n - half:
                total += pull[f, row - half : row + half + 1, column - half : column + half + 1]
                count += 1
        return np.asarray(total / np.sqrt(max(count, 1)))


def _intensity_law(found: Detections) -> tuple[tuple[float, float] | None, Floats]:
    """Return the range of well-known intensities, grey levels, None where there are few; and all intensities."""
    if found.intensity is None or found.sigma_intensity is None:
        return None, np.zeros(0)
    known = found.intensity[found.sigma_intensity < WELL_KNOWN * found.intensity]
    if len(known) < max(FEW, 0.2 * len(found)):
        return None, found.intensity
    low, high = np.quantile(known, LAW_QUANTILES)
    return (float(low), float(high)), found.intensity
