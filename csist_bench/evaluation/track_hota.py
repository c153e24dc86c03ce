"""HOTA: how well targets are found, placed and kept apart over time (Luiten et al., IJCV 2021, arXiv:2009.07736)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.track_frames import CUTOFF, TrackFrames
from csist_bench.methods.assignment import assigned

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALPHAS = np.arange(0.05, 0.99, 0.05)  # 0.05, 0.10 .. 0.95, to the last bit those of TrackEval
_EPS = float(np.finfo(np.float64).eps)
_LEAST = 1e-10  # TrackEval's: LocA is 1 where nothing was matched


@dataclass(frozen=True, eq=False)
class HotaSums:
    """What HOTA is made of, summed over trajectories; each of shape (19,), one a value of alpha, but for the counts.

    `matched` pairs, their `similarity` and the association `a` of each, summed; `targets` and `rows` in all frames.
    """

    matched: Floats
    similarity: Floats
    association: Floats
    targets: int
    rows: int

    def __add__(self, other: HotaSums) -> HotaSums:
        return HotaSums(
            self.matched + other.matched,
            self.similarity + other.similarity,
            self.association + other.association,
            self.targets + other.targets,
            self.rows + other.rows,
        )

    def scores(self) -> tuple[float, float, float, float]:
        """Return HOTA, DetA, AssA and LocA, each a mean over alpha, as fractions."""
        detection = self.matched / np.maximum(1, self.targets + self.rows - self.matched)
        association = self.association / np.maximum(1, self.matched)
        location = np.maximum(_LEAST, self.similarity) / np.maximum(_LEAST, self.matched)
        means = (np.sqrt(detection * association), detection, association, location)
        return tuple(float(values.mean()) for values in means)  # type: ignore[return-value]


def hota_sums(frames: TrackFrames) -> HotaSums:
    """Return the sums of a block of trajectories.

    Targets and rows of a frame are matched by the assignment of largest similarity times global alignment, at all
    alphas the same; a pair counts at alpha where its similarity is at least that.
    """
    similarity = np.maximum(0.0, 1.0 - frames.distance / CUTOFF)
    b, t, k, d = similarity.shape
    lengths = frames.target_lengths[:, :, None] + frames.track_lengths[:, None, :]
    aligned = _alignment(similarity, lengths, frames)
    column = assigned((_of_rows(aligned, frames) * similarity).reshape(b * t, k, d)).reshape(b, t, k)
    at, when, target = np.nonzero(column >= 0)
    row = column[at, when, target]
    near = similarity[at, when, target, row]
    counted = near >= ALPHAS[:, None] - _EPS  # (19, pairs)
    track = frames.track[at, when, row]
    pair, which = np.unique((at * k + target) * max(frames.most, 1) + track, return_inverse=True)
    times = np.array([np.bincount(which, mask, minlength=len(pair)) for mask in counted]).reshape(len(ALPHAS), -1)
    union = lengths.reshape(-1)[pair] - times
    return HotaSums(
        counted.sum(axis=1).astype(np.float64),
        (counted * near).sum(axis=1),
        (times * times / np.maximum(1, union)).sum(axis=1),
        int(frames.present.sum()),
        int((frames.track >= 0).sum()),
    )


def _alignment(similarity: Floats, lengths: Ints, frames: TrackFrames) -> Floats:
    """Return how much of their time each target and track are alike, (B, K, M): their Jaccard index before matching."""
    either = similarity.sum(axis=2, keepdims=True) + similarity.sum(axis=3, keepdims=True) - similarity
    share = np.divide(similarity, either, out=np.zeros_like(similarity), where=either > _EPS)
    together = frames.over_frames(share)
    apart = lengths - together
    return np.divide(together, apart, out=np.zeros_like(together), where=apart > 0)


def _of_rows(values: Floats, frames: TrackFrames) -> Floats:
    """Return values (B, K, M) of targets and tracks for the rows of every frame, (B, T, K, D); absent rows have any."""
    if not values.shape[2]:
        return np.zeros(frames.distance.shape)
    b = np.arange(len(values))[:, None, None, None]
    target = np.arange(values.shape[1])[None, None, :, None]
    return np.asarray(values[b, target, frames.track[:, :, None, :]])
