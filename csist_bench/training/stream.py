"""An endless stream of training scenes: drawn, rendered and sensed on the training device.

Batch n of a stage is a function of the seed, the stage and n alone, so a run can be taken up, and no two batches are
alike: there is nothing to over-fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError, must
from csist_bench.methods.networks.common.rendering import SceneLabels, frames_from_targets
from csist_bench.methods.networks.common.sampling import fit_initialiser
from csist_bench.recipes import DataRecipe, frame_range, load_data_recipe
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT, NOISE_FLOOR_INTEGER, saturation_level
from csist_bench.simulation.optics import Optics, label_nodes
from csist_bench.training.stream_recipe import STORED, StreamRecipe
from csist_bench.training.stream_scenes import DrawnScenes, draw_scenes, require_streamable

EPOCH = 102_400  # units that an epoch of a stream is taken to have: about the frames of SeqCSIST
FITTED_BATCHES, FITTED_FRAMES = 16, 1024  # drawn to fit Q

Draw = Callable[[int, torch.Generator], DrawnScenes]


class Source(NamedTuple):
    """Where scenes come from: how they are drawn, the data recipe that says how they are seen, and how often."""

    draw: Draw
    recipe: DataRecipe
    weight: float


@dataclass(frozen=True, eq=False)
class SceneStream:
    """Batches of scenes without end.

    Attributes
    ----------
    sources : tuple of Source
    told : StreamRecipe
    sequence_length : int
        Frames of a unit.
    starts : range
        Frames of a trajectory at which a unit may begin.
    scored : slice
        Frames of a unit that the loss counts.
    grids : bool
        Whether batches are labelled with label grids, or else with `SceneLabels`.
    """

    sources: tuple[Source, ...]
    told: StreamRecipe
    optics: Optics
    sequence_length: int
    starts: range
    scored: slice
    grids: bool
    device: torch.device

    def __len__(self) -> int:
        return EPOCH

    def draw(self, count: int, seed: int) -> tuple[Tensor, Tensor | SceneLabels]:
        """Return frames (B, L, size, size), background subtracted, and labels of `count` units."""
        frames, labels = self._draw(count, seed)
        return frames, (grids_from_targets(labels.xy, labels.intensity, self.optics) if self.grids else labels)

    def initialiser(self, ridge: float) -> NDArray[np.float32]:
        """Return Q fitted to label grids of the stream."""
        return fit_initialiser(self._label_chunks(), self.optics, ridge)

    def _label_chunks(self) -> Iterator[NDArray[np.float32]]:
        for index in range(FITTED_BATCHES):
            labels = self._draw(max(1, FITTED_FRAMES // self.sequence_length), index)[1]
            yield grids_from_targets(labels.xy, labels.intensity, self.optics).flatten(0, 1).cpu().numpy()

    def _draw(self, count: int, seed: int) -> tuple[Tensor, SceneLabels]:
        weights = np.array([source.weight for source in self.sources])
        counts = np.random.default_rng(seed).multinomial(count, weights / weights.sum())
        generator = torch.Generator(self.device).manual_seed(seed)
        parts = [self._part(s, int(n), generator) for s, n in zip(self.sources, counts, strict=True) if n]
        most = max(labels.intensity.shape[-1] for _, labels in parts)
        padded = [_with_slots(labels, most) for _, labels in parts]
        return torch.cat([frames for frames, _ in parts]), SceneLabels(*map(torch.cat, zip(*padded, strict=True)))

    def _part(self, source: Source, count: int, generator: torch.Generator) -> tuple[Tensor, SceneLabels]:
        scenes = source.draw(count, generator)
        bounds, device = (self.starts.start, self.starts.stop), self.device
        first = torch.randint(*bounds, (count, 1), generator=generator, device=device)
        unit = torch.arange(count, device=device)[:, None], first + torch.arange(self.sequence_length, device=device)
        xy, intensity = scenes.xy[unit], scenes.intensity[unit]  # (N, L, K, 2), (N, L, K)
        radiance = frames_from_targets(xy, intensity, self.optics.psf_sigma, self.optics.size)
        frames, noise, saturation = sense(radiance, source.recipe, self.told, generator)
        return frames, SceneLabels(xy, intensity, noise, saturation)


def sense(
    radiance: Tensor, recipe: DataRecipe, told: StreamRecipe, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Pass rendered frames (N, L, H, W) through the sensor, as `csist_bench.simulation.sensor.sense` does.

    Returns
    -------
    frames : Tensor, shape (N, L, H, W), background subtracted
    noise : Tensor, shape (N,)
        What a method is told of the noise, with the floors of `csist_bench.simulation.sensor`.
    saturation : Tensor, shape (N,)
        Level above the background at which pixels clip.
    """
    n = len(radiance)

    def uniform(bounds: tuple[float, ...]) -> Tensor:
        low, high = bounds
        return low + (high - low) * torch.rand(n, generator=generator, device=radiance.device)

    own = recipe.background_mean if recipe.background == "constant" else 0.0
    background = uniform(told.background or (own, own))
    sigma = uniform(told.noise or (recipe.noise_sigma, recipe.noise_sigma))
    sigma = torch.where(uniform((0.0, 1.0)) < told.noise_free, 0.0, sigma)
    whole = (uniform((0.0, 1.0)) < told.eight_bit) | bool(recipe.bits)
    own_limit = saturation_level(recipe)
    limit = torch.where(whole, own_limit if recipe.bits else min(own_limit, 255.0), own_limit)
    draws = torch.randn(radiance.shape, generator=generator, device=radiance.device)
    level, scale, most, rounds = (x[:, None, None, None] for x in (background, sigma, limit, whole))
    frames = radiance + level + scale * draws
    frames = torch.where(rounds, frames.round().clamp_min(0.0), frames).minimum(most) - level
    floor = torch.where(whole, NOISE_FLOOR_INTEGER, NOISE_FLOOR_FLOAT)
    return frames, sigma.maximum(floor), limit - background


