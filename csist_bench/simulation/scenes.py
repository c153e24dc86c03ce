"""Draw scenes: the reference point's path, the targets about it, and their intensities.

Every trajectory has its own stream `SeedSequence([seed, index, 0])`, from which fixed blocks of uniforms are taken.
All the arithmetic on those blocks is vectorised over trajectories, so a draw depends on (seed, index) alone: never on
which other trajectories are drawn beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError
from csist_bench.recipes import REFERENCE, DataRecipe
from csist_bench.simulation import scene_law

Floats = NDArray[np.float64]
Point = Callable[[np.random.Generator], tuple[float, float]]

SCENE_STREAM, NOISE_STREAM = 0, 1
POSITION_DECIMALS = 6  # positions are rounded to 1e-6 px, so that differences of libm cannot change a set
ATTEMPTS = 32  # path candidates taken from a stream at a time
MAX_ATTEMPTS = 20_000
_PATH_DRAWS = 7  # uniforms of one path candidate: start, kind, three parameters, branch, rotation

# Unit vectors of the directions; the order is part of the generator. y grows downwards with the row index.
AXES = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
DIAGONALS = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
LAYOUTS = {"axes": AXES, "compass": np.concatenate([AXES, DIAGONALS])}


@dataclass(frozen=True, eq=False)
class Scenes:
    """N drawn scenes: `xy` (N, T, K, 2) px, `intensity` (N, T, K) grey levels, NaN-padded; `count` (N, T)."""

    xy: Floats
    intensity: Floats
    count: NDArray[np.uint8]


def stream(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Return the random stream of one trajectory for one purpose (scene or noise)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index, purpose])))


def draw_scenes(recipe: DataRecipe, indices: Iterable[int]) -> Scenes:
    """Draw the scenes of trajectories `indices` (counted over the whole set) of a recipe."""
    streams = [stream(recipe.seed, index, SCENE_STREAM) for index in indices]
    if recipe.directions == "pixel":
        return _scenes_in_one_pixel(recipe, streams)
    if recipe.directions == "pairs":
        return _scenes_of_pairs(recipe, streams)
    return _scenes_about_a_path(recipe, streams)


def _counts(recipe: DataRecipe, u: Floats) -> NDArray[np.int64]:
    choices = recipe.k_max - recipe.k_min + 1
    return recipe.k_min + np.minimum((u * choices).astype(np.int64), choices - 1)


def _padded(recipe: DataRecipe, xy: Floats, intensity: Floats, count: NDArray[np.int64]) -> Scenes:
    """Round positions, blank the unused slots with NaN and repeat the constant intensities over time."""
    n, t, k = xy.shape[:3]
    unused = np.arange(k) >= count[:, None]
    xy = np.round(xy, POSITION_DECIMALS)
    xy[np.broadcast_to(unused[:, None, :], (n, t, k))] = np.nan
    over_time = np.repeat(np.where(unused, np.nan, intensity)[:, None, :], t, axis=1)
    return Scenes(xy, over_time, np.repeat(count[:, None], t, axis=1).astype(np.uint8))


# --- groups about a moving reference point (SeqCSIST) ----------------------------------------------------------------


def _scenes_about_a_path(recipe: DataRecipe, streams: list[np.random.Generator]) -> Scenes:
    # The arrangement's uniforms come first, so the number of path candidates needed cannot shift them.
    arrange = _arms_anywhere if recipe.directions == "free" else _arms_along_directions
    count, intensity, arms = arrange(recipe, streams)
    path, angle = _draw_paths(recipe, streams)
    if recipe.rotate:
        arms = scene_law.turned(np, arms, angle, about=0.0)
    xy = path[:, :, None, :] + recipe.shift + arms
    return _padded(recipe, xy, intensity, count)


Arrangement = tuple[NDArray[np.int64], Floats, Floats]  # count (N,), intensity (N, K), arms (N, T, K, 2) px


def _arms_along_directions(recipe: DataRecipe, streams: list[np.random.Generator]) -> Arrangement:
    layout = LAYOUTS[recipe.directions]
    d, k, t, n = len(layout), recipe.k_max, recipe.frames, len(streams)
    blocks = np.array([rng.random(2 + d + k + t * k) for rng in streams]).reshape(n, -1)
    radius = scene_law.uniform(blocks[:, 1], recipe.radius_min, recipe.radius_max)
    chosen = np.argsort(blocks[:, 2 : 2 + d], axis=1, kind="stable")[:, :k]
    intensity = scene_law.uniform(blocks[:, 2 + d : 2 + d + k], recipe.intensity_min, recipe.intensity_max)
    direction = layout[chosen]  # (n, k, 2)
    # A diagonal arm is sqrt 2 longer: a lattice of pitch `radius`.
    arms = _grown(recipe, direction, radius[:, None], blocks[:, 2 + d + k :].reshape(n, t, k))
    return _counts(recipe, blocks[:, 0]), intensity, arms


def _arms_anywhere(recipe: DataRecipe, streams: list[np.random.Generator]) -> Arrangement:
    k, t, n = recipe.k_max, recipe.frames, len(streams)
    blocks = np.array([rng.random(1 + k + t * k) for rng in streams]).reshape(n, -1)
    count = _counts(recipe, blocks[:, 0])
    intensity = scene_law.uniform(blocks[:, 1 : 1 + k], recipe.intensity_min, recipe.intensity_max)
    start = np.ones((n, k, 2))  # slots without a target hold any arm of non-zero length
    for row, rng in enumerate(streams):
        start[row, : count[row]] = _scatter(
            rng, int(count[row]), recipe.separation_min, recipe.placement_misses, _disc_point(recipe.radius_max)
        )
    return count, intensity, _grown(recipe, start, np.ones((n, 1)), blocks[:, 1 + k :].reshape(n, t, k))


def _grown(recipe: DataRecipe, direction: Floats, scale: Floats, u: Floats) -> Floats:
    """Return arms (N, T, K, 2), at first `scale` (N, 1) times `direction` (N, K, 2), then longer by u (N, T, K)."""
    norm = np.linalg.norm(direction, axis=-1)
    return np.asarray(scene_law.grown(np, recipe, direction / norm[..., None], scale * norm, u))


def _draw_paths(recipe: DataRecipe, streams: list[np.random.Generator]) -> tuple[Floats, Floats]:
    """Return accepted reference paths (N, T, 2) px, already turned, and the angle of each scene (N,) rad."""
    n = len(streams)
    path, angle = np.empty((n, recipe.frames, 2)), np.zeros(n)
    pending = np.arange(n)
    for _ in range(MAX_ATTEMPTS // ATTEMPTS):
        if not len(pending):
            return path, angle
        draws = np.array([streams[i].random((ATTEMPTS, _PATH_DRAWS)) for i in pending])
        open_rows = np.arange(len(pending))
        for attempt in range(ATTEMPTS):
            candidate, turned, kept = _candidate_paths(recipe, draws[open_rows, attempt])
            done = pending[open_rows[kept]]
            path[done], angle[done] = candidate[kept], turned[kept]
            open_rows = open_rows[~kept]
            if not len(open_rows):
                break
        pending = pending[open_rows]
    if len(pending):
        raise InputError(
            f"no path was accepted in {MAX_ATTEMPTS} draws; widen path_min..path_max or slope_max, or shorten frames"
        )
    return path, angle


def _candidate_paths(recipe: DataRecipe, u: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Turn uniforms (M, 7) into path candidates (M, T, 2), their angles (M,) and which of them are accepted."""
    starts = recipe.start_max - recipe.start_min + 1
    start: Floats = recipe.start_min + np.minimum(np.floor(u[:, 0] * starts), starts - 1)
    x = scene_law.first_coordinates(np, recipe, start[:, None], np.arange(recipe.frames))
    kind = np.minimum((u[:, 1] * len(recipe.curves)).astype(np.int64), len(recipe.curves) - 1)
    y, slope = np.full_like(x, np.nan), np.full_like(x, np.nan)
    for index, curve in enumerate(recipe.curves):
        rows = kind == index
        drawn = [u[rows, 2 + i : 3 + i] for i in range(scene_law.CURVE_DRAWS[curve])]
        with np.errstate(invalid="ignore", divide="ignore"):
            y[rows], slope[rows] = scene_law.CURVES[curve](np, recipe, x[rows], drawn)
    kept = np.asarray(scene_law.is_path(np, recipe, y, slope))
    path: Floats = np.stack([x, y], axis=-1)
    angle = np.zeros(len(u))
    if recipe.rotate:
        angle = 2 * np.pi * u[:, 6]
        path = scene_law.turned(np, path, angle, about=REFERENCE)
        kept &= scene_law.is_turned_path(np, recipe, path)
    return path, angle, kept


