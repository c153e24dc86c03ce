"""Scenes drawn on the training device, by the laws of `csist_bench.simulation.scene_law` with torch's random numbers.

The same distributions as the simulator's, not the same draws: there each trajectory has a stream of its own, here a
whole batch is drawn at once. Vectors of scenes are worked through as tensors, rejected ones are drawn again.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from csist_bench.errors import InputError, must
from csist_bench.recipes import REFERENCE, DataRecipe
from csist_bench.simulation import scene_law
from csist_bench.simulation.scenes import LAYOUTS

_LEAST_ARM = 1e-9  # px: once in 2^24 draws a free target falls on the reference point itself
MAX_ROUNDS = 200  # draws of paths for one batch
MAX_ATTEMPTS = 2000  # at placing the targets of a scene
CANDIDATES = 4  # paths drawn at a time for each one that is wanted


class DrawnScenes(NamedTuple):
    """N scenes: `xy` (N, T, K, 2) px and `intensity` (N, T, K) grey levels, NaN where there is no target."""

    xy: Tensor
    intensity: Tensor


def require_streamable(recipe: DataRecipe) -> None:
    """Raise unless the recipe's scenes and sensor can be drawn on a device."""
    if recipe.directions in ("given", "pairs"):
        raise must("stream", "be a recipe that draws its targets, and not in pairs", recipe.name)
    if recipe.background not in ("none", "constant"):
        raise must(f"{recipe.name}: background", "be none or constant to be streamed", recipe.background)
    if recipe.shot_gain:
        raise must(f"{recipe.name}: shot_gain", "be 0 to be streamed", recipe.shot_gain)
    if recipe.label_collision != "sum":
        raise must(f"{recipe.name}: label_collision", "be 'sum' to be streamed", recipe.label_collision)


def draw_scenes(recipe: DataRecipe, count: int, generator: torch.Generator) -> DrawnScenes:
    """Draw `count` scenes of a recipe on the generator's device."""
    k = recipe.k_max
    targets = recipe.k_min + torch.randint(
        recipe.k_max - recipe.k_min + 1, (count, 1), generator=generator, device=generator.device
    )
    unused = torch.arange(k, device=generator.device) >= targets  # (N, K)
    intensity = _uniform((count, k), recipe.intensity_min, recipe.intensity_max, generator)
    if recipe.directions == "pixel":
        start = _scattered(recipe, targets[:, 0], generator) + recipe.reference
        xy = start[:, None].expand(count, recipe.frames, k, 2)
    else:
        arms = _arms(recipe, targets[:, 0], generator)
        path, angle = draw_paths(recipe, count, generator)
        if recipe.rotate:
            arms = _as_tensor(scene_law.turned(torch, arms, angle, about=0.0))
        xy = path[:, :, None] + recipe.shift + arms
    nan = float("nan")
    over_time = intensity.masked_fill(unused, nan)[:, None].expand(xy.shape[:-1])
    return DrawnScenes(xy.masked_fill(unused[:, None, :, None], nan), over_time)


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    return _as_tensor(scene_law.uniform(_rand(shape, generator), low, high))


