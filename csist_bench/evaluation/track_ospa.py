"""OSPA(2): the distance between two sets of tracks (Beard, Vo and Vo, ICCAIS 2017, arXiv:1808.06055)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.track_frames import CUTOFF, TrackFrames
from csist_bench.methods.assignment import assigned


def ospa2(frames: TrackFrames) -> NDArray[np.float64]:
    """Return the distance of every trajectory, shape (B,), px: p = q = 1, uniform weights, the sequence as window."""
    both = np.isfinite(frames.distance)
    # A pair that is both there costs min(d, c), one that is alone c: what two tracks save is counted.
    saved = frames.over_frames(np.where(both, np.maximum(CUTOFF - frames.distance, 0.0), 0.0))
    targets, tracks = frames.target_lengths, frames.track_lengths
    union = targets[:, :, None] + tracks[:, None, :] - frames.over_frames(both.astype(np.float64))
    saved = np.divide(saved, union, out=np.zeros_like(saved), where=union > 0)
    track = assigned(saved)
    b, k = np.nonzero(track >= 0)
    total = np.bincount(b, saved[b, k, track[b, k]], minlength=len(saved))
    most = np.maximum((targets > 0).sum(axis=1), frames.tracks)
    return np.where(most > 0, CUTOFF - total / np.maximum(most, 1), 0.0)
