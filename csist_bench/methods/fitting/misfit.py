"""What answers leave unexplained: targets are rendered again by the camera's model and compared with the frames."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.jit import jit, jit_within
from csist_bench.methods.fitting.dense_images import LEVELS, DenseWorkspace, dense_workspace
from csist_bench.methods.fitting.dense_model import dense_cost
from csist_bench.methods.fitting.lanes import padded, zeros
from csist_bench.methods.fitting.noise_model import NoiseModel, noise_model_of
from csist_bench.methods.fitting.pixel_model import window_model
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ORIGIN = 0  # of frames that are compared whole


class Explained(NamedTuple):
    """Frames (F, n, n) as answers explain them, background included; the known one is subtracted.

    `light` (F, n, n) grey levels, `level` (F, 3) the fitted background at the frame's middle and its slopes over half
    of it, `chi2` (F,) the sum of squared residuals over the variance told and `squares` (F,) over 1, of `pixels` (F,)
    that are neither bad nor clipped.
    """

    light: Floats
    level: Floats
    chi2: Floats
    squares: Floats
    pixels: Ints


def explain(frames: NDArray[Any], found: Detections, camera: Camera) -> Explained:
    """Render answers and compare them with frames.

    Parameters
    ----------
    frames : ndarray, shape (B, T, n, n), grey levels
    found : Detections
        Of these frames, with intensities.

    Raises
    ------
    InputError
        If the detections have no intensities, or the frames are not square.
    """
    b, t, height, width = frames.shape
    if height != width:
        raise must("frames", "be square", frames.shape)
    if len(found) and found.intensity is None:
        raise must("detections", "have intensities", "none")
    index = found.trajectory * t + found.frame
    order = np.argsort(index, kind="stable")
    targets = np.bincount(index, minlength=b * t).astype(np.int64)
    theta = np.zeros((b * t, max(int(targets.max(initial=1)), 1), 3))
    slot = np.arange(len(found)) - np.repeat(np.cumsum(targets) - targets, targets)
    if found.intensity is not None:
        theta[index[order], slot] = np.stack([found.x, found.y, found.intensity], axis=-1)[order]
    f, n = b * t, height
    out = Explained(
        np.zeros((f, n, n)),
        np.zeros((f, LEVELS)),
        np.zeros(f),
        np.zeros(f),
        np.zeros(f, np.int64),
    )
    pixels = np.subtract(frames, camera.background, dtype=np.float64).reshape(f, n, n)
    noise_model = noise_model_of(camera, frames.dtype.kind in "iu")
    # Where nothing is fitted to the frame, its light alone is enough.
    light_alone = noise_model.background == 0 and not len(noise_model.spline)
    dense = None if light_alone else dense_workspace(theta.shape[1], n)
    explain_frames(theta, targets, pixels, noise_model, dense, out)
    return out


@jit
def explain_frames(
    theta: Floats, targets: Ints, pixels: Floats, noise_model: NoiseModel, dense: DenseWorkspace | None, out: Explained
) -> None:
    """Fill what targets theta (F, K, 3) explain of pixels (F, n, n); `dense` is None where no background is fitted."""
    n = pixels.shape[1]
    width, targets_most = padded(n), theta.shape[1]
    model, score, curvature = zeros(n, width), zeros(n, n), zeros(n, n)
    first = int(ORIGIN)
    a, da = zeros(targets_most, width), zeros(targets_most, width)
    b, db = zeros(targets_most, width), zeros(targets_most, width)
    table_x, table_y = noise_model.table, noise_model.table_y
    level, slope = zeros(n, int(LEVELS))[0], zeros(n, n)[0]
    for f in range(pixels.shape[0]):
        k = targets[f]
        if dense is None:
            window_model(theta[f, :k], first, first, table_x, table_y, a, da, b, db, model)
            compare_frame(pixels[f], model, noise_model, level, slope, f, out)
        else:
            dense_cost(theta[f, :k], pixels[f], 0, 0, noise_model, False, dense, model, score, curvature)
            for p in range(LEVELS):
                out.level[f, p] = dense.level[p]
            compare_frame(pixels[f], model, noise_model, dense.level, dense.slope, f, out)


@jit_within
def compare_frame(
    pixels: Floats,
    model: Floats,
    noise_model: NoiseModel,
    level: Floats,
    slope: Floats,
    f: int,
    out: Explained,
) -> None:
    """Fill the light of one frame, and sum its squared residuals over the variance.

    The background is `level` (3,) at the frame's middle and its slopes over half of it, along which `slope` (n,) runs.
    """
    n, variance_map, explained = pixels.shape[0], noise_model.variance_map, out.light[f]
    mapped, variance, saturation = variance_map.shape[0] > 0, noise_model.variance, noise_model.saturation
    gain, offset = noise_model.gain, noise_model.offset
    middle, along, across = level[0], level[1], level[2]
    squares, chi2, compared = 0.0, 0.0, 0
    for i in range(n):
        for j in range(n):
            light = model[i, j] + middle + along * slope[j] + across * slope[i]
            explained[i, j] = light
            read = variance_map[i, j] if mapped else variance
            if read == math.inf or pixels[i, j] >= saturation:
                continue
            residual = pixels[i, j] - light
            squares += residual * residual
            chi2 += residual * residual / (read + gain * max(light + offset, 0.0))
            compared += 1
    out.squares[f], out.chi2[f], out.pixels[f] = squares, chi2, compared
