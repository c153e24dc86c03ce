"""Endless scenes of a recipe as an iterable PyTorch data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch.utils.data import IterableDataset, get_worker_info

from csist_bench.errors import must
from csist_bench.recipes import DataRecipe, frame_range, load_data_recipe
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import render_shard
from csist_bench.torch.samples import Cut, Labels, Transform, checked_labels, checked_window, sample_at

BLOCK = 32  # trajectories rendered at a time
SEED = 2**31  # of streams: no set is made with it by default


class StreamDataset(IterableDataset[Any]):
    """Scenes of a data recipe without end, rendered as they are needed: none is seen twice.

    Samples are those of `SequenceDataset`. Workers of a `DataLoader`, and the processes of DDP, draw different scenes:
    each takes every n-th block of trajectories. The scenes are a function of the recipe, the seed and the number of
    readers alone.

    Parameters
    ----------
    recipe : str, path or DataRecipe
        A shipped data recipe, a TOML file, or a recipe.
    noise : float, optional, grey levels
        Read noise in place of the recipe's.
    window, labels, transform
        As of `SequenceDataset`; one window of each trajectory is taken, about each frame that counts in turn.
    seed : int
        Differs from that of the set one scores on: a set of the same recipe and seed holds the same scenes.

    Raises
    ------
    InputError
        If the recipe, `window` or `labels` is none, or the seed is that of the shipped recipe's own set.

    Examples
    --------
    >>> from csist_bench.torch import StreamDataset
    >>> sample = next(iter(StreamDataset("seqcsist", noise=2.0, window=1)))
    >>> sample["frames"].shape
    torch.Size([1, 11, 11])
    """

    def __init__(
        self,
        recipe: str | Path | DataRecipe,
        *,
        noise: float | None = None,
        window: int | None = 5,
        labels: Labels = "grid",
        transform: Transform | None = None,
        seed: int = SEED,
    ) -> None:
        given = recipe if isinstance(recipe, DataRecipe) else load_data_recipe(str(recipe))
        if seed == given.seed:
            rule = "differ from that of the recipe, whose set is for validation and test"
            raise must("seed", rule, seed)
        changes: dict[str, Any] = {"seed": seed} | ({} if noise is None else {"noise_sigma": noise})
        self.recipe = msgspec.structs.replace(given, **changes)
        self.labels, self.transform = checked_labels(labels), transform
        self.window = checked_window(window, self.recipe.frames)
        self.scored_frames = frame_range(self.recipe.scored_frames, self.recipe.frames)
        self.optics = Optics.from_recipe(self.recipe)
        self._cut = Cut(self.window, self.labels, self.optics, self.recipe.label_collision)

    def __iter__(self) -> Iterator[Any]:
        reader, readers = _place()
        block = reader
        while True:
            yield from self._block(range(block * BLOCK, (block + 1) * BLOCK))
            block += readers

    def _block(self, trajectories: range) -> Iterator[Any]:
        shard = render_shard(self.recipe, trajectories)
        xy, intensity = shard.scenes.xy, shard.scenes.intensity
        for i, n in enumerate(trajectories):
            frame = 0 if self.window is None else self.scored_frames[n % len(self.scored_frames)]
            sample = sample_at(n, frame, (shard.frames[i], xy[i], intensity[i]), self._cut)
            yield sample if self.transform is None else self.transform(sample)


def _place() -> tuple[int, int]:
    """Return which reader this is and of how many: workers of processes."""
    worker = get_worker_info()
    own, workers = (worker.id, worker.num_workers) if worker else (0, 1)
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    rank, world = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if distributed else (0, 1)
    return rank * workers + own, world * workers
