"""The data set on disk: the only module that knows the Zarr v3 layout.

One group per split holds `frames` (trajectory, frame, y, x), `target_xy` (trajectory, frame, target, axis),
`target_intensity` (trajectory, frame, target) and `target_count` (trajectory, frame). One shard is one task and one
unit of resumption: a shard counts as done when its marker in `_progress/` (digest of the decoded arrays + hash of the
recipe, written last, by rename) is there, because a shard of fill values leaves no file at all. Writers that shared a
shard would lose data silently (zarr-python issue 3682), so writes are checked to be shard-aligned.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench import __version__
from csist_bench.checks import InputError, must, show, unknown
from csist_bench.recipes import SPLITS, DataRecipe, convert, frame_range, recipe_hash, resolved

if TYPE_CHECKING:
    from csist_bench.simulate import Shard

SCHEMA = "csist-bench/dataset@1"
PROGRESS = "_progress"
COMPLETE, INCOMPLETE = "complete", "incomplete"
FRAMES_PER_CHUNK = 1000  # 50 trajectories of 20 frames; ten chunks make a shard
CHUNKS_PER_SHARD = 10
CONVENTIONS = {
    "axes": "arrays are [row = y, column = x]; positions are (x, y)",
    "unit": "px, pixel centres at integers; pixel (0, 0) spans [-0.5, 0.5]",
    "intensity": "grey levels, summed over all pixels",
    "padding": "targets beyond target_count are NaN",
}
# What beside the targets makes two sets different: optics and sensor. Labels (c, label_collision) are derived.
FINGERPRINT_FIELDS = (
    "size", "psf_sigma", "background", "background_mean", "background_sigma", "background_exponent",
    "shot_gain", "noise_sigma", "saturation", "bits", "dtype",
)  # fmt: skip
_DIMENSIONS = {
    "frames": ("trajectory", "frame", "y", "x"),
    "target_xy": ("trajectory", "frame", "target", "axis"),
    "target_intensity": ("trajectory", "frame", "target"),
    "target_count": ("trajectory", "frame"),
}


ARRAYS = tuple(_DIMENSIONS)


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
        return f"{self.split}-{self.index:05d}.json"

    @property
    def indices(self) -> range:
        """Indices of the trajectories in the whole set; they choose the random streams."""
        return range(self.first, self.first + self.stop - self.start)


def shard_length(recipe: DataRecipe) -> int:
    """Return the number of trajectories per shard."""
    return CHUNKS_PER_SHARD * _chunk_length(recipe)


def _chunk_length(recipe: DataRecipe) -> int:
    return max(1, FRAMES_PER_CHUNK // recipe.frames)


def tasks_of(recipe: DataRecipe, sizes: dict[str, int]) -> list[Task]:
    """Return the shards of a set in order; trajectories are counted train first, then val, then test."""
    length, offset, tasks = shard_length(recipe), 0, []
    for split, size in sizes.items():
        for index, start in enumerate(range(0, size, length)):
            tasks.append(Task(split, index, start, min(start + length, size), offset + start))
        offset += size
    return tasks


# --- writing ----------------------------------------------------------------------------------------------------


def create_store(path: Path, recipe: DataRecipe, sizes: dict[str, int], extra: dict[str, Any] | None = None) -> None:
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
            "recipe": resolved(recipe),
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
    chunk, shard = _chunk_length(recipe), shard_length(recipe)
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
            dimension_names=_DIMENSIONS[name],
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
    _write_json(path / PROGRESS / task.marker, {"sha256": digest(arrays), "recipe_hash": recipe_hash(recipe)})


def write_whole(path: Path, arrays: dict[str, dict[str, NDArray[Any]]]) -> None:
    """Write whole splits by name into an empty store, with no markers: what the disk and the codecs alone cost."""
    import zarr

    for split, named in arrays.items():
        group = zarr.open_group(path / split, mode="r+", zarr_format=3)
        for name, values in named.items():
            group[name][:] = values


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
        state.update(_plain_bytes(values))
    return state.hexdigest()


def _plain_bytes(values: NDArray[Any]) -> Any:
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).data


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

    store = open_store(path, allow_partial=True)
    fingerprint = compute_fingerprint(store)
    root = zarr.open_group(path, mode="r+", zarr_format=3)
    root.update_attributes({"status": COMPLETE, "fingerprint": fingerprint})
    for leftover in path.rglob("*.partial"):
        leftover.unlink(missing_ok=True)
    return fingerprint


def compute_fingerprint(store: Store) -> str:
    """Return sha256 over the decoded target arrays, the optics and sensor fields, and integer frames."""
    fields = {name: getattr(store.recipe, name) for name in FINGERPRINT_FIELDS}
    state = hashlib.sha256(msgspec.json.encode(fields, order="deterministic"))
    names = ["target_xy", "target_intensity", "target_count"] + ["frames"] * (store.recipe.dtype != "float32")
    for split in store.splits.values():
        for name in names:
            for values in split.blocks(name):
                state.update(_plain_bytes(values))
    if background := store.attributes.get("background_digest"):
        state.update(str(background).encode())
    return f"sha256:{state.hexdigest()}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    os.replace(temporary, path)


# --- reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a store; arrays are read when first used and kept (`blocks` streams instead)."""

    name: str
    recipe: DataRecipe
    group: Any
    fingerprint: str | None  # of the whole set

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories in the split."""
        return int(self.group["frames"].shape[0])

    @property
    def n_frames(self) -> int:
        """Number of frames of each trajectory."""
        return int(self.group["frames"].shape[1])

    @property
    def scored_frames(self) -> range:
        """Frames that count, by the recipe."""
        return frame_range(self.recipe.scored_frames, self.n_frames)

    @cached_property
    def frames(self) -> NDArray[Any]:
        """All frames, shape (N, T, H, W), grey levels, in the store's dtype."""
        return self.read("frames")

    @cached_property
    def target_xy(self) -> NDArray[np.float64]:
        """Target positions, shape (N, T, K, 2), px, NaN-padded."""
        return self.read("target_xy")

    @cached_property
    def target_intensity(self) -> NDArray[np.float64]:
        """Target intensities, shape (N, T, K), grey levels, NaN-padded."""
        return self.read("target_intensity")

    @cached_property
    def target_count(self) -> NDArray[np.uint8]:
        """Number of targets, shape (N, T)."""
        return self.read("target_count")

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read trajectories start..stop-1 of one array.

        Raises
        ------
        InputError
            If a chunk cannot be decoded.
        """
        try:
            return np.asarray(self.group[name][start:stop])
        except OSError:
            raise
        except Exception as error:  # zarr and its codecs raise many types on damaged chunks
            raise InputError(
                f"{self.group.store_path}: array {name!r} cannot be read ({show(str(error))}); make the set again"
            ) from None

    def blocks(self, name: str) -> Iterator[NDArray[Any]]:
        """Yield one array shard by shard, in bounded memory."""
        length = shard_length(self.recipe)
        for start in range(0, self.n_trajectories, length):
            yield self.read(name, start, start + length)


@dataclass(frozen=True, eq=False)
class Store:
    """An open data set: its recipe, fingerprint (None while incomplete) and splits."""

    path: str
    recipe: DataRecipe
    attributes: dict[str, Any]
    splits: dict[str, Split]

    @property
    def fingerprint(self) -> str | None:
        """sha256 of the targets, optics, sensor and integer frames; None while the set is incomplete."""
        value = self.attributes.get("fingerprint")
        return None if value is None else str(value)

    @property
    def sizes(self) -> dict[str, int]:
        """Trajectories of each split."""
        return {str(name): int(size) for name, size in self.attributes["sizes"].items()}

    def split(self, name: str) -> Split:
        """Return one split; a missing one is answered with those that exist."""
        if name not in self.splits:
            raise unknown("split", name, self.splits)
        return self.splits[name]

    def tasks(self) -> list[Task]:
        """Return the shards of the set."""
        return tasks_of(self.recipe, self.sizes)


def open_store(path: str | Path, allow_partial: bool = False) -> Store:
    """Open a data set for reading.

    Parameters
    ----------
    path : str or Path
        Local folder, or a URL that fsspec understands (extra `remote`).
    allow_partial : bool
        Accept a set whose generation has not finished.

    Raises
    ------
    InputError
        If there is nothing there, or it is not a data set of this schema, or not complete.
    """
    location = str(path)
    attributes, root = _open_root(location)
    schema = attributes.get("schema")
    if schema is None:
        raise InputError(f"{location}: not a csist-bench data set (its Zarr group has no 'schema' attribute)")
    if schema != SCHEMA:
        raise InputError(
            f"{location}: schema must be {SCHEMA!r}, got {show(schema)}; make the set again with this version"
        )
    if attributes.get("status") != COMPLETE and not allow_partial:
        raise InputError(
            f"{location}: the data set is not complete; finish it with: csist-bench generate --out {location} --resume"
            " (or read what is there with --allow-partial)"
        )
    try:
        recipe = convert(attributes["recipe"], DataRecipe, f"{location}: stored recipe")
        sizes = {str(k): int(v) for k, v in attributes["sizes"].items()}
        splits = _open_splits(root, recipe, sizes, attributes.get("fingerprint"))
    except InputError:
        raise
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{location}: damaged data set ({show(repr(error))}); make it again") from None
    return Store(location, recipe, attributes, splits)


def _open_root(location: str) -> tuple[dict[str, Any], Any]:
    import zarr

    remote = "://" in location
    if not remote:
        if not Path(location).exists():
            raise InputError(f"data set {location} not found; make it with: csist-bench generate --out {location}")
        if not (Path(location) / "zarr.json").is_file():
            raise InputError(f"{location}: not a csist-bench data set (no zarr.json inside)")
    try:
        root = zarr.open_group(location, mode="r", zarr_format=3)
        return dict(root.attrs), root
    except OSError:
        raise
    except ImportError:
        raise InputError(f"{location}: remote data sets need fsspec; install 'csist-bench[remote]'") from None
    except Exception as error:  # zarr raises many types on foreign or damaged metadata
        raise InputError(f"{location}: not a readable Zarr v3 group ({show(str(error))})") from None


def _open_splits(root: Any, recipe: DataRecipe, sizes: dict[str, int], fingerprint: str | None) -> dict[str, Split]:
    splits = {}
    for name in SPLITS:
        size = sizes.get(name, 0)
        if size:
            group = root[name]
            missing = [array for array in _DIMENSIONS if array not in group]
            if missing:
                raise InputError(f"{root.store_path}: split {name!r} lacks {', '.join(missing)}; make the set again")
            splits[name] = Split(name, recipe, group, fingerprint)
    return splits