def _with_slots(labels: SceneLabels, slots: int) -> SceneLabels:
    """Pad labels with absent targets."""
    missing = slots - labels.intensity.shape[-1]
    return labels._replace(
        xy=functional.pad(labels.xy, (0, 0, 0, missing), value=float("nan")),
        intensity=functional.pad(labels.intensity, (0, missing), value=float("nan")),
    )


def grids_from_targets(xy: Tensor, intensity: Tensor, optics: Optics) -> Tensor:
    """Return label grids (..., c * size, c * size) as `optics.grid_from_targets` does."""
    n = optics.grid_size
    index, inside = label_nodes(torch, xy, optics.c, n)
    grids = torch.zeros((*xy.shape[:-2], n * n), dtype=intensity.dtype, device=xy.device)
    grids.scatter_add_(-1, index.long(), intensity.where(inside & ~intensity.isnan(), 0.0))
    return grids.reshape(*xy.shape[:-2], n, n)


# --- from a recipe ---------------------------------------------------------------------------------------------------


def scene_stream(
    store: Dataset, told: StreamRecipe, frames: str, grids: bool, whole_trajectories: bool, device: torch.device
) -> SceneStream:
    """Open the stream of a recipe.

    Parameters
    ----------
    store : Dataset
        Data set that is validated on; its optics must be the stream's. Its training split is the source "stored".
    frames : {"all", "scored"}
        Where in a trajectory units of a single frame are taken.
    grids : bool
        Whether the network learns from label grids.
    whole_trajectories : bool
        Whether units are whole trajectories, where the recipe leaves their length open.
    """
    sources = tuple(_source(store, name, weight, device) for name, weight in told.scenes.items())
    optics = Optics.from_recipe(store.recipe)
    for source in sources:
        if Optics.from_recipe(source.recipe) != optics:
            raise must(f"{source.recipe.name}: optics", f"be those of the data {optics}", source.recipe.name)
    total = min(source.recipe.frames for source in sources)
    length = told.length or (total if whole_trajectories else 1)
    if length > total:
        raise must("stream.length", f"be at most the {total} frames of a trajectory", length)
    scored = frame_range(sources[0].recipe.scored_frames, sources[0].recipe.frames)
    starts = scored if frames == "scored" and length == 1 else range(total - length + 1)
    counted = slice(scored.start, scored.stop) if not told.length and whole_trajectories else slice(0, length)
    if any(s.recipe.frames != total for s in sources) and counted != slice(0, length):
        raise InputError("stream.scenes must have trajectories of one length to be drawn whole; set stream.length")
    return SceneStream(sources, told, optics, length, starts, counted, grids, device)


def _source(store: Dataset, name: str, weight: float, device: torch.device) -> Source:
    if name == STORED:
        return Source(_stored_scenes(store, device), store.recipe, weight)
    recipe = load_data_recipe(name)
    require_streamable(recipe)
    return Source(partial(draw_scenes, recipe), recipe, weight)


def _stored_scenes(store: Dataset, device: torch.device) -> Draw:
    """Return a draw, with replacement, from the targets of the training split."""
    split = store.split("train")
    xy = torch.from_numpy(split.target_xy[:]).float().to(device)
    intensity = torch.from_numpy(split.target_intensity[:]).float().to(device)

    def draw(count: int, generator: torch.Generator) -> DrawnScenes:
        index = torch.randint(len(xy), (count,), generator=generator, device=device)
        return DrawnScenes(xy[index], intensity[index])

    return draw
