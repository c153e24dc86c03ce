"""Units of a training split larger than memory, read in groups of whole chunks, anew in every epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csist_bench.methods.networks.common.sampling import fit_initialiser
from csist_bench.simulation.optics import Optics
from csist_bench.training.in_memory_set import InMemoryTrainingSet


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
    _none: InMemoryTrainingSet = field(init=False)  # an empty set, which has the optics and the device of all
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
