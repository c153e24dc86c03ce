"""Whether the PSF's width that a method was told is that of the frames, asked of sequences.

A fit of single frames does not see a PSF that is a few percent wider or narrower: it moves targets instead. The frames
of a sequence, fitted together, do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from csist_bench.methods.calibration.widths import WidthFinder
from csist_bench.methods.camera_use import without_unknown_background
from csist_bench.methods.fitting.frames import window_side
from csist_bench.simulation.camera import Camera

SAMPLE = 30  # sequences that are enough
LEAST_LENGTH, LONGEST = 5, 20  # frames of a sequence
SURE = 4.0  # standard errors by which a width must differ
LEAST_DEPARTURE = 0.025  # relative


def wrong_width(frames: NDArray[Any], camera: Camera) -> str:
    """Return in one line by how much the PSF told differs from that of sequences (B, T, n, n); "" where it does not.

    Nothing is said where the frames cannot tell: single frames, too few sequences, a PSF that is no Gaussian.
    """
    if frames.shape[1] < LEAST_LENGTH or camera.psf is not None or frames.shape[2] != frames.shape[3]:
        return ""
    sample = without_unknown_background(frames[:, :LONGEST], camera)
    # Intensities are left free: a law that does not hold would pass for a wrong width.
    told = replace(camera, background_law="level", maps=None, intensity_free=True)
    side = min(window_side(0, told, sample.shape[2:]) + 2, sample.shape[3])
    found = WidthFinder(sample, told, side).refine(*camera.widths)
    if found is None:
        return ""
    said = []
    for axis, width, error, own in zip("xy", found.sigma, found.error, camera.widths):
        if abs(width - own) > max(SURE * error, LEAST_DEPARTURE * own):
            said.append(f"{width:.3f} +- {error:.3f} px along {axis}, told {own:.3g}")
    if not said:
        return ""
    return f"sequences of the frames show a PSF of {'; '.join(said)}: see csist-bench calibrate"
