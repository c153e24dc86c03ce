"""Linking one trajectory at a time, track after track: a Kalman filter of matrices, and scipy's assignment."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

GATE = 4.0
ACCELERATION = 0.002


def link(frame, xy, noise, speed, misses):
    """Return a name for each of n detections of one trajectory; `frame` (n,), `xy` (n, 2)."""
    name, tracks, now = np.full(len(frame), -1), [], 0
    names = 0
    for f in sorted(set(frame.tolist())):
        rows = np.flatnonzero(frame == f)
        rows = rows[np.lexsort((xy[rows, 1], xy[rows, 0]))]
        step, now = f - now, f
        tracks = [track for track in tracks if f - track["last"] <= misses + 1]
        move = np.array([[1.0, step], [0.0, 1.0]])
        bend = ACCELERATION**2 * np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
        for track in tracks:
            track["state"] = move @ track["state"]
            track["variance"] = move @ track["variance"] @ move.T + bend
        cost = np.full((len(tracks), len(rows)), GATE**2)
        for i, track in enumerate(tracks):
            for j, row in enumerate(rows):
                square = ((xy[row] - track["state"][0]) ** 2).sum() / (track["variance"][0, 0] + noise**2)
                cost[i, j] = min(square, GATE**2)
        free = set(rows.tolist())
        for i, j in zip(*linear_sum_assignment(cost)):
            if cost[i, j] >= GATE**2:
                continue
            track, row = tracks[i], rows[j]
            gain = track["variance"][:, 0] / (track["variance"][0, 0] + noise**2)
            track["state"] = track["state"] + np.outer(gain, xy[row] - track["state"][0])
            track["variance"] = track["variance"] - np.outer(gain, track["variance"][0])
            track["last"], name[row] = f, track["name"]
            free.discard(int(row))
        for row in rows:
            if row in free:
                start = np.array([xy[row], [0.0, 0.0]])
                variance = np.diag([noise**2, speed**2])
                tracks.append({"name": names, "last": f, "state": start, "variance": variance})
                name[row], names = names, names + 1
    return name
