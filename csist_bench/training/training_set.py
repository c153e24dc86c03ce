"""A training split as batches: frames as one tensor, labels as (node, intensity) pairs scattered per batch.

A split that fits in memory is read once, a larger one in groups of whole chunks, anew in every epoch. Labels follow
`optics.grid_from_targets`: each intensity at the node nearest to its target. Kept sparse they take K numbers a frame
instead of (c * size)^2. A unit is what a batch is made of: one frame for networks of context "frame", one trajectory
for those of context "trajectory".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csist_bench.datasets import Split
from csist_bench.datasets.layout import chunk_length
from csist_bench.errors import InputError, must
from csist_bench.methods.networks.common.sampling import fit_initialiser
from csist_bench.simulation.optics import Optics, nearest_node
from csist_bench.simulation.sensor import Camera
from csist_bench.training.recipe import TrainingRecipe

GRIDS_PER_CHUNK = 4096  # label grids made at a time when Q is fitted
BYTES_PER_TARGET = 12
# Of a split read in groups: one or two are held, and reading one takes the room of about two more.
GROUPS_IN_MEMORY = 4


@dataclass(frozen=True, eq=False)
class InMemoryTrainingSet:
    """M units of T frames, on one device.

    Attributes
    ----------
    frames : float32 Tensor, shape (M, T, size, size), grey levels, background subtracted
    node : int64 Tensor, shape (M, T, K)
        Flat index of each target's label node; 0 where there is none.
    intensity : float32 Tensor, shape (M, T, K), grey levels
        Intensity of each target; 0 where there is none.
    scored : slice
        Frames of a unit that the loss counts.
    """

    frames: Tensor
    node: Tensor
    intensity: Tensor
    optics: Optics
    scored: slice

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def device(self) -> torch.device:
        """Where the frames lie."""
        return self.frames.device

    @property
    def sequence_length(self) -> int:
        """Frames of a unit."""
        return self.frames.shape[1]

    def epoch_order(self, seed: int, stage: int, epoch: int) -> NDArray[Any]:
        """Return the order in which an epoch takes the units."""
        return epoch_order(seed, stage, epoch, len(self))

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames (B, T, size, size) and label grids (B, T, c * size, c * size) of units `index` (B,)."""
        frames, node, intensity = self.frames[index], self.node[index], self.intensity[index]
        n = self.optics.grid_size
        grids = torch.zeros((*node.shape[:2], n * n), device=node.device)
        return frames, grids.scatter_add_(-1, node, intensity).reshape(*node.shape[:2], n, n)

    def initialiser(self, ridge: float) -> NDArray[np.float32]:
        """Return Q fitted to the label grids of this set."""
        return fit_initialiser(self.label_chunks(), self.optics, ridge)

    def label_chunks(self) -> Iterator[NDArray[np.float32]]:
        """Yield all label grids (n, c * size, c * size), some thousands at a time."""
        units = max(1, GRIDS_PER_CHUNK // self.sequence_length)
        n = self.optics.grid_size
        for start in range(0, len(self), units):
            index = torch.arange(start, min(start + units, len(self)), device=self.device)
            yield self.batch(index)[1].reshape(-1, n, n).cpu().numpy()

    def windowed(self, size: int) -> InMemoryTrainingSet:
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
        return replace(self, frames=frames, node=node, intensity=self.intensity * inside, optics=optics)

    def _corners(self, size: int) -> Tensor:
        """Return the first row and column of each unit's window, (M, 2)."""
        brightest = self.frames.mean(dim=1).flatten(1).argmax(dim=1)
        pixel = torch.stack([brightest // self.optics.size, brightest % self.optics.size], dim=1)
        return (pixel - size // 2).clamp(0, self.optics.size - size)


@dataclass(eq=False)
class ChunkedTrainingSet:
    """Units of a split larger than memory, read a group of neighbouring trajectories at a time.

    An epoch takes the groups in random order and the units of each in random order, so that a batch needs one group, or
    two where these meet.

    Attributes
    ----------
    read : callable
        From the bounds start, stop of trajectories to their units.
    bounds : list of (int, int)
        First trajectory of each group and the one behind its last; all but the last group are of one length.
    """

    read: Callable[[int, int], InMemoryTrainingSet]
    bounds: list[tuple[int, int]]
    _none: InMemoryTrainingSet = field(init=False)  # says of what kind the units are
    _per_trajectory: int = field(init=False)
    _held: dict[int, InMemoryTrainingSet] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        first = self.bounds[0][0]
        self._none, self._per_trajectory = self.read(first, first), len(self.read(first, first + 1))

    def __len__(self) -> int:
        return self._per_trajectory * self.bounds[-1][1]

    @property
    def optics(self) -> Optics:
        """Optics of the units' frames."""
        return self._none.optics

    @property
    def scored(self) -> slice:
        """Frames of a unit that the loss counts."""
        return self._none.scored

    @property
    def device(self) -> torch.device:
        """Where batches lie."""
        return self._none.device

    @property
    def sequence_length(self) -> int:
        """Frames of a unit."""
        return self._none.sequence_length

    def epoch_order(self, seed: int, stage: int, epoch: int) -> NDArray[Any]:
        """Return the order in which an epoch takes the units: group by group."""
        generator = np.random.default_rng([seed, stage, epoch])
        groups = generator.permutation(self._per_trajectory * np.array(self.bounds))
        return np.concatenate([start + generator.permutation(stop - start) for start, stop in groups])

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames and label grids of units `index` (B,); see `InMemoryTrainingSet.batch`."""
        length = self._per_trajectory * self.bounds[0][1]
        group = torch.div(index, length, rounding_mode="floor")
        needed = sorted(set(group.tolist()))
        parts = [self._group(g).batch(index[group == g] - g * length) for g in needed]
        # Where the parts, put behind one another, hold each of the batch's units.
        place = torch.cat([torch.nonzero(group == g)[:, 0] for g in needed]).argsort()
        return torch.cat([frames for frames, _ in parts])[place], torch.cat([labels for _, labels in parts])[place]

    def initialiser(self, ridge: float) -> NDArray[np.float32]:
        """Return Q fitted to the label grids of this set."""
        chunks = (chunk for g in range(len(self.bounds)) for chunk in self._group(g).label_chunks())
        return fit_initialiser(chunks, self.optics, ridge)

    def windowed(self, size: int) -> ChunkedTrainingSet:
        """Return the crops of `size` x `size` px; see `InMemoryTrainingSet.windowed`."""
        return ChunkedTrainingSet(lambda start, stop: self.read(start, stop).windowed(size), self.bounds)

    def _group(self, index: int) -> InMemoryTrainingSet:
        if index not in self._held:
            self._held = dict(list(self._held.items())[-1:])  # the last one may end within the batch
            self._held[index] = self.read(*self.bounds[index])
        return self._held[index]


TrainingSet = InMemoryTrainingSet | ChunkedTrainingSet


def training_set(split: Split, recipe: TrainingRecipe, whole_trajectories: bool, device: torch.device) -> TrainingSet:
    """Return a split as units for training: in memory, or read in groups if it would take more than `max_ram` GB.

    Raises
    ------
    InputError
        If the split holds no target, or its chunks are too large for `max_ram`.
    """
    count = min(recipe.trajectories or split.n_trajectories, split.n_trajectories)
    bounds = _group_bounds(split, count, recipe.max_ram)
    if not any(_labels(split, *group)[1].any() for group in bounds):
        raise InputError(f"the {split.name} split must hold at least one target on the grid to train on, got none")
    read = partial(_read, split, recipe, whole_trajectories, device)
    return ChunkedTrainingSet(read, bounds) if len(bounds) > 1 else read(0, count)


def _read(
    split: Split, recipe: TrainingRecipe, whole_trajectories: bool, device: torch.device, start: int, stop: int
) -> InMemoryTrainingSet:
    """Read trajectories start..stop-1 into memory."""
    node, intensity = _labels(split, start, stop, recipe.label_falloff)
    background = Camera.from_recipe(split.recipe).background
    frames = np.subtract(split.read("frames", start, stop), background, dtype=np.float32)
    scored = slice(split.scored_frames.start, split.scored_frames.stop)
    arrays: list[NDArray[Any]] = [frames, node, intensity]
    if not whole_trajectories:
        used = scored if recipe.frames == "scored" else slice(None)
        units = (stop - start) * len(range(split.n_frames)[used])
        arrays = [array[:, used].reshape(units, 1, *array.shape[2:]) for array in arrays]
        scored = slice(0, 1)
    on_frames, on_node, on_intensity = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
    return InMemoryTrainingSet(on_frames, on_node, on_intensity, Optics.from_recipe(split.recipe), scored)


def _labels(split: Split, start: int, stop: int, falloff: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    xy, intensity = split.read("target_xy", start, stop), split.read("target_intensity", start, stop)
    return sparse_labels(xy, intensity, Optics.from_recipe(split.recipe), split.recipe.label_collision, falloff)


def sparse_labels(
    xy: NDArray[np.float64], intensity: NDArray[np.float64], optics: Optics, collision: str, falloff: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the flat node (..., K) and intensity (..., K) of every target; 0 and 0 for absent and off-grid ones.

    With `collision` "last", targets on a node that a later one takes are put out, so that sums give the last.
    An intensity is lowered by the share `falloff` for each pixel between its target and its node.
    """
    n = optics.grid_size
    present = np.asarray(np.isfinite(xy).all(axis=-1))
    place = nearest_node(np.where(present[..., None], xy, -1e6), optics.c)
    present = present & ((place >= 0) & (place < n)).all(axis=-1)
    node = np.where(present, place[..., 1] * n + place[..., 0], 0)
    distance = np.linalg.norm(xy - (place - (optics.c - 1) / 2) / optics.c, axis=-1)
    lowered = np.where(present, intensity * (1 - falloff * np.where(present, distance, 0.0)), 0.0)
    if collision == "last":
        for later in range(1, node.shape[-1]):
            taken = present[..., later, None] & (node[..., :later] == node[..., later, None])
            lowered[..., :later] = np.where(taken, 0.0, lowered[..., :later])
    return node, lowered.astype(np.float32)


def _group_bounds(split: Split, trajectories: int, max_ram: float) -> list[tuple[int, int]]:
    """Return the bounds of the groups that are read at a time: one of everything if that fits, else whole chunks."""
    recipe = split.recipe
    each = 1e-9 * split.n_frames * (4 * recipe.size**2 + BYTES_PER_TARGET * recipe.k_max)  # GB of a trajectory
    if trajectories * each <= max_ram:
        return [(0, trajectories)]
    chunk = chunk_length(recipe)
    length = int(max_ram / GROUPS_IN_MEMORY / each) // chunk * chunk
    if not length:
        raise InputError(
            f"max_ram must be at least {GROUPS_IN_MEMORY * chunk * each:.3g} GB, {GROUPS_IN_MEMORY} chunks of the "
            f"{split.name} split, got {max_ram:g}; raise it, or train on part of the split with "
            f"--set trajectories={int(max_ram / each)}"
        )
    return [(start, min(start + length, trajectories)) for start in range(0, trajectories, length)]


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
