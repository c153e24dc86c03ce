"""The ceiling of a grid: what a perfect detector scores when its answers are snapped to the nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from csist_bench.conventions import AP_NAMES
from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.evaluation.average_precision import RankedHits
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.truth import Truth


def grid_ceiling(truth: Truth, c: int) -> dict[str, Any]:
    """Return the score of the true targets snapped to a c-fold grid, in percent.

    `by_brightness` ranks the nodes by intensity, as a decoded heat map does. `any_ranking` is the share of targets
    that are hit at all: which are depends on the positions alone, and no ranking can score more. Each holds `cso_map`
    and `ap05` to `ap25`.
    """
    matched = match(snapped_targets(truth, c), truth)
    ranked = RankedHits.from_matched(matched, truth.n_targets).average_precisions()
    reached = matched.hits.sum(axis=1) / truth.n_targets
    return {"c": c, "by_brightness": _named(ranked), "any_ranking": _named(reached)}


def _named(fractions: Iterable[float]) -> dict[str, float]:
    aps = [100 * float(ap) for ap in fractions]
    names = list(AP_NAMES)
    return {"cso_map": float(np.mean(aps)), **dict(zip(names, aps))}


def snapped_targets(truth: Truth, c: int) -> Detections:
    """Return the scored targets moved to their nearest nodes; those that share a node become one, intensities added."""
    from csist_bench.simulation.optics import nearest_node

    if c < 1 or c % 2 == 0:
        raise must("c", "be a positive odd number of nodes per pixel", c)
    frame, slot = np.nonzero(np.arange(truth.frame_xy.shape[1]) < truth.frame_count[:, None])
    node = nearest_node(np, truth.frame_xy[frame, slot], c).astype(np.int64)
    rows, which = np.unique(np.column_stack([frame, node]), axis=0, return_inverse=True)
    intensity = np.bincount(which.ravel(), weights=truth.frame_intensity[frame, slot]).astype(np.float64)
    trajectory, offset = np.divmod(rows[:, 0], len(truth.frames))
    x, y = (rows[:, 1:].T - (c - 1) / 2) / c
    return Detections(truth.trajectories[trajectory], offset + truth.frames.start, x, y, intensity, intensity)


def ceiling_text(ceiling: dict[str, Any]) -> str:
    """Return a grid ceiling for a terminal."""
    lines = [f"Ceiling of the {ceiling['c']}-fold grid: a perfect detector whose answers are snapped to the nodes"]
    for name, label in (("by_brightness", "ranked by brightness"), ("any_ranking", "best ranking possible")):
        aps = "".join(f"{value:8.2f}" for key, value in ceiling[name].items() if key != "cso_map")
        lines.append(f"  {label:24}{ceiling[name]['cso_map']:8.2f}  ={aps}")
    return "\n".join(lines)
