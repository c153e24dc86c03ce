"""What a data set is made of: schema, arrays, shards, markers' names and digests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.recipes import DataRecipe

if TYPE_CHECKING:
    from csist_bench.simulation.rendering import Shard

SCHEMA = "csist-bench/dataset@2"  # every chunk is there and ends in a crc32c checksum
SCHEMA_1 = "csist-bench/dataset@1"  # version 0.1.0: chunks of fill values are left out, markers hold the only digests
SCHEMAS = (SCHEMA, SCHEMA_1)
PROGRESS = "_progress"
ROOT = "zarr.json"  # of the whole set, whose attributes say that it is complete
COMPLETE, INCOMPLETE = "complete", "incomplete"
FRAMES_PER_CHUNK = 1000  # 50 trajectories of 20 frames; ten chunks make a shard
CHUNKS_PER_SHARD = 10
CONVENTIONS = {
    "axes": "arrays are [row = y, column = x]; positions are (x, y)",
    "unit": "px, pixel centres at integers; pixel (0, 0) spans [-0.5, 0.5]",
    "intensity": "grey levels, summed over all pixels",
    "padding": "targets beyond target_count are NaN",
}
# What beside the targets makes two sets different: optics and sensor. Labels (c, label_collision) are derived. Every
# field of optics or sensor stands here; one added after 0.1.0 goes to the second line, and tells sets apart only where
# it departs from its default, so that sets made before keep their fingerprints.
FINGERPRINT_FIELDS = (
    "size", "psf_sigma", "background", "background_mean", "background_sigma", "background_exponent",
    "shot_gain", "noise_sigma", "saturation", "bits", "dtype",
)  # fmt: skip
FINGERPRINT_FIELDS_LATER: tuple[str, ...] = ()
# Covered by the digest `attributes_sha256` (schema 2).
ATTRIBUTES = (
    "schema", "recipe", "recipe_hash", "seed", "sizes", "generator_version", "status", "fingerprint", "fingerprint_v2",
    "conventions", "targets_digest", "background_digest", "imported_step",
)  # fmt: skip
DIMENSIONS = {
    "frames": ("trajectory", "frame", "y", "x"),
    "target_xy": ("trajectory", "frame", "target", "axis"),
    "target_intensity": ("trajectory", "frame", "target"),
    "target_count": ("trajectory", "frame"),
}


ARRAYS = tuple(DIMENSIONS)
UNITS = {"frames": "grey levels", "target_xy": "px", "target_intensity": "grey levels", "target_count": "targets"}


@dataclass(frozen=True)
class Task:
    """One shard: trajectories start..stop-1 of a split, which are first..first+stop-start-1 of the whole set."""

    split: str
    index: int
    start: int
    stop: int
    first: int

    @property
    def marker(self) -> str:
        """File name of the task's done-marker."""
        return marker_name(self.split, self.index)

    @property
    def indices(self) -> range:
        """Indices of the trajectories in the whole set; they choose the random streams."""
        return range(self.first, self.first + self.stop - self.start)


def marker_name(split: str, index: int) -> str:
    """Return the file name of the done-marker of a shard."""
    return f"{split}-{index:05d}.json"


def shard_length(recipe: DataRecipe) -> int:
    """Return the number of trajectories per shard."""
    return CHUNKS_PER_SHARD * chunk_length(recipe)


def chunk_length(recipe: DataRecipe) -> int:
    """Return the number of trajectories per chunk."""
    return max(1, FRAMES_PER_CHUNK // recipe.frames)


def tasks_of(recipe: DataRecipe, sizes: dict[str, int], length: int | None = None) -> list[Task]:
    """Return the shards of a set in order; trajectories are counted train first, then val, then test.

    `length` is that of the shards of a stored set, which need not be that of sets made today.
    """
    length, offset, tasks = length or shard_length(recipe), 0, []
    for split, size in sizes.items():
        for index, start in enumerate(range(0, size, length)):
            tasks.append(Task(split, index, start, min(start + length, size), offset + start))
        offset += size
    return tasks


@dataclass(frozen=True)
class ArrayPlan:
    """Shape and type of one array of a split."""

    shape: tuple[int, ...]
    kind: str


def array_plan(recipe: DataRecipe, size: int) -> dict[str, ArrayPlan]:
    """Return what the arrays of a split of `size` trajectories are."""
    t, k, s = recipe.frames, recipe.k_max, recipe.size
    return {
        "frames": ArrayPlan((size, t, s, s), recipe.dtype),
        "target_xy": ArrayPlan((size, t, k, 2), "float64"),
        "target_intensity": ArrayPlan((size, t, k), "float64"),
        "target_count": ArrayPlan((size, t), "uint8"),
    }


def attributes_digest(attributes: dict[str, Any]) -> str:
    """Return sha256 over those attributes of a set that this program writes; a user may add others."""
    table = {name: attributes[name] for name in ATTRIBUTES if name in attributes}
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def arrays_of(shard: Shard) -> dict[str, NDArray[Any]]:
    """Return the arrays of a shard by their name in the store."""
    scenes = shard.scenes
    return {
        "frames": shard.frames,
        "target_xy": scenes.xy,
        "target_intensity": scenes.intensity,
        "target_count": scenes.count,
    }


def digest(arrays: dict[str, NDArray[Any]]) -> str:
    """Return sha256 over decoded little-endian C-order arrays (never over files: compressed bytes may differ)."""
    state = hashlib.sha256()
    for values in arrays.values():
        state.update(plain_bytes(values))
    return state.hexdigest()


def plain_bytes(values: NDArray[Any]) -> Any:
    """Return the little-endian C-order bytes of an array."""
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).data
