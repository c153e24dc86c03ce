"""Label grids as (node, intensity) pairs, one a target: K numbers a frame in place of (c * size)^2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.simulation.optics import Optics, label_nodes


def sparse_labels(
    xy: NDArray[np.float64], intensity: NDArray[np.float64], optics: Optics, collision: str, falloff: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the flat node (..., K) and intensity (..., K) of every target; 0 and 0 for absent and off-grid ones.

    With `collision` "last", targets on a node that a later one takes have intensity 0, so that sums give the last.
    An intensity is lowered by the share `falloff` for each pixel between its target and its node.
    """
    index, present = label_nodes(np, xy, optics.c, optics.grid_size)
    node = index.astype(np.int64)
    place = np.stack([node % optics.grid_size, node // optics.grid_size], axis=-1)
    distance = np.linalg.norm(xy - (place - (optics.c - 1) / 2) / optics.c, axis=-1)
    lowered = np.where(present, intensity * (1 - falloff * np.where(present, distance, 0.0)), 0.0)
    if collision == "last":
        for later in range(1, node.shape[-1]):
            taken = present[..., later, None] & (node[..., :later] == node[..., later, None])
            lowered[..., :later] = np.where(taken, 0.0, lowered[..., :later])
    return node, lowered.astype(np.float32)
