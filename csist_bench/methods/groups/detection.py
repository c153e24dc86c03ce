"""Groups of targets in a frame of any size: robust background, matched filter, threshold, connected light.

The background is the clipped mean of blocks, interpolated (Bertin and Arnouts 1996); the filter is the pixel-integrated
PSF at its mean phase. A group is connected light: filtered pixels above `grown` standard deviations that reach above
the threshold, which follows from the false alarms allowed in a frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from csist_bench.errors import must
from csist_bench.methods.groups._kernels.light import connected_light, filter_axes, measure_light, second_spots
from csist_bench.methods.groups._kernels.mesh import (
    block_levels,
    block_noise,
    fill_mesh,
    over_noise,
    smooth_mesh,
    subtract_mesh,
)
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK = 32  # px a side of the background's blocks
LEAST_MESH = 24  # px: an axis shorter than this holds too little but groups, and has one level
GROWN_SIGMAS = 3.0  # of the filtered noise, down to which connected light belongs to a group
REACH_SIGMAS = 3.0  # of the PSF, to which the filter reaches
PIXEL_VARIANCE = 1.0 / 12.0
ROUNDING = 0.5  # grey levels that whole numbers spread at least: clipping must leave the next level in
LARGEST_THRESHOLD = 40.0  # standard deviations
# Background and noise are measured too: their errors add to the false groups (counted, at 4 to 5 standard deviations).
MEASURED_EXCESS = 1.25
# Spots of a small frame are apart where no light of one reaches the other's window, and sure: such frames are
# mostly of one group, and a false one would cost it its fit.
SURE_SIGMAS = 8.0
SURE_SHARE = 0.02  # of the filtered peak of the brightest spot: rings of real optics are fainter


@dataclass(frozen=True, eq=False)
class FrameGroups:
    """G groups of a frame, what lies behind them and its noise.

    `mesh` is the background at the centres of equal blocks, `noise` its standard deviation, grey levels. `centre`
    (G, 2) is (row, column) of the light, px, `box` (G, 4) its first and last row, first and last column, `snr` (G,) the
    highest filtered value over its noise, and `light` (n, 3) row, column and group of each pixel of light.
    """

    mesh: Floats
    noise: float
    centre: Floats
    box: Ints
    snr: Floats
    light: Ints

    def __len__(self) -> int:
        return len(self.snr)


class GroupFinder:
    """Finds groups in frames of one shape.

    Parameters
    ----------
    camera : Camera
        PSF widths, noise and bad pixels; the level where it is told and the frame is too small to show its own.
    shape : (H, W)
    false_alarms : float
        False groups a frame of noise alone may have, on average; above 0.
    whole_numbers : bool
        Pixels are rounded to whole grey levels.
    """

    def __init__(self, camera: Camera, shape: tuple[int, int], false_alarms: float, whole_numbers: bool) -> None:
        self.camera, self.shape = camera, shape
        self.kernels = matched_kernels(camera)
        self.norm = float(np.sqrt(np.square(self.kernels[0]).sum() * np.square(self.kernels[1]).sum()))
        self.threshold = threshold_of(false_alarms, shape[0] * shape[1], camera)
        self.rounding = ROUNDING if whole_numbers else 0.0
        self.small = max(shape) < LEAST_MESH
        self.bad = bad_pixels(camera, shape)

    def find(self, frame: NDArray[Any]) -> FrameGroups:
        """Return the groups of a frame (H, W), grey levels."""
        mesh = self._mesh(frame)
        residual, filtered, scratch = (np.empty(self.shape, np.float32) for _ in range(3))
        subtract_mesh(frame, mesh, self.bad, residual)
        noise = self._noise(residual, mesh.shape)
        filter_axes(residual, self.kernels[0], self.kernels[1], scratch, filtered)
        over_noise(filtered, noise, self.norm)
        labels, stack = np.empty(self.shape, np.int32), np.empty(frame.size, np.int64)
        count = connected_light(filtered, self.threshold, GROWN_SIGMAS, labels, stack)
        box, sums = np.empty((count, 4), np.int64), np.empty((count, 4))
        room = np.empty((int(np.count_nonzero(labels)) if count else 0, 3), np.int64)
        if count:
            measure_light(residual, filtered, labels, box, sums, room)
        found = FrameGroups(mesh, float(np.median(noise)), sums[:, :2].copy(), box, sums[:, 3].copy(), room)
        return surely_apart(found) if self.small else found

    def _noise(self, residual: Floats32, blocks: tuple[int, ...]) -> Floats:
        """Return the noise of each block, grey levels: told or measured, whichever is more.

        What is told may leave out clutter or shot noise of the background; what is measured may be clipped at 0.
        """
        raw, noise = np.empty(blocks), np.empty(blocks)
        block_noise(residual, self.bad, self.rounding, raw)
        smooth_mesh(raw, noise)
        return np.fmax(noise, self.camera.noise_sigma)

    def _mesh(self, frame: NDArray[Any]) -> Floats:
        if self.small:
            told = self.camera.background_law == "level" and self.camera.background
            return np.full((1, 1), told or float(np.median(frame)))
        mesh = np.empty([blocks_along(length) for length in self.shape])
        block_levels(frame, self.bad, self.rounding, mesh)
        if np.isnan(mesh).any():
            fill_mesh(mesh, float(np.median(frame)))
        return mesh


def blocks_along(length: int) -> int:
    """Return the blocks of the background along an axis, px: two at least, that a gradient can be followed."""
    return 1 if length < LEAST_MESH else max(2, round(length / BLOCK))


def bad_pixels(camera: Camera, shape: tuple[int, int]) -> Bools:
    """Return the camera's bad pixels in frames of a shape (H, W).

    Raises
    ------
    InputError
        If the camera's map has another shape.
    """
    bad = camera.maps.bad if camera.maps is not None else None
    if bad is None:
        return np.zeros(shape, np.bool_)
    if bad.shape != shape:
        raise must("bad_pixels", f"have the frames' shape {shape}", bad.shape)
    return np.ascontiguousarray(bad, dtype=np.bool_)


def matched_kernels(camera: Camera) -> tuple[Floats32, Floats32]:
    """Return the 1-D filters along x and y: the PSF over a pixel, at the mean of all phases of a target."""
    return _kernel(camera.widths[0]), _kernel(camera.widths[1])


def _kernel(psf_sigma: float) -> Floats32:
    width = math.sqrt(psf_sigma**2 + PIXEL_VARIANCE)
    reach = max(1, math.ceil(REACH_SIGMAS * psf_sigma))
    place = np.arange(-reach, reach + 1)
    return np.asarray(ndtr((place + 0.5) / width) - ndtr((place - 0.5) / width), dtype=np.float32)


def threshold_of(false_alarms: float, pixels: int, camera: Camera) -> float:
    """Return the threshold, in standard deviations of the filtered noise, for so many false groups a frame."""
    if not 0 < false_alarms < math.inf:
        raise must("false_alarms", "be a positive number of groups a frame", false_alarms)
    low, high = GROWN_SIGMAS, LARGEST_THRESHOLD
    for _ in range(60):
        middle = 0.5 * (low + high)
        if expected_false(middle, pixels, camera) > false_alarms:
            low = middle
        else:
            high = middle
    return high


def expected_false(threshold: float, pixels: int, camera: Camera) -> float:
    """Return how many regions of filtered noise are expected above a threshold, in standard deviations (3 and more).

    There are as many as pixels above it, each of a normal tail, where the PSF is narrow, and as many as the Euler
    characteristic of a smooth normal field says (Adler 1981) where it is wide; in between both limits add up as
    resistors in parallel do, which counts on noise bear out to a tenth (tests/methods/groups/test_detection.py).
    """
    tail = float(ndtr(-threshold))
    widths = [math.sqrt(width**2 + PIXEL_VARIANCE) for width in camera.widths]
    # The filtered noise is correlated as exp(-d^2 / 4 w^2), its slope's variance 1 / 2 w^2 along each axis.
    slopes = 1.0 / (2.0 * widths[0] * widths[1])
    smooth = slopes * threshold * math.exp(-0.5 * threshold**2) / (2.0 * math.pi) ** 1.5
    return MEASURED_EXCESS * pixels / (1.0 / tail + 1.0 / smooth) if tail > 0 and smooth > 0 else 0.0


def least_separation(camera: Camera) -> float:
    """Return the distance, px, from which the light of a target does not reach the fit's window about another one."""
    width = max(camera.widths)
    return float(math.ceil(4.0 * width) + math.ceil(3.0 * width) + 1)


