"""Reused arrays of the search of one frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import by_reference, jit
from csist_bench.methods.fitting.lanes import zeros
from csist_bench.methods.fitting.levenberg import FrameWorkspace, frame_workspace
from csist_bench.methods.ml._kernels.posterior import Samples, empty_samples

Floats = NDArray[np.float64]

CHOSEN = 32  # samples that an answer is chosen by


@by_reference
class SearchWorkspace:
    """Reused arrays of one frame: the window's pixels without background and as they are (`raw`), and scratch."""

    pixels: Floats
    raw: Floats
    fit: FrameWorkspace
    mean: Floats
    inverse_variance: Floats
    power: NDArray[np.complex128]
    coefficient: NDArray[np.complex128]
    theta: Floats
    best: Floats
    centre: Floats
    covariance: Floats
    samples: Samples
    chosen: Floats


@jit
def search_workspace(targets: int, side: int, samples: int) -> SearchWorkspace:
    """Return the reused arrays of frames in windows of `side` px, of up to `targets` targets."""
    n = 3 * targets
    polynomials = np.zeros((2, targets + 1), np.complex128)
    return SearchWorkspace(
        zeros(side, side),
        zeros(side, side),
        frame_workspace(targets, side),
        zeros(targets, n // targets),
        zeros(targets, n // targets),
        polynomials[0],
        polynomials[1],
        zeros(targets, n // targets),
        zeros(targets, n // targets),
        zeros(targets, n // targets)[0],
        zeros(n, n),
        empty_samples(samples, targets),
        np.zeros((3, targets, CHOSEN)),
    )
