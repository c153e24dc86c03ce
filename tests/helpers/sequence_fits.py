"""Random unknowns of sequence fits."""

from __future__ import annotations

import numpy as np

from csist_bench.methods.ml_seq._kernels.motion import unknowns


def random_fit(seed: int, k: int, degree: int, rigid: bool):
    """Return a generator, the unknowns of k targets, the scaled times of four frames, and a centre, px."""
    rng = np.random.default_rng(seed)
    p = unknowns(k, degree, rigid)
    a = 0.1 * rng.standard_normal(p)
    a[: 3 * k] = (rng.normal([0, 0, 235], [0.3, 0.3, 9], (k, 3))).ravel()
    return rng, a, np.linspace(-1, 1, 4), np.array([4.8, 5.3])
