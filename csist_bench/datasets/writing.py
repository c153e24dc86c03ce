"""Create a data set, write its shards and finish it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from numpy.typing import NDArray

from csist_bench import __version__
from csist_bench.datasets.layout import (  # fmt: skip
    COMPLETE,
    CONVENTIONS,
    DIMENSIONS,
    FINGERPRINT_FIELDS,
    INCOMPLETE,
    PROGRESS,
    SCHEMA,
    Task,
    arrays_of,
    chunk_length,
    digest,
    plain_bytes,
    shard_length,
)
from csist_bench.datasets.reading import Dataset, open_dataset
from csist_bench.errors import must
from csist_bench.files import PARTIAL, replace_file
from csist_bench.recipes import DataRecipe, recipe_hash, stored_table

if TYPE_CHECKING:
    from csist_bench.simulation.rendering import Shard


def create_dataset(path: Path, recipe: DataRecipe, sizes: dict[str, int], extra: dict[str, Any] | None = None) -> None:
    """Create an empty store, marked incomplete; `sizes` are the trajectories of each split (absent split: no group).

    `extra` holds further attributes that belong to the data, such as the digest of a user's own targets.
    """
    import zarr

    path.parent.mkdir(parents=True, exist_ok=True)
    root = zarr.create_group(path, zarr_format=3, overwrite=False)
    for split, size in sizes.items():
        if size:
            _create_split(root.create_group(split), recipe, size)
    (path / PROGRESS).mkdir(exist_ok=True)
    # Written last: a folder without these attributes is not yet a data set.
    root.update_attributes(
        {
            "schema": SCHEMA,
            "recipe": stored_table(recipe),
            "recipe_hash": recipe_hash(recipe),
            "seed": recipe.seed,
            "sizes": sizes,
            "generator_version": __version__,
            "status": INCOMPLETE,
            "fingerprint": None,
            "conventions": CONVENTIONS,
            **(extra or {}),
        }
    )


def _create_split(group: Any, recipe: DataRecipe, size: int) -> None:
    t, k, s = recipe.frames, recipe.k_max, recipe.size
    chunk, shard = chunk_length(recipe), shard_length(recipe)
    shapes = {
        "frames": (size, t, s, s),
        "target_xy": (size, t, k, 2),
        "target_intensity": (size, t, k),
        "target_count": (size, t),
    }
    kinds = {"frames": recipe.dtype, "target_xy": "float64", "target_intensity": "float64", "target_count": "uint8"}
    for name, shape in shapes.items():
        rest = shape[1:]
        layout: dict[str, Any] = {"chunks": (shard, *rest)}
        if name == "frames":
            # Index at the start: readers over HTTP then need no suffix range requests.
            layout = {"chunks": (chunk, *rest), "shards": {"shape": (shard, *rest), "index_location": "start"}}
        group.create_array(
            name,
            shape=shape,
            dtype=kinds[name],
            compressors=_codec(kinds[name]),
            fill_value=0 if kinds[name].startswith("uint") else float("nan"),
            dimension_names=DIMENSIONS[name],
            config={"write_empty_chunks": True},
            **layout,
        )


def _codec(kind: str) -> Any:
    from zarr.codecs import BloscCodec

    level, shuffle = (3, "bitshuffle") if kind.startswith("uint") else (1, "shuffle")
    return BloscCodec(cname="zstd", clevel=level, shuffle=shuffle)


def write_shard(path: Path, recipe: DataRecipe, task: Task, shard: Shard) -> None:
    """Write one whole shard and then its done-marker.

    Raises
    ------
    InputError
        If the region is not aligned to a shard: two writers in one shard would lose data silently.
    """
    import zarr

    group = zarr.open_group(path / task.split, mode="r+", zarr_format=3)
    length, size = shard_length(recipe), group["frames"].shape[0]
    if task.start % length or (task.stop - task.start != length and task.stop != size):
        raise must("region", f"be aligned to shards of {length} trajectories", (task.start, task.stop))
    arrays = arrays_of(shard)
    for name, values in arrays.items():
        group[name][task.start : task.stop] = values
    marker = {"sha256": digest(arrays), "recipe_hash": recipe_hash(recipe)}
    replace_file(path / PROGRESS / task.marker, json.dumps(marker).encode())


def write_whole(path: Path, arrays: dict[str, dict[str, NDArray[Any]]]) -> None:
    """Write whole splits by name into an empty store, with no markers: what the disk and the codecs alone cost."""
    import zarr

    for split, named in arrays.items():
        group = zarr.open_group(path / split, mode="r+", zarr_format=3)
        for name, values in named.items():
            group[name][:] = values


def has_attributes(path: Path) -> bool:
    """Tell whether a Zarr group carries any attribute (one of ours does as soon as it is usable)."""
    try:
        return bool(json.loads((path / "zarr.json").read_text(encoding="utf-8")).get("attributes"))
    except (OSError, ValueError):
        return True


def read_marker(path: Path, task: Task) -> dict[str, str]:
    """Return the done-marker of a shard ({} where there is none that can be read)."""
    try:
        marker = json.loads((path / PROGRESS / task.marker).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) and "sha256" in marker else {}


def is_done(path: Path, recipe: DataRecipe, task: Task) -> bool:
    """Tell whether a shard has a readable marker of this recipe."""
    return read_marker(path, task).get("recipe_hash") == recipe_hash(recipe)


def finalise(path: Path) -> str:
    """Mark a store with all its shards complete and return its fingerprint."""
    import zarr

    store = open_dataset(path, allow_partial=True)
    fingerprint = compute_fingerprint(store)
    root = zarr.open_group(path, mode="r+", zarr_format=3)
    root.update_attributes({"status": COMPLETE, "fingerprint": fingerprint})
    for leftover in path.rglob(f"*{PARTIAL}"):
        leftover.unlink(missing_ok=True)
    return fingerprint


def compute_fingerprint(store: Dataset) -> str:
    """Return sha256 over the decoded target arrays, the optics and sensor fields, and integer frames."""
    fields = {name: getattr(store.recipe, name) for name in FINGERPRINT_FIELDS}
    state = hashlib.sha256(msgspec.json.encode(fields, order="deterministic"))
    names = ["target_xy", "target_intensity", "target_count"] + ["frames"] * (store.recipe.dtype != "float32")
    for split in store.splits.values():
        for name in names:
            for values in split.blocks(name):
                state.update(plain_bytes(values))
    if store.recipe.dtype == "float32" and store.recipe.directions == "given":
        # Given targets do not tell the noise: what was drawn from the seed, or imported, has to be told apart.
        if store.attributes.get("imported_step") is not None:
            for task in store.tasks():
                state.update(read_marker(Path(store.path), task).get("sha256", "").encode())
        elif store.recipe.noise_sigma or store.recipe.shot_gain or store.recipe.background == "clutter":
            state.update(str(store.recipe.seed).encode())
    if background := store.attributes.get("background_digest"):
        state.update(str(background).encode())
    return f"sha256:{state.hexdigest()}"
