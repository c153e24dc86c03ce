"""Cameras that a single frame and a sequence must be right for: what makes the frames, and what is told of them."""

from __future__ import annotations

import numpy as np

from csist_bench.simulation.camera import PixelMaps
from csist_bench.simulation.spline_psf import SplinePsf
from tests.helpers.foreign_sequences import SIZE, airy_spot, camera, sequences

FWHM = 1.2  # px, of the Airy pattern
AIRY = SplinePsf.airy(FWHM)
AIRY_WIDTHS = (float(np.sqrt(AIRY.widths[0] * AIRY.widths[1])),) * 2
NOISE_MAP = np.random.default_rng(0).uniform(1, 5, (SIZE, SIZE))

CASES = {
    "plain": ({}, {}),
    "two widths": ({"widths": (0.8, 0.65)}, {"widths": (0.8, 0.65)}),
    "constant of 1,000, intensity free": (
        {"level": 1000.0},
        {"background_law": "constant", "intensity_free": True},
    ),
    "plane": ({"level": 40.0, "slope": (1.0, -0.7)}, {"background_law": "plane"}),
    "intensity free": ({}, {"intensity_free": True}),
    "shot noise on a told level": ({"gain": 0.5, "level": 20.0}, {"shot_gain": 0.5, "background": 20.0}),
    "shot noise on a fitted level": ({"gain": 0.5, "level": 20.0}, {"shot_gain": 0.5, "background_law": "constant"}),
    "noise of single pixels": ({"noise_map": NOISE_MAP}, {"maps": PixelMaps(noise_sigma=NOISE_MAP)}),
    "clipped on a fitted level": (
        {"level": 60.0, "saturation": 180.0},
        {"saturation": 180.0, "background_law": "constant"},
    ),
    "spline": ({}, {"psf": SplinePsf.from_gaussian(0.5, 0.5)}),
    "Airy": ({"spot": airy_spot(FWHM)}, {"psf": AIRY, "widths": AIRY_WIDTHS}),
}


def case(name, count=120, frames=10, seed=7):
    """Return the sequences of a case and the camera that is told."""
    facts, fields = CASES[name]
    return sequences(seed, count=count, frames=frames, **facts), camera(**fields)
