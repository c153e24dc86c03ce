"""Scores lowered where answers leave more of their frame unexplained than noise does: an option, off by default.

Standard errors hold for the camera told. Where chi^2 per pixel of a frame is s^2 instead of 1, they are taken as s
times as large (Birge's ratio; R. T. Birge, Phys. Rev. 40, 207, 1932), and a score falls by what that costs in
CSO-mAP's expected hits. Frames within chance keep their scores to the bit, so that noise alone changes no ranking.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.methods.fitting.hit_probability import round_hit_probability
from csist_bench.methods.misfit import SURE, BlockMisfit, allowed_square, without_noise
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]


def lowered(found: Detections, left: BlockMisfit | None, camera: Camera, method: str) -> Detections:
    """Return the answers of a block with the scores lowered in frames that they do not explain.

    Parameters
    ----------
    found : Detections
        `trajectory` and `frame` count within the block.
    left : BlockMisfit or None
        What they leave unexplained; None: they are not judged.
    method : str
        For errors.

    Raises
    ------
    InputError
        If the answers are not judged, or state no standard errors.
    """
    if not len(found):
        return found
    if left is None:
        raise not_judged(method)
    if found.sigma_x is None or found.sigma_y is None:
        raise _cannot(method, "its answers state no standard errors")
    growth = variance_growth(left, camera)[found.trajectory, found.frame]
    odd = np.flatnonzero(growth > 1.0)
    variance, score = 0.5 * (found.sigma_x[odd] ** 2 + found.sigma_y[odd] ** 2), found.score.copy()
    hit = expected_hits(growth[odd] * variance) / np.maximum(expected_hits(variance), np.finfo(float).tiny)
    score[odd] *= np.minimum(hit, 1.0)
    return replace(found, score=score)


def not_judged(method: str) -> InputError:
    """Return the refusal of answers that are not compared with their frames."""
    return _cannot(method, "answers on a grid, and of large frames whose noise is not told, are not compared with them")


def _cannot(method: str, why: str) -> InputError:
    return InputError(f"{method}: scores cannot be lowered where frames do not fit: {why}; leave --lower-scores out")


def variance_growth(left: BlockMisfit, camera: Camera) -> Floats:
    """Return by how much errors' variance is too small in each frame (B, T); 1 where the misfit may be chance."""
    if without_noise(camera):
        allowed = allowed_square(left.peak, camera) * np.maximum(left.pixels, 1)
        growth: Floats = np.maximum(left.squares / np.maximum(allowed, np.finfo(float).tiny), 1.0)
        return growth
    expected = np.maximum(left.pixels - left.background, 1).astype(float)
    chance = left.chi2 <= expected + SURE * np.sqrt(2.0 * expected)
    return np.where(chance, 1.0, left.chi2 / expected)


def expected_hits(variance: Floats) -> Floats:
    """Return the expected share of CSO-mAP's thresholds that positions of round normal errors meet; px^2."""
    with np.errstate(divide="ignore", over="ignore"):  # where nothing is compiled
        return np.array([round_hit_probability(one) for one in variance], np.float64)
