"""What fits of sequences take of each pixel's variance: its leverage.

Where a linear fit weights pixels by w = 1 / variance, what it leaves of one has the variance (1 - h) / w with
h = w d' N^-1 d; d are the pixel's derivatives in the unknowns, and N is the normal matrix with the prior's precision
(Hoaglin and Welsch, The American Statistician 32, 17, 1978).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.methods.ml_seq.method import FREE_SPREAD, SequenceMaximumLikelihood
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.jacobian import background_columns, frame_model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def sequence_leverage(found: Detections, usable: NDArray[np.bool_], camera: Camera, level: float) -> Floats:
    """Return the leverage of pixels in fits of `ml-seq` and of the background that a camera asks for, (B, T, n, n).

    Parameters
    ----------
    found : Detections
        Answers to B sequences of T frames, with intensities.
    usable : bool ndarray, shape (B, T, n, n)
        Pixels that are neither bad nor clipped; of others the leverage is 0.
    level : the light beside that of targets, grey levels
    """
    out = np.zeros(usable.shape)
    order = np.lexsort((found.frame, found.trajectory))
    starts = np.searchsorted(found.trajectory[order], np.arange(len(usable) + 1))
    for b in range(len(usable)):
        rows = order[starts[b] : starts[b + 1]]
        targets = np.bincount(found.frame[rows], minlength=usable.shape[1])
        answered = np.flatnonzero(targets)
        together = len(np.unique(targets[answered])) == 1
        # Where the number of targets changes, frames were fitted one by one.
        for frames in [answered] if together else answered[:, None]:
            own = rows[np.isin(found.frame[rows], frames)].reshape(len(frames), -1)
            at, span = (frames, usable.shape[1]) if together else (np.zeros(1, np.int64), 1)
            out[b, frames] = _of_fit(found, own, usable[b, frames], at, span, camera, level)
    return out


def _of_fit(
    found: Detections, rows: Ints, usable: NDArray[np.bool_], at: Ints, span: int, camera: Camera, level: float
) -> Floats:
    """Return the leverage of frames that were fitted together, (T', n, n), those `at` (T',) of a window of `span`.

    `rows` (T', K) are their answers.
    """
    assert found.intensity is not None
    xy, intensity = np.stack([found.x[rows], found.y[rows]], axis=-1), found.intensity[rows]
    model = frame_model(xy[None], intensity[None], camera)
    light = np.maximum(model.mean[0] + level, 0.0).reshape(usable.shape)
    weight = (usable / (camera.read_variance + camera.shot_gain * light)).reshape(len(usable), -1)
    unknowns, precision = _unknowns(model.targets[0], xy, at, span, camera)
    if camera.intensity_free:  # a group's own light is the scale
        precision[2 : 3 * xy.shape[1] : 3] = (FREE_SPREAD * np.maximum(intensity.mean(), 1.0)) ** -2
    columns, out = background_columns(camera), np.zeros_like(weight)
    if len(columns):
        inverse = np.linalg.pinv(np.einsum("ap,tp,bp->tab", columns, weight, columns), hermitian=True)
        out += weight * np.einsum("ap,tab,bp->tp", columns, inverse, columns)
        share = inverse @ np.einsum("ap,tp,utp->tau", columns, weight, unknowns)
        unknowns = unknowns - np.einsum("tau,ap->utp", share, columns)
    flat = unknowns.reshape(len(unknowns), -1)
    normal = (flat * weight.ravel()) @ flat.T + np.diag(precision)
    out += weight * (flat * np.linalg.solve(normal, flat)).sum(axis=0).reshape(weight.shape)
    return np.asarray(out.reshape(usable.shape))


def _unknowns(targets: Floats, xy: Floats, at: Ints, span: int, camera: Camera) -> tuple[Floats, Floats]:
    """Return how pixels answer to the unknowns of `ml-seq`, (U, T', P), and their prior's precision (U,).

    `targets` (T', 3K, P) are derivatives by (x, y, s). A target's place and intensity, the path that all share, the
    group's growth.
    """
    t, p = targets.shape[0], targets.shape[2]
    times, motion = SequenceMaximumLikelihood(width="camera").motion_of(xy.shape[1], span, camera)
    each = targets.reshape(t, -1, 3, p)
    place = each[:, :, :2]
    together = place.sum(axis=1).transpose(1, 0, 2)
    path = [together[axis] * power[at, None] for axis in range(2) for power in times.basis.T]
    away = xy - xy.mean(axis=1, keepdims=True)
    growth = np.einsum("tkap,tka,t->tp", place, away, times.time[at])
    unknowns = np.concatenate([each.transpose(1, 2, 0, 3).reshape(-1, t, p), np.array([*path, growth])])
    return unknowns, motion.inverse_variance.copy()
