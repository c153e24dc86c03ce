"""Open a data set and read its splits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import SPLITS
from csist_bench.datasets.fingerprint import V1, V2, compute_fingerprints
from csist_bench.datasets.frame_kinds import FRAMES_READ, is_bare_frames
from csist_bench.datasets.integrity import Guard, codec_names
from csist_bench.datasets.layout import (  # fmt: skip
    COMPLETE,
    DIMENSIONS,
    ROOT,
    SCHEMA_1,
    SCHEMAS,
    UNITS,
    Task,
    array_plan,
    attributes_digest,
    tasks_of,
)
from csist_bench.errors import InputError, must, show, unknown
from csist_bench.files.objects import Objects, is_address
from csist_bench.recipes import DESCRIPTIVE, DataRecipe, frame_range, recipe_from_stored, recipe_hash

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a store; arrays are read when first used and kept (`blocks` streams instead)."""

    name: str
    recipe: DataRecipe
    arrays: dict[str, Any]
    fingerprint: str | None  # of the whole set
    fingerprint_v2: str | None
    guard: Guard

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories in the split."""
        return int(self.arrays["frames"].shape[0])

    @property
    def n_frames(self) -> int:
        """Number of frames of each trajectory."""
        return int(self.arrays["frames"].shape[1])

    @property
    def scored_frames(self) -> range:
        """Frames that count, by the recipe."""
        return frame_range(self.recipe.scored_frames, self.n_frames)

    @property
    def chunk_trajectories(self) -> int:
        """Trajectories that are compressed together."""
        return int(self.arrays["frames"].chunks[0])

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
            If a chunk of them is missing, damaged or cannot be decoded; naming the array, the shard and the remedy.
        """
        size = self.n_trajectories
        stop = size if stop is None else min(stop, size)
        return self.guard.fetch(name, start, stop)

    def to_xarray(self) -> xr.Dataset:
        """Return the arrays with named axes, coordinates and units (extra `xarray`).

        Examples
        --------
        >>> import csist_bench as cb
        >>> table = cb.open_dataset("data/sample/seqcsist.zarr").test.to_xarray()
        >>> dict(table.frames.sizes)["frame"], table.target_xy.attrs["units"]
        (20, 'px')
        """
        try:
            import xarray
        except ModuleNotFoundError:
            raise InputError("to_xarray needs xarray; install it with: pip install 'csist-bench[xarray]'") from None
        size = self.recipe.size
        coordinates: dict[str, Any] = {
            "trajectory": np.arange(self.n_trajectories),
            "frame": np.arange(self.n_frames),
            "y": ("y", np.arange(size), {"units": "px", "long_name": "pixel centre, downwards"}),
            "x": ("x", np.arange(size), {"units": "px", "long_name": "pixel centre, to the right"}),
            "axis": ["x", "y"],
        }
        arrays = {name: (axes, self.read(name), {"units": UNITS[name]}) for name, axes in DIMENSIONS.items()}
        about = {"recipe": self.recipe.name, "split": self.name, "fingerprint": self.fingerprint or ""}
        return xarray.Dataset(arrays, coordinates, about)

    def require_unchanged(self) -> None:
        """Raise where the set that lies there now is another one than that which was opened; asked after long work.

        Raises
        ------
        InputError
            If it was made anew, or went away.
        """
        if self.fingerprint is None:
            return  # not complete: somebody may well be finishing it
        location = self.guard.location
        there, _ = _open_root(location)
        for name, opened in (("fingerprint", self.fingerprint), ("fingerprint_v2", self.fingerprint_v2)):
            if there.get(name) != opened:
                remedy = "somebody wrote the data set meanwhile; do it again"
                raise must(f"{location}: {name}", f"stay {opened} during the run", there.get(name), remedy)

    def blocks(self, name: str) -> Iterator[NDArray[Any]]:
        """Yield one array shard by shard, in bounded memory."""
        length = self.guard.shard_length
        for start in range(0, self.n_trajectories, length):
            self.guard.announce(name, range(start // length, -(-self.n_trajectories // length)))
            yield self.read(name, start, start + length)


@dataclass(frozen=True, eq=False)
class Dataset:
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

    @cached_property
    def fingerprint_v2(self) -> str | None:
        """The fingerprint that covers shapes and every split too; of a set of 0.1.0, which has none, it is computed."""
        value = self.attributes.get("fingerprint_v2")
        if value is None and self.fingerprint is not None:
            return self.compute_fingerprints()[1]
        return None if value is None else str(value)

    def compute_fingerprints(self) -> tuple[str, str]:
        """Return both fingerprints of what is stored, `sha256:...` and `sha256-v2:...`."""
        markers = [str(self.splits[t.split].guard.marker(t.index).get("sha256", "")) for t in self.tasks()]
        return compute_fingerprints(self.recipe, self.splits, self.attributes, markers)

    def matches(self, fingerprint: str) -> bool:
        """Tell whether a fingerprint of either kind, from a header, a row, a line or a card, is that of this set."""
        if fingerprint.startswith(V2):
            return fingerprint == self.fingerprint_v2
        return fingerprint.startswith(V1) and fingerprint == self.fingerprint

    def split(self, name: str) -> Split:
        """Return one split; a missing one is answered with those that exist."""
        if name not in self.splits:
            raise unknown("split", name, self.splits)
        return self.splits[name]

    @property
    def train(self) -> Split:
        """The split to train on."""
        return self.split("train")

    @property
    def val(self) -> Split:
        """The split to choose by."""
        return self.split("val")

    @property
    def test(self) -> Split:
        """The split to score on."""
        return self.split("test")

    def tasks(self) -> list[Task]:
        """Return the shards of the set."""
        length = next((split.guard.shard_length for split in self.splits.values()), None)
        return tasks_of(self.recipe, self.sizes, length)


def open_dataset(path: str | Path, allow_partial: bool = False) -> Dataset:
    """Open a data set for reading; its splits are `.train`, `.val` and `.test`.

    Parameters
    ----------
    path : str or Path
        Local folder, an address of objects (`s3://bucket/key`), or a URL that fsspec understands (extra `remote`).
    allow_partial : bool
        Accept a set whose generation has not finished.

    Raises
    ------
    InputError
        If there is nothing there, or it is not a data set of this schema, or not complete.

    Examples
    --------
    >>> import csist_bench as cb
    >>> data = cb.open_dataset("data/sample/seqcsist.zarr")
    >>> data.test.frames.shape[1:]
    (20, 11, 11)
    """
    location = str(path)
    attributes, root = _open_root(location)
    data = described_set(location, attributes, allow_partial)
    with damage_said(location):
        splits = _open_splits(root, location, attributes, data.recipe, data.sizes)
    return replace(data, splits=splits)


def described_set(location: str, attributes: dict[str, Any], allow_partial: bool = False) -> Dataset:
    """Return a set as its attributes tell it, without its splits; errors are those of `open_dataset`."""
    schema = attributes.get("schema")
    if schema is None:
        raise InputError(f"{location}: not a csist-bench data set (its Zarr group has no 'schema' attribute)")
    if schema not in SCHEMAS:
        known = " or ".join(repr(one) for one in SCHEMAS)
        raise InputError(
            f"{location}: schema must be {known}, got {show(schema)}; make the set again with this version"
        )
    if attributes.get("status") != COMPLETE and not allow_partial:
        raise InputError(
            f"{location}: the data set is not complete; finish it with: csist-bench generate --out {location} --resume"
            " (or read what is there with --allow-partial)"
        )
    with damage_said(location):
        recipe = _described(recipe_from_stored(attributes["recipe"], f"{location}: stored recipe"), attributes)
        _check_attributes(location, attributes, recipe)
        data = Dataset(location, recipe, attributes, {})
        data.sizes  # noqa: B018 - numbers, or it is damaged
    return data


@contextmanager
def damage_said(location: str) -> Iterator[None]:
    """Turn whatever zarr and wrong types raise on damaged metadata into one line."""
    try:
        yield
    except (InputError, OSError):
        raise
    except Exception as error:  # zarr raises many types on damaged metadata
        raise InputError(f"{location}: damaged data set ({show(repr(error))}); make it again") from None


def reopen_dataset(path: str, allow_partial: bool = False) -> Dataset:
    """Open a data set for one of many shards: of objects, what this process opened before serves while it is the same.

    Then one request tells so, where opening a set takes sixteen.
    """
    if not is_address(path):
        return open_dataset(path, allow_partial)
    status, known = Objects(path).read(ROOT), _opened.get(path)
    if status is None or known is None or known[0] != status:
        known = status or b"", open_dataset(path, allow_partial)
        _opened.clear()  # one set is worked on at a time
        _opened[path] = known
    return known[1]


_opened: dict[str, tuple[bytes, Dataset]] = {}


def _described(recipe: DataRecipe, attributes: dict[str, Any]) -> DataRecipe:
    """Return a stored recipe with the page and licence that the set keeps beside it.

    No digest covers them, and users may have attributes of their own by any name: what can be neither is none.
    """
    about = attributes.get("about")
    told = {name: str(about.get(name, "")) if isinstance(about, dict) else "" for name in DESCRIPTIVE}
    try:
        return msgspec.structs.replace(recipe, **told)
    except InputError:
        return recipe


def _open_root(location: str) -> tuple[dict[str, Any], Any]:
    import zarr

    if is_address(location):
        return _open_objects(location)
    remote = "://" in location
    if not remote and is_bare_frames(location):
        raise InputError(
            f"{location}: frames without targets are no data set, so there is nothing to score or to train on;"
            " run, info, validate and plot frames read them (in Python: read_frames)"
        )
    if not remote:
        if not Path(location).exists():
            raise InputError(f"data set {location} not found; make it with: csist-bench generate --out {location}")
        if not (Path(location) / "zarr.json").is_file():
            raise InputError(
                f"{location}: not a csist-bench data set (no zarr.json inside); such a set is made by csist-bench"
                f" generate or import; run, info and plot frames also read frames from {FRAMES_READ}"
            )
    try:
        root = zarr.open_group(location, mode="r", zarr_format=3)
        return dict(root.attrs), root
    except ImportError:
        raise InputError(f"{location}: remote data sets need fsspec; install 'csist-bench[remote]'") from None
    except Exception as error:  # zarr raises many types on foreign or damaged metadata, an OSError of its own too
        if isinstance(error, OSError) and error.strerror:
            raise
        raise InputError(f"{location}: not a readable Zarr v3 group ({show(str(error))})") from None


def _open_objects(address: str) -> tuple[dict[str, Any], Any]:
    import zarr

    from csist_bench.datasets.object_store import ObjectStore

    store = ObjectStore(Objects(address))
    if store.whole(ROOT) is None:
        raise InputError(f"data set {address} not found; make it with: csist-bench generate --out {address}")
    try:
        root = zarr.open_group(store, mode="r", zarr_format=3)
        return dict(root.attrs), root
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{address}: not a readable Zarr v3 group ({show(str(error))})") from None


def _remedy(location: str, attributes: dict[str, Any]) -> str:
    if attributes.get("imported_step") is not None:
        return "import the set again"
    return f"repair it with: csist-bench generate --out {location} --resume (and the options that it was made with)"


def _check_attributes(location: str, attributes: dict[str, Any], recipe: DataRecipe) -> None:
    """Raise where the attributes contradict the digests that they hold of themselves."""
    if recipe_hash(recipe) != attributes["recipe_hash"]:
        raise InputError(f"{location}: the stored recipe is not that of its hash: it was changed; make the set again")
    if attributes["schema"] != SCHEMA_1 and attributes["attributes_sha256"] != attributes_digest(attributes):
        raise InputError(f"{location}: the attributes in zarr.json differ from their digest; make the set again")


def _open_splits(
    root: Any, location: str, attributes: dict[str, Any], recipe: DataRecipe, sizes: dict[str, int]
) -> dict[str, Split]:
    splits = {}
    for name in SPLITS:
        size = sizes.get(name, 0)
        if not size:
            continue
        group = root[name]
        missing = [array for array in DIMENSIONS if array not in group]
        if missing:
            raise InputError(f"{root.store_path}: split {name!r} lacks {', '.join(missing)}; make the set again")
        arrays = {array: group[array] for array in DIMENSIONS}
        _check_arrays(location, name, arrays, recipe, size)
        complete = attributes.get("status") == COMPLETE
        guard = Guard(location, name, group, arrays, attributes["schema"], complete, _remedy(location, attributes))
        prints = attributes.get("fingerprint"), attributes.get("fingerprint_v2")
        splits[name] = Split(name, recipe, arrays, *prints, guard)
    return splits


def _check_arrays(location: str, split: str, arrays: dict[str, Any], recipe: DataRecipe, size: int) -> None:
    """Raise where shape, type, fill value or codecs of an array are not those of a set of this recipe."""
    length = int((arrays["frames"].shards or arrays["frames"].chunks)[0])
    for name, plan in array_plan(recipe, size).items():
        array = arrays[name]
        found = f"{array.dtype.name} {tuple(array.shape)}"
        if found != (wanted := f"{plan.kind} {plan.shape}"):
            raise must(f"{location}: array {name!r} of {split!r}", f"be {wanted} by the recipe", found, "make it again")
        names = codec_names(array)
        chunks = tuple(array.shards or array.chunks)
        if names not in (["bytes", "blosc"], ["bytes", "blosc", "crc32c"]) or chunks != (length, *plan.shape[1:]):
            rule = "be stored as this program stores it (shards of whole trajectories; codecs bytes, blosc, crc32c)"
            raise must(
                f"{location}: array {name!r} of {split!r}", rule, f"{chunks}, {', '.join(names)}", "make it again"
            )
