"""A camera from frames alone: background, noise and clipping first, then the PSF and photon transfer in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.methods.calibration.cutouts import are_cutouts, group_sequences
from csist_bench.methods.calibration.given import Given
from csist_bench.methods.calibration.leverage import sequence_leverage
from csist_bench.methods.calibration.result import Calibration
from csist_bench.methods.calibration.sensor import (
    Background,
    PhotonTransfer,
    background_of,
    bad_pixels_of,
    photon_transfer,
    rough_gain,
    saturation_of,
)
from csist_bench.methods.calibration.width_score import LEAST_TOGETHER, MOST_TOGETHER, WidthScore, has_law
from csist_bench.methods.calibration.widths import WidthFinder, Widths, with_widths
from csist_bench.methods.fitting.background import estimated_background
from csist_bench.methods.fitting.misfit import Explained, explain
from csist_bench.simulation.camera import Camera, PixelMaps

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LARGEST_SAMPLE = 60  # sequences
ROUNDS = 3  # of widths, noise and gain in turn
WINDOW_SIGMAS = 4.0
FEW = 30  # intensities, below which no law of them is told
WELL_KNOWN = 0.03  # relative error up to which an intensity counts
WELL_KNOWN_SHARE = 0.95  # of the targets: where faint ones are left out, the law is that of bright ones
LAW_QUANTILES = (0.005, 0.995)
LIT_FRAME, LIT_MEAN = 5.0, 8.0  # standard deviations of 3 x 3 px
MOST_SATURATED = 0.5  # share of pixels
MOST_PIXELS = 40_000_000  # that are looked at
LEAST_READ_SHARE = 0.1  # of the background's variance, before photon transfer tells the read noise
SIMULATIONS = 3  # of the frames, for what a fit does by itself
WORTH_SAYING_S = 2.0

Say = Callable[[str], None]


def calibrate(frames: NDArray[Any], given: Given | None = None, say: Say = lambda text: None) -> Calibration:
    """Estimate the camera of frames.

    Parameters
    ----------
    frames : ndarray, shape (N, T, H, W), grey levels
        Sequences; square frames of up to 21 px hold one group of targets each, others are searched for groups.
    given : Given
        What is known beforehand.
    say : callable
        Told what is being done.

    Raises
    ------
    InputError
        If all pixels are equal, or most of them are saturated.
    """
    given = given or Given.of(None, frames)
    frames, whole = _some(frames), frames.shape
    _require_varied(frames)
    saturation = given.camera.saturation if "saturation" in given.names else saturation_of(frames)
    bad = given.camera.maps.bad if "bad_pixels" in given.names and given.camera.maps else bad_pixels_of(frames)
    bad = bad if bad is not None and bad.any() else None
    sequences, local = frames, bad
    if not are_cutouts(frames.shape[2:]):
        say(f"groups: searching frames of {frames.shape[2]} x {frames.shape[3]} px")
        sequences, local = (
            group_sequences(frames, replace(given.camera, noise_sigma=given.camera.noise_floor), bad),
            None,
        )
        say(f"groups: {len(sequences)} sequences about groups that stand alone")
        given = replace(given, camera=_of_windows(given.camera, sequences))
    found = sequences if len(sequences) else frames
    background = background_of(found, local if found is sequences else bad)
    camera = _first_camera(given, background, saturation, local)
    lit = sequences[with_light(sequences, background, local)] if len(sequences) else sequences
    start = _Start(camera, background, saturation, bad, whole, given)
    if not len(lit):
        return start.without_fits("no targets were seen")
    sample = sampled(lit)
    if sample.shape[1] < LEAST_TOGETHER and "psf_sigma" not in given.names:
        few = f"sequences of {sample.shape[1]} frames leave it open; it takes {LEAST_TOGETHER} frames or more in a row"
        return start.without_fits(
            "single frames leave it open; it takes sequences of 5 frames or more" if sample.shape[1] == 1 else few
        )
    return _Fitter(sample, start, local, say).run(camera)


def _require_varied(frames: NDArray[Any]) -> None:
    if not frames.size:
        raise must("frames", "hold pixels", frames.shape)
    low, high = frames.min(), frames.max()
    if low == high:
        raise must("frames", "show noise or targets", f"{high:g} in every pixel", "constant frames tell nothing")
    if (share := float((frames == high).mean())) > MOST_SATURATED:
        raise must("frames", "have most pixels below saturation", f"{share:.0%} of them at {high:g}, the highest value")


def _some(frames: NDArray[Any]) -> NDArray[Any]:
    """Return at most MOST_PIXELS of whole trajectories (N, T, H, W), or of one, evenly spread."""
    n, t = frames.shape[:2]
    most = max(1, MOST_PIXELS // max(int(np.prod(frames.shape[2:])), 1))
    if n * t <= most:
        return frames
    if n > 1:
        chosen = np.unique(np.linspace(0, n - 1, max(1, most // t)).astype(int))
        return np.asarray(frames[chosen][:, : max(most, MOST_TOGETHER)])
    return frames[:, : max(most, MOST_TOGETHER)]


def _of_windows(camera: Camera, sequences: NDArray[Any]) -> Camera:
    side = sequences.shape[2] if len(sequences) else camera.optics.size
    return replace(camera, optics=replace(camera.optics, size=side), maps=None)


def with_light(sequences: NDArray[Any], background: Background, bad: Bools | None) -> Bools:
    """Tell which sequences (B, T, n, n) show targets: 3 x 3 px brighter than by noise, in most frames or their mean."""
    b, t = sequences.shape[:2]
    flat = np.asarray(sequences, dtype=np.float64).reshape(b * t, *sequences.shape[2:])
    flat = flat - estimated_background(flat, 3 if background.law == "plane" else 1, bad)
    if bad is not None:
        flat[:, bad] = 0.0
    boxes = sliding_window_view(flat, (3, 3), axis=(1, 2)).sum(axis=(-2, -1)).reshape(b, t, -1) / (
        3 * background.noise_sigma
    )
    single = np.median(boxes.max(axis=2), axis=1) > LIT_FRAME
    together = boxes.mean(axis=1).max(axis=1) * np.sqrt(t) > LIT_MEAN
    return np.asarray(single | together)


def sampled(frames: NDArray[Any]) -> NDArray[Any]:
    """Return up to LARGEST_SAMPLE sequences of at most MOST_TOGETHER frames, evenly spread over frames (N, T, H, W)."""
    n, t = frames.shape[:2]
    length = min(t, MOST_TOGETHER)
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


@dataclass(frozen=True, eq=False)
class _Start:
    """What is known before any target is fitted."""

    camera: Camera
    background: Background
    saturation: float | None
    bad: Bools | None
    whole: tuple[int, ...]
    given: Given

    def without_fits(self, reason: str) -> Calibration:
        """Return what the background alone tells."""
        missing = {name: reason for name in ("psf_sigma", "gain") if name not in self.given.names}
        return self.finished(missing=missing)

    def finished(self, **found: Any) -> Calibration:
        """Return a calibration with what else was found."""
        background = self.background
        known: dict[str, Any] = {
            "camera": self.camera,
            "background": background,
            "level": (background.level, background.error),
            "noise": (background.noise_sigma, background.noise_error),
            "saturation": None if "saturation" in self.given.names else self.saturation,
            "bad": self.bad,
            "whole": self.whole,
            "told": self.given.told,
            "missing": {},
        }
        none: dict[str, Any] = {
            "widths": None,
            "transfer": None,
            "intensity_law": None,
            "intensities": np.zeros(0),
            "residual": None,
            "sequences": 0,
        }
        return Calibration(**known | none | found)


class _Fitter:
    """Widths, noise and gain in turn, from one sample of sequences."""

    def __init__(self, sample: NDArray[Any], start: _Start, bad: Bools | None, say: Say) -> None:
        self.sample, self.start, self.bad, self.say = sample, start, bad, say
        self.given, self.background = start.given, start.background
        flat = np.asarray(sample, dtype=np.float64).reshape(-1, *sample.shape[2:])
        unknowns = 3 if self.background.law == "plane" else 1
        self.level: float | None = None
        self.flat = (flat - estimated_background(flat, unknowns, bad)).reshape(sample.shape)

    def run(self, camera: Camera) -> Calibration:
        camera = self._with_rough_gain(camera)
        self._compile(camera)
        seek_width = "psf_sigma" not in self.given.names
        width, widths, transfer = 0.0, None, None
        for turn in range(ROUNDS):
            if seek_width:
                widths = self._widths(camera, width, turn)
                if widths is None:
                    return self.start.without_fits(
                        "no width explains the sequences best; it takes more of them, or brighter ones"
                    )
                camera = with_widths(camera, *widths.sigma)
                width = camera.optics.psf_sigma
            found = self._answers(camera)
            if not len(found):
                return self.start.without_fits("no target could be fitted")
            explained = self._explained(found, camera)
            level = float(explained.level[self._answered(found), 0].mean()) + camera.background
            self.level, transfer = level, self._transfer(found, explained, camera, level)
            camera = self._with_transfer(camera, transfer)
        found = self._answers(camera)
        if widths is not None:
            widths = self._finder(camera, max(camera.widths)).with_curves(widths)
        return self._finished(camera, widths, transfer, found)

    def _compile(self, camera: Camera) -> None:
        """Compile what fits sequences, by fitting one, and say how long that took where it did."""
        began = time.perf_counter()
        self._finder(camera, 1.0).fit(1.0, 1.0, np.eye(1, len(self.flat), dtype=np.int64)[0])
        if (spent := time.perf_counter() - began) > WORTH_SAYING_S:
            self.say(f"compiled in {spent:.0f} s, once for this installation")

    def _with_rough_gain(self, camera: Camera) -> Camera:
        """Return the camera with the gain that differences over time show; the background's noise holds its part."""
        if "gain" in self.given.names:
            return camera
        gain = rough_gain(self.sample, camera.saturation, self.bad)
        if "noise_sigma" in self.given.names:
            return replace(camera, shot_gain=gain)
        total = camera.noise_sigma**2
        read = max(total - gain * max(self.background.level, 0.0), LEAST_READ_SHARE * total)
        return replace(camera, shot_gain=gain, noise_sigma=max(float(np.sqrt(read)), camera.noise_floor))

    def _with_transfer(self, camera: Camera, transfer: PhotonTransfer) -> Camera:
        gain = camera.shot_gain if "gain" in self.given.names else transfer.gain[0]
        told = "noise_sigma" in self.given.names
        noise = camera.noise_sigma if told else max(transfer.noise_sigma[0], camera.noise_floor)
        return replace(camera, noise_sigma=noise, shot_gain=gain)

    def _seen(self, camera: Camera) -> tuple[NDArray[Any], Camera]:
        """Return the sequences that are fitted and the camera told of them.

        At first the background's estimate is taken off; wings of the PSF are in it. Later a background that differs is
        fitted with the targets, and one level is that which fits left.
        """
        if self.level is None:
            return self.flat, self._without_background(camera, self.background.level)
        if camera.background_law != "level":
            return np.asarray(self.sample, dtype=np.float64), camera
        return np.asarray(self.sample - self.level), self._without_background(camera, self.level)

    def _without_background(self, camera: Camera, level: float) -> Camera:
        """Return the camera of the frames without background: its light's noise stays."""
        noise = float(np.sqrt(camera.noise_sigma**2 + camera.shot_gain * max(level, 0.0)))
        return replace(
            camera, background_law="level", background=0.0, noise_sigma=noise, saturation=camera.saturation - level
        )

    def _finder(self, camera: Camera, width: float) -> WidthFinder:
        side = 2 * int(np.ceil(WINDOW_SIGMAS * width)) + 3
        frames, seen = self._seen(camera)
        return WidthFinder(frames, seen, min(side, self.sample.shape[3]))

    def _widths(self, camera: Camera, width: float, turn: int) -> Widths | None:
        if not width:
            self.say("PSF: a first look")
            width = self._finder(camera, 1.0).rough()
        start = (width, width) if turn == 0 else camera.widths
        self.say(f"PSF: round {turn + 1} of {ROUNDS}, {start[0]:.3f} x {start[1]:.3f} px")
        found = WidthScore(self.sample, camera, SIMULATIONS).widths(start) if has_law(camera) else None
        return found or self._finder(camera, max(start)).refine(*start)

    def _answers(self, camera: Camera) -> Detections:
        return self._finder(camera, max(camera.widths)).fit(*camera.widths).detections

    def _answered(self, found: Detections) -> Bools:
        """Return which of the sample's frames, (B T,), have targets."""
        b, t = self.sample.shape[:2]
        return np.bincount(found.trajectory * t + found.frame, minlength=b * t) > 0

    def _explained(self, found: Detections, camera: Camera) -> Explained:
        """Compare answers with the sampled frames; a level that is told is fitted here, to see whether it holds."""
        return explain(self.sample, found, _with_fitted_background(camera))

    def _transfer(self, found: Detections, explained: Explained, camera: Camera, level: float) -> PhotonTransfer:
        b, t = self.sample.shape[:2]
        frames = np.asarray(self.sample, dtype=np.float64).reshape(b * t, *self.sample.shape[2:])
        usable = np.broadcast_to(frames < camera.saturation, frames.shape).copy()
        usable &= self._answered(found)[:, None, None]
        if self.bad is not None:
            usable &= ~self.bad
        fitted = _with_fitted_background(camera)
        taken = sequence_leverage(found, usable.reshape(self.sample.shape), fitted, level).reshape(frames.shape)
        return photon_transfer(frames, explained, camera.background, taken, usable)

    def _finished(
        self, camera: Camera, widths: Widths | None, transfer: PhotonTransfer | None, found: Detections
    ) -> Calibration:
        """Put the figures together."""
        explained = self._explained(found, camera)
        level = explained.level[self._answered(found), 0] + camera.background
        mean, error = float(level.mean()), float(level.std() / np.sqrt(len(level)))
        law, intensities = _intensity_law(found)
        residual = self._residual(explained, camera, self._answered(found))
        if "background" not in self.given.names and self.background.law == "level":
            camera = replace(camera, background=mean)
        if widths is not None:
            camera = replace(camera, psf_sigma_error=widths.error)
        if "intensity" not in self.given.names and law is not None:
            camera = replace(camera, intensity_min=law[0], intensity_max=law[1], intensity_free=False)
        return self.start.finished(
            camera=camera,
            widths=widths,
            transfer=transfer,
            level=(mean, error),
            intensity_law=None if "intensity" in self.given.names else law,
            intensities=intensities,
            residual=residual,
            sequences=len(self.sample),
        )

    def _residual(self, explained: Explained, camera: Camera, answered: Bools) -> Floats:
        """Return the mean of residuals about the brightest pixel of each frame, in standard errors."""
        frames = np.asarray(self.sample, dtype=np.float64).reshape(explained.light.shape)
        light = explained.light + camera.background
        sd = np.sqrt(camera.read_variance + camera.shot_gain * np.maximum(light, 0))
        usable = np.broadcast_to(frames < camera.saturation, frames.shape) & answered[:, None, None]
        if self.bad is not None:
            usable = usable & ~self.bad
        pull = np.where(usable, (frames - light) / sd, 0.0)
        n, half = light.shape[1], min(3, (light.shape[1] - 1) // 2)
        total, count = np.zeros((2, 2 * half + 1, 2 * half + 1))
        peaks = explained.light.reshape(len(light), -1).argmax(axis=1)
        for f, (row, column) in enumerate(zip(*np.unravel_index(peaks, (n, n)), strict=True)):
            if half <= row < n - half and half <= column < n - half:
                place = f, slice(row - half, row + half + 1), slice(column - half, column + half + 1)
                total += pull[place]
                count += usable[place]
        return np.asarray(total / np.sqrt(np.maximum(count, 1)))


def _with_fitted_background(camera: Camera) -> Camera:
    """Return the camera with a background that is fitted in every frame: a plane, or else a level."""
    return camera if camera.background_law == "plane" else replace(camera, background_law="constant")


def _intensity_law(found: Detections) -> tuple[tuple[float, float] | None, Floats]:
    """Return the range of well-known intensities, grey levels, None where there are few; and all intensities."""
    if found.intensity is None or found.sigma_intensity is None:
        return None, np.zeros(0)
    known = found.intensity[found.sigma_intensity < WELL_KNOWN * found.intensity]
    if len(known) < max(FEW, WELL_KNOWN_SHARE * len(found)):
        return None, found.intensity
    low, high = np.quantile(known, LAW_QUANTILES)
    return (float(low), float(high)), found.intensity
