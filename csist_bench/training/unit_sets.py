"""Units of a training split: in memory, or in groups of whole chunks that are read anew in every epoch.

In memory, frames are one tensor and labels (node, intensity) pairs scattered per batch. Labels follow
`optics.grid_from_targets`: each intensity at the node nearest to its target. A unit is what a batch is made of: one
frame for networks of context "frame", one trajectory for those of context "trajectory".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csist_bench.errors import must
from csist_bench.methods.networks.common.sampling import fit_initialiser
from csist_bench.simulation.optics import Optics

GRIDS_PER_CHUNK = 4096  # label grids made at a time when Q is fitted


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


def epoch_order(seed: int, stage: int, epoch: int, units: int) -> NDArray[Any]:
    """Return the order of the units in one epoch; it depends on the arguments alone, so that a run can be resumed."""
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
    optics, scored, device, sequence_length
        As those of `InMemoryTrainingSet`.
    """

    read: Callable[[int, int], InMemoryTrainingSet]
    bounds: list[tuple[int, int]]
    optics: Optics = field(init=False)
    scored: slice = field(init=False)
    device: torch.device = field(init=False)
    sequence_length: int = field(init=False)
    _per_trajectory: int = field(init=False)
    _held: dict[int, InMemoryTrainingSet] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        first = self.bounds[0][0]
        none = self.read(first, first)  # an empty set, which has the optics and the device of all
        self.optics, self.scored, self.device, self.sequence_length = (
            none.optics,
            none.scored,
            none.device,
            none.sequence_length,
        )
        self._per_trajectory = len(self.read(first, first + 1))

    def __len__(self) -> int:
        return self._per_trajectory * self.bounds[-1][1]

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
