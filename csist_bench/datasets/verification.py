"""Check a stored data set: digests of its shards, its fingerprint, and its frames against its targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench import datasets
from csist_bench.datasets.backgrounds import open_background
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.camera import saturation_level
from csist_bench.simulation.rendering import shard_from_scenes
from csist_bench.simulation.scenes import Scenes, draw_scenes

FRAME_TOLERANCE = 1e-4  # grey levels; erf differs in its last bit between machines
POSITION_TOLERANCE = 1.5e-6  # px; positions are rounded to 1e-6

Progress = Callable[[int, int], None]


def verify(path: str | Path, progress: Progress | None = None) -> list[str]:
    """Return what is wrong with a data set, one line a fault; an empty list means that all of it was checked and holds.

    Float frames are rendered again from the stored targets, with the noise drawn again from the seed, and must agree to
    1e-4 grey levels; integer frames must be equal but for rounding ties. Drawn targets are drawn again from the seed.
    """
    data = datasets.open_dataset(path, allow_partial=True)
    complete = data.fingerprint is not None
    faults = [] if complete else [f"{path}: not complete; finish it with: csist-bench generate --out {path} --resume"]
    # A complete set has a marker for every shard: one that lacks it is a fault, of another set it is not finished.
    tasks = [task for task in data.tasks() if complete or datasets.is_done(path, data.recipe, task)]
    for done, task in enumerate(tasks, start=1):
        faults += _verify_shard(data, task)
        if progress:
            progress(done, len(tasks))
    return faults + (_fingerprint_faults(data) if complete and not faults else [])


def _fingerprint_faults(data: datasets.Dataset) -> list[str]:
    first, second = data.compute_fingerprints()
    stored = {"fingerprint": first, "fingerprint_v2": second}
    return [
        f"{data.path}: {name} must be {data.attributes[name]}, got {found}; the targets or frames were changed"
        for name, found in stored.items()
        if data.attributes.get(name) not in (None, found)
    ]


def _verify_shard(data: datasets.Dataset, task: datasets.Task) -> list[str]:
    split = data.split(task.split)
    where = f"{data.path}/{task.split} trajectories {task.start}..{task.stop - 1}"
    if not datasets.is_done(data.path, data.recipe, task):
        return [
            f"{where}: the done-marker {task.marker} is missing, damaged or of another recipe; {split.guard.remedy}"
        ]
    if fault := split.guard.shard_fault(task.index):
        return [fault]
    arrays = {name: split.read(name, task.start, task.stop) for name in datasets.ARRAYS}
    scenes = Scenes(arrays["target_xy"], arrays["target_intensity"], arrays["target_count"])
    return _target_faults(data, task, scenes, where) + _frame_faults(data, task, scenes, arrays["frames"], where)


def _target_faults(data: datasets.Dataset, task: datasets.Task, scenes: Scenes, where: str) -> list[str]:
    counted = np.isfinite(scenes.intensity).sum(axis=-1)
    if not (counted == scenes.count).all():
        return [f"{where}: target_count disagrees with the intensities that are there"]
    if data.recipe.directions == "given":
        return []
    drawn = draw_scenes(data.recipe, task.indices)
    gap = np.abs(drawn.xy - scenes.xy)
    if not np.array_equal(np.isnan(drawn.xy), np.isnan(scenes.xy)) or np.nanmax(gap) > POSITION_TOLERANCE:
        return [f"{where}: targets are not those that the recipe draws from seed {data.recipe.seed}"]
    return []


def _only_quantised(recipe: DataRecipe) -> bool:
    return not recipe.noise_sigma and not recipe.shot_gain and recipe.background == "none"


def _frame_faults(
    data: datasets.Dataset, task: datasets.Task, scenes: Scenes, frames: NDArray[Any], where: str
) -> list[str]:
    recipe = data.recipe
    imported = data.attributes.get("imported_step")
    if imported is not None and not _only_quantised(recipe):
        return []  # the noise and background of imported frames are not ours to draw again
    again = shard_from_scenes(recipe, scenes, task.indices, open_background(recipe)).frames.astype(np.float64)
    again = np.minimum(again, saturation_level(recipe))
    # What is rendered again is rounded as the recipe says, and so were the frames, by us or by whoever wrote them.
    allowed = FRAME_TOLERANCE + (0.5 if recipe.bits else 0.0)
    allowed += 0.5 * float(imported) if imported is not None else 0.5 if recipe.bits else 0.0
    error = np.abs(frames.astype(np.float64) - again).max(axis=(2, 3))
    if error.max() <= allowed:
        return []
    n, t = (int(i) for i in np.unravel_index(error.argmax(), error.shape))
    what = f"trajectory {task.start + n} frame {t} differs by {error.max():.3g} grey levels (allowed {allowed:.3g})"
    return [f"{where}: frames are not those of the targets; {what}"]
