"""Whether the PSF's widths that a method was told are those of the frames.

A fit of single frames does not see a PSF that is a few percent wider or narrower: it moves targets instead. What the
answers could not take up shows it where intensities follow a law (`width_score`), and otherwise the frames of a
sequence that are fitted together (`widths`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.calibration.result import with_error
from csist_bench.methods.calibration.width_score import LEAST_TOGETHER, MOST_TOGETHER, WidthScore, has_law
from csist_bench.methods.calibration.widths import WidthFinder, window_of
from csist_bench.methods.camera_use import plainly, without_unknown_background
from csist_bench.simulation.camera import Camera

SAMPLE = 600  # frames that are enough
SURE = 4.0  # standard errors by which a width must differ
# Relative departures that are said: of both widths together, and of one of them, of sequences and of single frames.
LEAST_DEPARTURE, LEAST_OF_SINGLE_FRAMES = 0.025, 0.04
OF_ONE_AXIS = 1.5  # times as much


def sample_of(total: int, length: int) -> list[tuple[int, int]]:
    """Return which of `total` trajectories of `length` frames are looked at: ranges of them, evenly spread."""
    side_by_side = max(1, MOST_TOGETHER // length)
    most = SAMPLE // (side_by_side * min(length, MOST_TOGETHER))
    starts = np.unique(np.linspace(0, max(total - side_by_side, 0), most).astype(int)).tolist()
    return [(start, min(start + side_by_side, stop)) for start, stop in zip(starts, [*starts[1:], total])]


def can_tell(length: int, camera: Camera) -> bool:
    """Return whether frames in trajectories of `length` can tell: single ones only where intensities have a law."""
    return camera.psf is None and (length >= LEAST_TOGETHER or has_law(camera))


def wrong_width(frames: NDArray[Any], camera: Camera) -> str:
    """Return in one line by how much the PSF told differs from that of frames (B, T, n, n); "" where it does not.

    Nothing is said where the frames cannot tell: single ones of unknown intensities, too few, a PSF that is no
    Gaussian.
    """
    if not can_tell(frames.shape[1], camera) or frames.shape[2] != frames.shape[3]:
        return ""
    frames = frames[:, :MOST_TOGETHER]
    return _by_score(frames, camera) if has_law(camera) else _by_evidence(frames, camera)


def _by_score(frames: NDArray[Any], camera: Camera) -> str:
    score, told = WidthScore(frames, camera), np.array(camera.widths)
    least = LEAST_DEPARTURE if frames.shape[1] >= LEAST_TOGETHER else LEAST_OF_SINGLE_FRAMES
    known = np.array(camera.psf_sigma_error) / told  # how well they are told
    first = score.departure(camera.widths)
    # A step may be short of the whole way, but not so far; where it is tiny the others are spared.
    if first is None or (np.abs(first.relative) < 0.5 * least).all():
        return ""
    if (found := score.widths(camera.widths, first)) is None:
        if abs(first.relative[2]) < max(SURE * math.hypot(first.error[2], known.min()), least):
            return ""
        own = " x ".join(f"{width:.3g}" for width in told)
        return (
            f"the frames show a PSF other than that told ({own} px), or light that the camera does not tell of: "
            "see csist-bench calibrate"
        )
    widths, errors = np.array(found.sigma), np.array(found.error)
    away, error = np.log(widths / told), np.hypot(errors / widths, known)
    together = abs(away.mean()) > max(SURE * math.hypot(*error) / 2, least)
    if not together and not (np.abs(away) > np.maximum(SURE * error, OF_ONE_AXIS * least)).any():
        return ""
    said = [_departure("xy"[axis], widths[axis], errors[axis], told[axis]) for axis in range(2)]
    return f"the frames show a PSF of {'; '.join(said)}: see csist-bench calibrate"


def _by_evidence(frames: NDArray[Any], camera: Camera) -> str:
    sample = without_unknown_background(frames, camera)
    told = replace(plainly(camera), intensity_free=True)
    found = WidthFinder(sample, told, window_of(sample, told)).refine(*camera.widths)
    if found is None:
        return ""
    said = [
        _departure(axis, width, error, own)
        for axis, width, error, own in zip("xy", found.sigma, found.error, camera.widths)
        if abs(width - own) > max(SURE * error, LEAST_DEPARTURE * own)
    ]
    return f"sequences of the frames show a PSF of {'; '.join(said)}: see csist-bench calibrate" if said else ""


def _departure(axis: str, width: float, error: float, told: float) -> str:
    return f"{with_error(width, error)} px along {axis}, told {told:.3g}"