def surely_apart(found: FrameGroups) -> FrameGroups:
    """Return the groups of a small frame without those, but for the brightest one, that are not sure."""
    if len(found) < 2:
        return found
    kept = found.snr >= max(SURE_SIGMAS, SURE_SHARE * float(found.snr.max()))
    kept[np.argmax(found.snr)] = True
    place = np.where(kept, np.cumsum(kept) - 1, -1)
    light = found.light[kept[found.light[:, 2]]]
    light[:, 2] = place[light[:, 2]]
    return FrameGroups(found.mesh, found.noise, found.centre[kept], found.box[kept], found.snr[kept], light)


def separate_spots(frames: NDArray[Any], camera: Camera) -> Bools:
    """Tell which small frames (F, H, W) show a second spot that is sure and clearly apart from the brightest one.

    It must stand `SURE_SIGMAS` above the noise, told or of the frame itself, whichever is more, and above `SURE_SHARE`
    of the brightest spot, `least_separation` from its peak.
    """
    highest = np.empty((len(frames), 2))
    kernels = matched_kernels(camera)
    norm = float(np.sqrt(np.square(kernels[0]).sum() * np.square(kernels[1]).sum()))
    apart = least_separation(camera)
    second_spots(frames, kernels, camera.background, apart, highest)
    shown = highest[:, 1] > np.maximum(SURE_SIGMAS * norm * camera.noise_sigma, SURE_SHARE * highest[:, 0])
    for f in np.flatnonzero(shown):
        frame = frames[f].astype(np.float64)
        level = float(np.median(frame))
        noise = max(camera.noise_sigma, 1.4826 * float(np.median(np.abs(frame - level))))
        second_spots(frame[None], kernels, level, apart, highest[f : f + 1])
        shown[f] = highest[f, 1] > max(SURE_SIGMAS * norm * noise, SURE_SHARE * highest[f, 0])
    return np.asarray(shown)
