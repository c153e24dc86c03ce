"""A split of a data set as a map-style PyTorch data set."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from csist_bench.datasets import Split, open_dataset
from csist_bench.simulation.optics import Optics
from csist_bench.torch.samples import Cut, Labels, Transform, checked_labels, checked_window, sample_at

IN_MEMORY = 2 * 2**30  # bytes of a split's frames up to which they are read once and kept


class SequenceDataset(TorchDataset[Any]):
    """Windows of frames of a split, with labels; for `DataLoader` with any number of workers, and for DDP.

    Each sample is a dictionary of tensors:

    - `frames`: (window, size, size) float32, grey levels; (T, size, size) where `window` is None. Beyond either end of
      a trajectory its last frame is repeated.
    - with labels "grid", `grid`: (c * size, c * size) float32, grey levels, of the middle frame; (T, ...) where
      `window` is None.
    - with labels "points", `xy`: (K, 2) px and `intensity`: (K,) grey levels of the middle frame, NaN where there are
      fewer targets; (T, ...) where `window` is None.
    - `trajectory` and `frame`: which one it is, int64; `frame` is that of the middle, 0 where `window` is None.

    Parameters
    ----------
    path : path or str
        A data set; a store that is written by `csist-bench generate`.
    split : str
    window : int, optional
        Frames of a sample, odd; None: whole trajectories.
    scored : bool
        Take only frames that count as middles of windows; else every frame. Whole trajectories always have all of
        theirs: `scored_frames` says which of them count.
    labels : {"grid", "points"}
    transform : callable, optional
        Takes a sample and returns what the data set is to hold in its place.

    Raises
    ------
    InputError
        If there is no such data set or split, or `window` or `labels` is none.

    Examples
    --------
    >>> from csist_bench.torch import SequenceDataset
    >>> data = SequenceDataset("data/sample/seqcsist.zarr", "test", window=5)
    >>> data[0]["frames"].shape, data[0]["grid"].shape
    (torch.Size([5, 11, 11]), torch.Size([33, 33]))
    """

    def __init__(
        self,
        path: str | Path,
        split: str = "train",
        *,
        window: int | None = 5,
        scored: bool = True,
        labels: Labels = "grid",
        transform: Transform | None = None,
    ) -> None:
        self.path, self.name = str(path), split
        self.labels, self.transform = checked_labels(labels), transform
        part = self._part
        self.window = checked_window(window, part.n_frames)
        self.scored_frames = part.scored_frames
        self.optics = Optics.from_recipe(part.recipe)
        self._cut = Cut(self.window, self.labels, self.optics, part.recipe.label_collision)
        self._middles = [0] if self.window is None else list(part.scored_frames if scored else range(part.n_frames))
        self._length = part.n_trajectories * len(self._middles)

    @cached_property
    def _part(self) -> Split:
        """The split, opened once in each process."""
        return open_dataset(self.path).split(self.name)

    @cached_property
    def _held(self) -> dict[str, NDArray[Any]]:
        """Arrays that are read once and kept: targets, and frames that fit."""
        part = self._part
        held = {"target_xy": part.target_xy, "target_intensity": part.target_intensity}
        size = part.n_trajectories * part.n_frames * part.recipe.size**2 * 4
        return held | ({"frames": part.frames} if size <= IN_MEMORY else {})

    def __getstate__(self) -> dict[str, Any]:
        """Leave open stores and read arrays behind: a worker opens its own."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_part", "_held")}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        if not -self._length <= index < self._length:
            raise IndexError(f"index must be in [0, {self._length}), got {index}")
        n, place = divmod(index % self._length, len(self._middles))
        frame = self._middles[place]
        frames, xy, intensity = (self._trajectory(name, n) for name in ("frames", "target_xy", "target_intensity"))
        sample = sample_at(n, frame, (frames, xy, intensity), self._cut)
        return sample if self.transform is None else self.transform(sample)

    def _trajectory(self, name: str, n: int) -> NDArray[Any]:
        if name in self._held:
            return np.asarray(self._held[name][n])
        return np.asarray(self._part.read(name, n, n + 1)[0])
