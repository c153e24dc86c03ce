"""OSPA(2) as its paper writes it, trying every assignment (Beard, Vo and Vo, arXiv:1808.06055)."""

from __future__ import annotations

from itertools import permutations

import numpy as np

Track = dict[int, np.ndarray]  # position by frame


def base_distance(f: Track, g: Track, c: float) -> float:
    """Return the time-averaged OSPA distance of two tracks over the frames in which either is there."""
    domain = sorted(set(f) | set(g))
    costs = [min(c, float(np.linalg.norm(f[t] - g[t]))) if t in f and t in g else c for t in domain]
    return sum(costs) / len(costs)


def ospa2(left: list[Track], right: list[Track], c: float) -> float:
    """Return the distance of two sets of tracks, p = q = 1."""
    small, large = sorted(([f for f in left if f], [g for g in right if g]), key=len)
    if not large:
        return 0.0
    best = min(sum(base_distance(f, g, c) for f, g in zip(small, chosen)) for chosen in permutations(large, len(small)))
    return (best + c * (len(large) - len(small))) / len(large)
