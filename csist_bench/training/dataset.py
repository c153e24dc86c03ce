"""A training split in memory: frames as one tensor, labels as (node, intensity) pairs scattered per batch.

The split is read once. Labels follow `optics.grid_from_targets`: each intensity at the node nearest to its target.
Kept sparse they take K numbers a frame instead of (c * size)^2. A unit is what a batch is made of: one frame for
networks of context "frame", one trajectory for those of context "trajectory".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csist_bench.checks import InputError, must
from csist_bench.models.layers.sampling import fit_initialiser
from csist_bench.optics import Optics, nearest_node
from csist_bench.sensor import Instrument
from csist_bench.store import Split
from csist_bench.training.recipe import TrainingRecipe

GRIDS_PER_CHUNK = 4096  # label grids made at a time when Q is fitted
BYTES_PER_TARGET = 12


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """M units of T frames, on one device.

    Attributes
    ----------
    frames : float32 Tensor, shape (M, T, size, size), grey levels, background subtracted
    node : int64 Tensor, shape (M, T, K)
        Flat index of each target's label node; 0 where there is none.
    light : float32 Tensor, shape (M, T, K), grey levels
        Intensity of each target; 0 where there is none.
    scored : slice
        Frames of a unit that the loss counts.
    """

    frames: Tensor
    node: Tensor
    light: Tensor
    optics: Optics
    scored: slice

    def __len__(self) -> int:
        return len(self.frames)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames (B, T, size, size) and label grids (B, T, c * size, c * size) of units `index` (B,)."""
        frames, node, light = self.frames[index], self.node[index], self.light[index]
        n = self.optics.grid_size
        grids = torch.zeros((*node.shape[:2], n * n), device=node.device)
        return frames, grids.scatter_add_(-1, node, light).reshape(*node.shape[:2], n, n)

    def initialiser(self, ridge: float) -> NDArray[np.float32]:
        """Return Q fitted to the label grids of this set."""
        return fit_initialiser(self._label_chunks(), self.optics, ridge)

    def _label_chunks(self) -> Iterator[NDArray[np.float32]]:
        units = max(1, GRIDS_PER_CHUNK // self.frames.shape[1])
        n = self.optics.grid_size
        for start in range(0, len(self), units):
            index = torch.arange(start, min(start + units, len(self)), device=self.frames.device)
            yield self.batch(index)[1].reshape(-1, n, n).cpu().numpy()

    def windowed(self, size: int) -> TrainingSet:
        """Return the crops of `size` x `size` px about each unit's brightest pixel, with their label windows.

        A window at the border is moved inwards; targets outside a window are left out of its labels.
        """
        full, optics = self.optics, replace(self.optics, size=size)
        if not size <= full.size:
            raise must("window size", f"be at most the frame's {full.size} px", size)
        corner = self._corners(size)  # (M, 2), (row, column)
        pixel = corner[:, :, None] + torch.arange(size, device=corner.device)  # (M, 2, size)
        unit = torch.arange(len(self), device=corner.device)[:, None, None]
        # Advanced indices about a slice put the picked axes first: (M, size, size, T).
        frames = self.frames[unit, :, pixel[:, 0, :, None], pixel[:, 1, None, :]].permute(0, 3, 1, 2).contiguous()
        shift = full.c * corner[:, :, None, None]  # (M, 2, 1, 1) nodes
        row = torch.div(self.node, full.grid_size, rounding_mode="floor") - shift[:, 0]
        column = self.node % full.grid_size - shift[:, 1]
        inside = (row >= 0) & (row < optics.grid_size) & (column >= 0) & (column < optics.grid_size)
        node = torch.where(inside, row * optics.grid_size + column, 0)
        return replace(self, frames=frames, node=node, light=self.light * inside, optics=optics)

    def _corners(self, size: int) -> Tensor:
        """Return the first row and column of each unit's window, (M, 2)."""
        brightest = self.frames.mean(dim=1).flatten(1).argmax(dim=1)
        pixel = torch.stack([brightest // self.optics.size, brightest % self.optics.size], dim=1)
        return (pixel - size // 2).clamp(0, self.optics.size - size)


def training_set(split: Split, recipe: TrainingRecipe, whole_trajectories: bool, device: torch.device) -> TrainingSet:
    """Read a split into memory as units for training.

    Raises
    ------
    InputError
        If the split would take more memory than `recipe.max_ram` GB, or holds no target.
    """
    count = min(recipe.trajectories or split.n_trajectories, split.n_trajectories)
    _require_room(split, count, recipe.max_ram)
    data = split.recipe
    xy, intensity = split.target_xy[:count], split.target_intensity[:count]
    node, light = sparse_labels(xy, intensity, Optics.from_recipe(data), data.label_collision)
    if not light.any():
        raise InputError(f"the {split.name} split must hold at least one target on the grid to train on, got none")
    background = Instrument.from_recipe(data).background
    frames = np.subtract(split.frames[:count], background, dtype=np.float32)
    scored = slice(split.scored_frames.start, split.scored_frames.stop)
    arrays: list[NDArray[Any]] = [frames, node, light]
    if not whole_trajectories:
        used = scored if recipe.frames == "scored" else slice(None)
        arrays = [array[:, used].reshape(-1, 1, *array.shape[2:]) for array in arrays]
        scored = slice(0, 1)
    on_frames, on_node, on_light = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
    return TrainingSet(on_frames, on_node, on_light, Optics.from_recipe(data), scored)


def sparse_labels(
    xy: NDArray[np.float64], intensity: NDArray[np.float64], optics: Optics, collision: str
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the flat node (..., K) and intensity (..., K) of every target; 0 and 0 for absent and off-grid ones.

    With `collision` "last", targets on a node that a later one takes are put out, so that sums give the last.
    """
    n = optics.grid_size
    present = np.asarray(np.isfinite(xy).all(axis=-1))
    place = nearest_node(np.where(present[..., None], xy, -1e6), optics.c)
    present = present & ((place >= 0) & (place < n)).all(axis=-1)
    node = np.where(present, place[..., 1] * n + place[..., 0], 0)
    light = np.where(present, intensity, 0.0)
    if collision == "last":
        for later in range(1, node.shape[-1]):
            taken = present[..., later, None] & (node[..., :later] == node[..., later, None])
            light[..., :later] = np.where(taken, 0.0, light[..., :later])
    return node, light.astype(np.float32)


def _require_room(split: Split, trajectories: int, max_ram: float) -> None:
    recipe = split.recipe
    per_frame = 4 * recipe.size**2 + BYTES_PER_TARGET * recipe.k_max
    needed = trajectories * split.n_frames * per_frame * 1e-9
    if needed > max_ram:
        fits = int(trajectories * max_ram / needed)
        raise InputError(
            f"max_ram must be at least the {needed:.3g} GB of the {split.name} split, got {max_ram:g}; "
            f"raise it, or train on part of the split with --set trajectories={fits}"
        )


def epoch_order(seed: int, stage: int, epoch: int, units: int) -> NDArray[Any]:
    """Return the order of the units in one epoch; it depends on the arguments alone, so a run can be taken up."""
    return np.random.default_rng([seed, stage, epoch]).permutation(units)


def transform_batch(frames: Tensor, labels: Tensor, flips: Tensor) -> tuple[Tensor, Tensor]:
    """Turn each unit by one of the square's eight symmetries, frames and labels alike.

    `flips` is boolean, (3, B): whether to reverse the columns, reverse the rows, and transpose, in that order.
    """
    reverse_columns, reverse_rows, transpose = flips[..., None, None, None]

    def turned(grids: Tensor) -> Tensor:
        grids = torch.where(reverse_columns, grids.flip(-1), grids)
        grids = torch.where(reverse_rows, grids.flip(-2), grids)
        return torch.where(transpose, grids.mT, grids)

    return turned(frames), turned(labels)