def _rand(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def _as_tensor(value: Any) -> Tensor:
    """Say to type checkers what the laws give back where tensors go in."""
    assert isinstance(value, Tensor)
    return value


def _arms(recipe: DataRecipe, targets: Tensor, generator: torch.Generator) -> Tensor:
    """Return the targets' places about the reference point, (N, T, K, 2) px."""
    n, k = len(targets), recipe.k_max
    if recipe.directions == "free":
        direction, scale = _scattered(recipe, targets, generator), torch.ones((n, 1), device=generator.device)
    else:
        layout = torch.tensor(LAYOUTS[recipe.directions], dtype=torch.float32, device=generator.device)
        order = torch.rand((n, len(layout)), generator=generator, device=generator.device).argsort(dim=1)
        direction, scale = layout[order[:, :k]], _uniform((n, 1), recipe.radius_min, recipe.radius_max, generator)
    norm = direction.norm(dim=-1).clamp_min(_LEAST_ARM)
    u = _rand((n, recipe.frames, k), generator)
    return _as_tensor(scene_law.grown(torch, recipe, direction / norm.unsqueeze(-1), scale * norm, u))


# --- paths -----------------------------------------------------------------------------------------------------------


def draw_paths(recipe: DataRecipe, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return reference paths (N, T, 2) px, already turned, and the angle of each scene (N,) rad."""
    paths, angles, found = [], [], 0
    for _ in range(MAX_ROUNDS):
        path, angle, kept = _candidates(recipe, CANDIDATES * count, generator)
        paths.append(path[kept])
        angles.append(angle[kept])
        found += len(angles[-1])
        if found >= count:
            return torch.cat(paths)[:count], torch.cat(angles)[:count]
    raise InputError(
        f"{recipe.name}: too few paths were accepted; widen path_min..path_max or slope_max, or shorten frames"
    )


def _candidates(recipe: DataRecipe, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Draw paths (M, T, 2) with their angles (M,) and whether they are accepted."""
    device = generator.device
    starts = recipe.start_max - recipe.start_min + 1
    x0 = recipe.start_min + torch.randint(starts, (count, 1), generator=generator, device=device)
    x = _as_tensor(scene_law.first_coordinates(torch, recipe, x0, torch.arange(recipe.frames, device=device)))
    kind = torch.randint(len(recipe.curves), (count, 1), generator=generator, device=device)
    y, slope = torch.full_like(x, float("nan")), torch.full_like(x, float("nan"))
    for index, curve in enumerate(recipe.curves):
        drawn = [_rand((count, 1), generator) for _ in range(scene_law.CURVE_DRAWS[curve])]
        height, rise = scene_law.CURVES[curve](torch, recipe, x, drawn)
        y, slope = torch.where(kind == index, height, y), torch.where(kind == index, rise, slope)
    kept = _as_tensor(scene_law.is_path(torch, recipe, y, slope))
    path, angle = torch.stack([x, y], dim=-1), torch.zeros(count, device=device)
    if recipe.rotate:
        angle = _uniform((count,), 0.0, 2 * math.pi, generator)
        path = _as_tensor(scene_law.turned(torch, path, angle, about=REFERENCE))
        kept &= scene_law.is_turned_path(torch, recipe, path)
    return path, angle, kept


# --- targets placed one after another --------------------------------------------------------------------------------


def _scattered(recipe: DataRecipe, targets: Tensor, generator: torch.Generator) -> Tensor:
    """Place targets one after another at least `separation_min` apart, (N, K, 2) px about the origin.

    In the unit square for "pixel", in a disc for "free". A scene with `placement_misses` misses is begun anew.
    Places beyond a scene's count are of no meaning.
    """
    placed = torch.empty((len(targets), recipe.k_max, 2), device=generator.device)
    pending = torch.arange(len(targets), device=generator.device)
    for _ in range(MAX_ATTEMPTS):
        if not len(pending):
            return placed
        points, complete = _attempt(recipe, targets[pending], generator)
        placed[pending[complete]] = points[complete]
        pending = pending[~complete]
    raise InputError(
        f"separation_min = {recipe.separation_min} px leaves no room for {recipe.k_max} targets; lower it or k_max"
    )


def _attempt(recipe: DataRecipe, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Try once to place the targets of every scene; returns places (N, K, 2) and where there was room."""
    n, misses = len(targets), recipe.placement_misses
    row = torch.arange(n, device=generator.device)
    placed = torch.empty((n, recipe.k_max, 2), device=generator.device)
    missed = torch.zeros(n, dtype=torch.int64, device=generator.device)
    for k in range(recipe.k_max):
        points = _free_points(recipe, n, misses, generator)  # (N, misses, 2)
        apart = (points[:, :, None] - placed[:, None, :k]).square().sum(dim=-1) >= recipe.separation_min**2
        fits = apart.all(dim=-1)
        first = torch.where(fits.any(dim=1), fits.int().argmax(dim=1), misses)
        missed += torch.where(k < targets, first, 0)
        placed[:, k] = points[row, first.clamp(max=misses - 1)]
    return placed, missed < misses


def _free_points(recipe: DataRecipe, n: int, count: int, generator: torch.Generator) -> Tensor:
    u, v = torch.rand((2, n, count), generator=generator, device=generator.device)
    if recipe.directions == "pixel":
        return torch.stack([u, v], dim=-1) - 0.5
    return torch.stack(scene_law.in_disc(torch, recipe.radius_max, u, v), dim=-1)
