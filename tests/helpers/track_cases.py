"""Random targets and tracks, with empty frames, births, deaths, losses, false detections and switches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CASES = 200


@dataclass(frozen=True, eq=False)
class TrackCase:
    """`target_xy` (N, T, K, 2) px, NaN where absent, and rows as `track_frames` takes them."""

    target_xy: NDArray[np.float64]
    place: NDArray[np.int64]
    frame: NDArray[np.int64]
    xy: NDArray[np.float64]
    track: NDArray[np.int64]

    @property
    def arrays(self):
        """The arguments of `track_frames` and `scores_of_tracks`."""
        return self.target_xy, self.place, self.frame, self.xy, self.track

    def of_frame(self, n, t):
        """Return targets that are there, their positions, tracks and their positions of a frame."""
        there = np.flatnonzero(np.isfinite(self.target_xy[n, t, :, 0]))
        rows = np.flatnonzero((self.place == n) & (self.frame == t))
        rows = rows[np.argsort(self.track[rows])]
        return there, self.target_xy[n, t, there], self.track[rows], self.xy[rows]

    def distances(self, n, t):
        """Return the distances of a frame's targets and rows, px."""
        _, targets, _, rows = self.of_frame(n, t)
        return np.linalg.norm(targets[:, None] - rows[None], axis=-1)


def random_case(seed: int) -> TrackCase:
    """Return one to three trajectories of one to nine frames."""
    rng = np.random.default_rng(seed)
    n, t, k = rng.integers(1, 4), rng.integers(1, 10), rng.integers(1, 5)
    start = 5 + rng.uniform(-0.4, 0.4, (n, 1, k, 2))
    target_xy = start + np.cumsum(rng.normal(0, 0.08, (n, t, k, 2)), axis=1)
    born, dies = rng.integers(-2, t, (n, 1, k)), rng.integers(1, t + 3, (n, 1, k))
    time = np.arange(t)[None, :, None]
    absent = (time < born) | (time >= born + dies) | (rng.random((n, t, 1)) < 0.1)
    rows = []
    for i in range(n):
        names = rng.choice(np.arange(-20, 20), k, replace=False)
        for frame in range(t):
            if rng.random() < 0.1:
                continue  # nothing is answered
            if rng.random() < 0.15:
                names = rng.permutation(names)
            if rng.random() < 0.1:
                names = np.where(rng.random(k) < 0.5, names + 40, names)
            for j in range(k):
                if not absent[i, frame, j] and rng.random() < 0.85:
                    rows.append((i, frame, *(target_xy[i, frame, j] + rng.normal(0, 0.1, 2)), names[j]))
            rows += [(i, frame, *rng.uniform(4.3, 5.7, 2), 900 + m + frame % 2) for m in range(rng.poisson(0.4))]
    target_xy[absent] = np.nan
    columns = np.array(rows, dtype=np.float64).reshape(-1, 5)[rng.permutation(len(rows))]
    index = columns[:, [0, 1, 4]].astype(np.int64)
    return TrackCase(target_xy, index[:, 0], index[:, 1], columns[:, 2:4], index[:, 2])


def cases():
    """Yield the 200 cases."""
    yield from map(random_case, range(CASES))
