"""Score a network on whole trajectories of the validation split while it trains.

Checkpoints are chosen by this score and not by the loss: on a grid a lower loss can mean a lower score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from csist_bench.conventions import AP_NAMES
from csist_bench.datasets import Split
from csist_bench.detections import Detections, concatenate, detections_from_grid
from csist_bench.evaluation.average_precision import average_precision
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.networks.base import BatchedGridNetwork, method_of
from csist_bench.methods.networks.points import BatchedPointNetwork
from csist_bench.simulation.camera import Camera

TRAJECTORIES_PER_PASS = 25  # bounds the heat maps held at a time


@dataclass(frozen=True, eq=False)
class Validation:
    """The first trajectories of a split with their truth, and how a network is run over them."""

    split: Split
    truth: Truth
    batch: int

    @classmethod
    def from_split(cls, split: Split, trajectories: int, batch: int) -> Validation:
        """Take the first `trajectories` of a split (0: all); `batch` is in frames per forward pass."""
        count = min(trajectories or split.n_trajectories, split.n_trajectories)
        return cls(split, Truth.from_split(split, trajectories=range(count)), batch)

    def score(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Return `cso_map` and `ap05` .. `ap25`, percent, of a network; heat maps are decoded on the grid."""
        matched = match(self._detections(model, device), self.truth)
        precisions = [100 * average_precision(hits, self.truth.n_targets) for hits in matched.hits]
        named = dict(zip(AP_NAMES, precisions, strict=True))
        return {"cso_map": float(np.mean(precisions)), **named}

    def _detections(self, model: nn.Module, device: torch.device) -> Detections:
        camera = Camera.from_recipe(self.split.recipe)
        detect, scored = self._detector(model, device, camera), self.split.scored_frames
        parts = []
        for start in range(0, len(self.truth.trajectories), TRAJECTORIES_PER_PASS):
            stop = min(start + TRAJECTORIES_PER_PASS, len(self.truth.trajectories))
            found = detect(self.split.frames[start:stop])
            inside = (found.frame >= scored.start) & (found.frame < scored.stop)
            parts.append(found.select(inside).shifted(trajectory=start))
        return concatenate(parts)

    def _detector(self, model: nn.Module, device: torch.device, camera: Camera) -> Callable[[NDArray[Any]], Detections]:
        """Return the function from whole trajectories (B, T, S, S) to detections."""
        scored = self.split.scored_frames
        if method_of(model).output == "points":
            points = BatchedPointNetwork(model, device, self.batch)
            return lambda frames: points.detect(frames, camera)
        runner, threshold = BatchedGridNetwork(model, device, self.batch), self.split.recipe.grid_threshold

        def detect(frames: NDArray[Any]) -> Detections:
            if runner.whole_trajectories:
                return detections_from_grid(runner.heat_maps(frames, camera), camera.optics.c, threshold)
            grids = runner.heat_maps(frames[:, scored.start : scored.stop], camera)
            return detections_from_grid(grids, camera.optics.c, threshold).shifted(frame=scored.start)

        return detect
