"""A set of units for tests, without a data set on disk."""

import torch

from csist_bench.simulation.optics import Optics
from csist_bench.training.unit_sets import InMemoryTrainingSet


def random_units(count: int, size: int = 5, frames: int = 1) -> InMemoryTrainingSet:
    """Return units of random frames, each with one target of 100 grey levels; unit i has the value i in pixel 0."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(count, frames, size, size, generator=generator)
    pixels[:, :, 0, 0] = torch.arange(count)[:, None].float()
    node = torch.randint((3 * size) ** 2, (count, frames, 1), generator=generator)
    return InMemoryTrainingSet(pixels, node, torch.full((count, frames, 1), 100.0), Optics(size=size), slice(0, frames))
