"""Create a data set, write its shards and finish it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from csist_bench import __version__
from csist_bench.datasets.layout import (  # fmt: skip
    COMPLETE,
    CONVENTIONS,
    DIMENSIONS,
    INCOMPLETE,
    PROGRESS,
    SCHEMA,
    Task,
    array_plan,
    arrays_of,
    attributes_digest,
    chunk_length,
    digest,
    shard_length,
)
from csist_bench.datasets.metadata.facts import facts_of
from csist_bench.datasets.metadata.writing import has_metadata, write_metadata
from csist_bench.datasets.reading import Dataset, open_dataset
from csist_bench.errors import InputError, must
from csist_bench.files import PARTIAL, replace_file
from csist_bench.files.places import place_of
from csist_bench.recipes import DESCRIPTIVE, DataRecipe, recipe_hash, stored_table

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
            create_split(root.create_group(split), recipe, size)
    (path / PROGRESS).mkdir(exist_ok=True)
    # Written last: a folder without these attributes is not yet a data set.
    write_attributes(root, first_attributes(recipe, sizes, extra))


def first_attributes(recipe: DataRecipe, sizes: dict[str, int], extra: dict[str, Any] | None) -> dict[str, Any]:
    """Return the attributes of a set that has no shard yet."""
    return {
        "schema": SCHEMA,
        "recipe": stored_table(recipe),
        "recipe_hash": recipe_hash(recipe),
        "seed": recipe.seed,
        "sizes": sizes,
        "generator_version": __version__,
        "status": INCOMPLETE,
        "fingerprint": None,
        "fingerprint_v2": None,
        "conventions": CONVENTIONS,
        **({"about": about} if (about := _about(recipe)) else {}),
        **(extra or {}),
    }


def _about(recipe: DataRecipe) -> dict[str, str]:
    """Return what describes a set and draws nothing; outside the attributes of the digest, as older readers expect."""
    return {name: value for name in DESCRIPTIVE if (value := getattr(recipe, name))}


def write_attributes(root: Any, attributes: dict[str, Any]) -> None:
    """Write the attributes of a set and their digest."""
    plain = json.loads(json.dumps(attributes))  # as they will be read: the digest is of lists, not tuples
    root.update_attributes(plain | {"attributes_sha256": attributes_digest(plain)})


def create_split(group: Any, recipe: DataRecipe, size: int) -> None:
    """Create the arrays of a split, empty."""
    from zarr.codecs import Crc32cCodec

    chunk, shard = chunk_length(recipe), shard_length(recipe)
    for name, plan in array_plan(recipe, size).items():
        rest = plan.shape[1:]
        layout: dict[str, Any] = {"chunks": (shard, *rest)}
        if name == "frames":
            # Index at the start: readers over HTTP then need no suffix range requests.
            layout = {"chunks": (chunk, *rest), "shards": {"shape": (shard, *rest), "index_location": "start"}}
        group.create_array(
            name,
            shape=plan.shape,
            dtype=plan.kind,
            # The checksum is of the compressed bytes: damage is found before they are decoded.
            compressors=[_codec(plan.kind), Crc32cCodec()],
            fill_value=0 if plan.kind.startswith("uint") else float("nan"),
            dimension_names=DIMENSIONS[name],
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
        array = group[name]
        key = array.metadata.encode_chunk_key((task.index, *(0,) * (array.ndim - 1)))
        # What stood there goes first, or Zarr would read it, whole or not, to keep the rest of the shard.
        (path / task.split / name / key).unlink(missing_ok=True)
        fill_array(array, task, values)
    replace_file(path / PROGRESS / task.marker, marker_of(recipe, arrays))


def fill_array(array: Any, task: Task, values: NDArray[Any]) -> None:
    """Write one shard of an array; a chunk of fill values is written too: so an absent one is damage."""
    array.with_config({"write_empty_chunks": True})[task.start : task.stop] = values


def marker_of(recipe: DataRecipe, arrays: dict[str, NDArray[Any]]) -> bytes:
    """Return the done-marker of a shard."""
    return json.dumps({"sha256": digest(arrays), "recipe_hash": recipe_hash(recipe)}).encode()


def write_whole(path: Path, arrays: dict[str, dict[str, NDArray[Any]]]) -> None:
    """Write whole splits by name into an empty store, with no markers: what the disk and the codecs alone cost."""
    import zarr

    for split, named in arrays.items():
        group = zarr.open_group(path / split, mode="r+", zarr_format=3)
        for name, values in named.items():
            group[name].with_config({"write_empty_chunks": True})[:] = values


def has_attributes(path: Path) -> bool:
    """Tell whether a Zarr group carries any attribute (one of ours does as soon as it is usable)."""
    try:
        return bool(json.loads((path / "zarr.json").read_text(encoding="utf-8")).get("attributes"))
    except (OSError, ValueError):
        return True


def is_ours(path: Path) -> bool:
    """Tell whether a folder says that it is a data set of this program, of whatever schema, damaged or not."""
    try:
        schema = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return is_schema(schema)


def is_schema(schema: object) -> bool:
    """Tell whether an attribute `schema` is that of a data set of this program, of whatever version."""
    return isinstance(schema, str) and schema.partition("@")[0] == SCHEMA.partition("@")[0]


def read_marker(path: Path | str, task: Task) -> dict[str, str]:
    """Return the done-marker of a shard ({} where there is none that can be read)."""
    try:
        marker = json.loads(place_of(path).read(f"{PROGRESS}/{task.marker}") or b"")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):  # of an object store
            raise
        return {}
    return marker if isinstance(marker, dict) and "sha256" in marker else {}


def is_done(path: Path | str, recipe: DataRecipe, task: Task) -> bool:
    """Tell whether a shard has a readable marker of this recipe."""
    return read_marker(path, task).get("recipe_hash") == recipe_hash(recipe)


def finalise(path: Path) -> str:
    """Mark a store with all its shards complete and return its fingerprint (that of version 0.1.0)."""
    import zarr

    store = open_dataset(path, allow_partial=True)
    first, second = store.compute_fingerprints()
    # Before the set is called complete, so that one killed in between is finished with all of it.
    write_metadata(path, facts_of(store, prints=(first, second)))
    root = zarr.open_group(path, mode="r+", zarr_format=3)
    mark_complete(root, store.attributes, (first, second))
    for leftover in path.rglob(f"*{PARTIAL}"):
        leftover.unlink(missing_ok=True)
    return first


def mark_complete(root: Any, attributes: dict[str, Any], prints: tuple[str, str]) -> None:
    """Write into the root group that its set is complete, and its fingerprints."""
    done = {"status": COMPLETE, "fingerprint": prints[0]}
    if attributes["schema"] == SCHEMA:
        write_attributes(root, attributes | done | {"fingerprint_v2": prints[1]})
    else:
        root.update_attributes(done)


def add_metadata(path: Path) -> None:
    """Write card and metadata of a complete set that lacks them, as sets of earlier versions do."""
    if not has_metadata(path):
        write_metadata(path, facts_of(open_dataset(path)))


def compute_fingerprint(store: Dataset) -> str:
    """Return the fingerprint of version 0.1.0: sha256 over target arrays, optics and sensor fields, integer frames."""
    return store.compute_fingerprints()[0]