# --- targets inside the central pixel (CSIST-100K) -------------------------------------------------------------------


def _scenes_in_one_pixel(recipe: DataRecipe, streams: list[np.random.Generator]) -> Scenes:
    """Place targets one after another, at least `separation_min` px apart, restarting after too many misses."""
    n, k, t = len(streams), recipe.k_max, recipe.frames
    blocks = np.array([rng.random(1 + k) for rng in streams]).reshape(n, -1)
    count = _counts(recipe, blocks[:, 0])
    intensity = scene_law.uniform(blocks[:, 1:], recipe.intensity_min, recipe.intensity_max)
    xy = np.full((n, t, k, 2), np.nan)
    for row, rng in enumerate(streams):
        points = _scatter(rng, int(count[row]), recipe.separation_min, recipe.placement_misses, _square_point)
        xy[row, :, : count[row]] = recipe.reference - 0.5 + points
    return _padded(recipe, xy, intensity, count)


# --- pairs -----------------------------------------------------------------------------------------------------------


def _scenes_of_pairs(recipe: DataRecipe, streams: list[np.random.Generator]) -> Scenes:
    """Place two targets on opposite sides of a point of the central pixel, by any angle, the brighter one first.

    Their distance is twice a radius, and the ratio of their intensities is uniform, from 1 to that of the bounds.
    """
    u = np.array([rng.random(5) for rng in streams]).reshape(-1, 5)
    middle = recipe.reference - 0.5 + u[:, :2]
    radius, angle = scene_law.uniform(u[:, 2], recipe.radius_min, recipe.radius_max), 2 * np.pi * u[:, 3]
    arm = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    ratio = scene_law.uniform(u[:, 4], 1.0, recipe.intensity_max / recipe.intensity_min)
    intensity = recipe.intensity_max / np.stack([np.ones_like(ratio), ratio], axis=-1)
    xy = np.stack([middle + arm, middle - arm], axis=1)
    return _padded(recipe, np.repeat(xy[:, None], recipe.frames, axis=1), intensity, np.full(len(u), 2))


def _scatter(rng: np.random.Generator, k: int, separation: float, misses: int, point: Point) -> Floats:
    """Return k points, drawn one after another, at least `separation` apart, shape (k, 2)."""
    for _ in range(MAX_ATTEMPTS):
        placed: list[tuple[float, float]] = []
        missed = 0
        while len(placed) < k and missed < misses:
            x, y = point(rng)
            if all((x - a) ** 2 + (y - b) ** 2 >= separation**2 for a, b in placed):
                placed.append((x, y))
            else:
                missed += 1
        if len(placed) == k:
            return np.array(placed)
    raise InputError(f"separation_min = {separation} px leaves no room for {k} targets; lower it or k_max")


def _square_point(rng: np.random.Generator) -> tuple[float, float]:
    x, y = rng.random(2).tolist()
    return x, y


def _disc_point(radius: float) -> Point:
    def point(rng: np.random.Generator) -> tuple[float, float]:
        u, v = rng.random(2).tolist()
        x, y = scene_law.in_disc(math, radius, u, v)
        return x, y

    return point
