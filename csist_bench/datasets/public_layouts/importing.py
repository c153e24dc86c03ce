"""A folder in a public layout read into a data set."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench import datasets
from csist_bench.conventions import SPLITS
from csist_bench.datasets.folder_layouts import LAYOUTS, FolderLayout
from csist_bench.datasets.pictures import read_picture
from csist_bench.datasets.public_layouts.annotations import Annotation, read_annotation
from csist_bench.datasets.public_layouts.files import SplitFiles, find_frames
from csist_bench.datasets.public_layouts.readings import (
    NUMERICAL,
    Found,
    Residuals,
    Slack,
    best_reading,
    find_reading,
    places,
)
from csist_bench.datasets.public_layouts.side_file import SIDE_FILE, Pictures, read_side_file
from csist_bench.errors import InputError, must
from csist_bench.files import built_beside
from csist_bench.files.convention import AS_THE_FORM, OURS, Convention
from csist_bench.recipes import DESCRIPTIVE, DataRecipe, convert, load_data_recipe, recipe_from_stored, resolved
from csist_bench.simulation.camera import saturation_level
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import Shard
from csist_bench.simulation.scenes import Scenes
from csist_bench.simulation.sensor import is_ideal

CHECKED_TOGETHER = 500  # frames
NO_SLACK = 1e-6  # grey levels; under it decimals move nothing

Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Imported:
    """What an import made: the set's fingerprint, its frames, how it was read, and what else should be known."""

    fingerprint: str
    frames: int
    found: Found
    decimals: tuple[int, int]
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Targets:
    """Annotated targets of a split as they stand: `xy` (frames, K, 2) as (xc, yc), `light` (frames, K), NaN-padded."""

    xy: Floats
    light: Floats


@dataclass(frozen=True, eq=False)
class _Source:
    """A folder whose files are found and whose annotations are read."""

    folder: Path
    pictures: Pictures
    recipe: DataRecipe
    files: dict[str, SplitFiles]
    targets: dict[str, _Targets]
    slack: Slack
    decimals: tuple[int, int]

    @property
    def sizes(self) -> dict[str, int]:
        """Trajectories of each split."""
        return {
            split: len(self.files[split].pictures) // self.pictures.frames if split in self.files else 0
            for split in SPLITS
        }


def import_layout(
    folder: Path,
    path: Path,
    layout: str = "published",
    *,
    frames: int | None = None,
    told: Convention = AS_THE_FORM,
    about: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read a folder in a public layout into a new store at `path`.

    Pictures are taken in the order of the first number in their names. Axes, origin and rounding are found by
    rendering every frame (see `readings`), not by names.

    Parameters
    ----------
    folder : Path
    path : Path
        Must not exist.
    layout : {"published", "csist-100k"}
    frames : int, optional
        Frames per trajectory; by default the side file's, or the layout's: 20 and 1.
    told : Convention
        Axes and origin where they are known; None is found.
    about : mapping, optional
        The set's `url` and `license`, for its metadata; by default what the side file tells.
    progress : callable, optional
        Told of files read, of all of them.

    Raises
    ------
    InputError
        Naming the first file that is missing or wrong; or, where the targets explain the pictures in no reading or in
        several, the errors of all of them.
    """
    if path.exists() or path.is_symlink():
        raise must(f"{path}", "not exist", "an existing file or folder", "choose another path or remove it")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected the {layout} layout (train/, val/, test/)")
    source = _open_source(folder, LAYOUTS[layout], frames, about or {}, progress)
    with built_beside(path) as building, _pixels(source, path.parent, progress) as pixels:
        found = _read_by(source, pixels, told)
        fingerprint = _write(building, source, pixels, found)
    count = sum(len(part.pictures) for part in source.files.values())
    return Imported(fingerprint, count, found, source.decimals, _notes(source, found))


def _notes(source: _Source, found: Found) -> list[str]:
    gaps = [
        f"{part.folder.name}: numbers {part.numbers[0]}..{part.numbers[1]}, {part.missing} of them missing;"
        " taken in sorted order"
        for part in source.files.values()
        if part.missing
    ]
    cut = "pixels are truncated: each lies up to one grey value below the light, half of one on average"
    untold = [name for name in DESCRIPTIVE if not getattr(source.recipe, name)]
    flags = " and ".join(f"--{name}" for name in untold)
    lacks = f"no {' and no '.join(untold)} told: left out of croissant.json; tell with {flags}"
    return gaps + ([cut] if found.pixels == "truncated" else []) + ([lacks] if untold else [])


# --- annotations -----------------------------------------------------------------------------------------------------


def _open_source(
    folder: Path, layout: FolderLayout, frames: int | None, about: Mapping[str, str], progress: Progress | None
) -> _Source:
    files = find_frames(folder, layout)
    side = folder / SIDE_FILE
    if side.exists():
        pictures = read_side_file(side, frames)
    else:
        depth = 8 if _picture(next(iter(files.values())).pictures[0]).dtype == np.uint8 else 16
        pictures = Pictures(depth, 1, frames or layout.frames)
    for part in files.values():
        if len(part.pictures) % pictures.frames:
            rule = f"be a multiple of {pictures.frames} per trajectory"
            raise must(f"{part.folder}: number of frames", rule, len(part.pictures), "see --frames")
    total, done = 2 * sum(len(part.pictures) for part in files.values()), 0
    read: dict[str, list[Annotation]] = {}
    for split, part in files.items():
        read[split] = []
        for path in part.annotations:
            read[split].append(read_annotation(path))
            done += 1
            if progress and done % CHECKED_TOGETHER == 0:
                progress(done, total)
        _require_alike(part, read[split], next(iter(read.values()))[0])
    every = [one for part in read.values() for one in part]
    decimals = tuple(max(one.decimals[i] for one in every) for i in range(2))
    sizes = {split: len(part.pictures) // pictures.frames for split, part in files.items()}
    recipe = _recipe_of(folder, layout, pictures, sizes, every)
    recipe = msgspec.structs.replace(recipe, **dict.fromkeys(DESCRIPTIVE, "") | pictures.about | dict(about))
    targets = {split: _targets(part, recipe.k_max) for split, part in read.items()}
    slack = Slack.of((decimals[0], decimals[1]), Optics.from_recipe(recipe))
    return _Source(folder, pictures, recipe, files, targets, slack, (decimals[0], decimals[1]))


def _require_alike(part: SplitFiles, read: list[Annotation], first: Annotation) -> None:
    """Refuse annotations of another PSF or size than the first: a set has one of each."""
    for path, one in zip(part.annotations, read):
        if (one.sigma, one.size) != (first.sigma, first.size):
            rule = f"name sigma {first.sigma:g} and size {first.size}, as the first annotation does"
            raise must(f"{path}", rule, f"sigma {one.sigma:g} and size {one.size}")


def _targets(read: list[Annotation], k: int) -> _Targets:
    xy, light = np.full((len(read), k, 2), np.nan), np.full((len(read), k), np.nan)
    for row, one in enumerate(read):
        if one.targets:
            table = np.array(one.targets)
            xy[row, : len(table)], light[row, : len(table)] = table[:, :2], table[:, 2]
    return _Targets(xy, light)


def _recipe_of(
    folder: Path, layout: FolderLayout, pictures: Pictures, sizes: dict[str, int], every: list[Annotation]
) -> DataRecipe:
    """Return the recipe of an imported set: the exported one where the side file keeps it, else what the files show."""
    stored = pictures.recipe
    base = load_data_recipe(layout.recipe) if stored is None else recipe_from_stored(stored, str(folder))
    counts = [len(one.targets) for one in every]
    light = [target[2] for one in every for target in one.targets]
    frames, total = pictures.frames, sum(sizes.values())
    eight = pictures.bits == 8
    changes: dict[str, Any] = {
        "name": base.name if stored else folder.resolve().name,
        "trajectories": total,
        "frames": frames,
        "splits": tuple(sizes.get(split, 0) / total for split in SPLITS),
        "scored_frames": base.scored_frames if frames == base.frames else ":",
        "size": every[0].size,
        "psf_sigma": every[0].sigma,
        "directions": "given",
        "k_min": min(counts),
        "k_max": max(max(counts), 1),
        "intensity_min": min([base.intensity_min, *light]),
        "intensity_max": max([base.intensity_max, *light]),
        "dtype": "uint8" if eight else "float32",
        "bits": 8 if eight else 0,
        "saturation": 0.0 if eight else min(pictures.ceiling, saturation_level(base)),
    }
    return convert(resolved(msgspec.structs.replace(base, **changes)), DataRecipe, f"{folder}: annotations")


# --- pictures --------------------------------------------------------------------------------------------------------


@contextmanager
def _pixels(source: _Source, place: Path, progress: Progress | None) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the pictures of each split, (frames, H, W), mapped from a nameless file beside the set to be made."""
    size, bits = source.recipe.size, source.pictures.bits
    done = sum(len(part.pictures) for part in source.files.values())
    total = 2 * done
    with tempfile.TemporaryFile(dir=place) as scratch:
        kind = np.dtype(np.uint8 if bits == 8 else np.uint16)
        if hasattr(os, "posix_fallocate"):
            # A full disk is an error here; found out while writing into the map it would kill the process.
            os.posix_fallocate(scratch.fileno(), 0, done * size * size * kind.itemsize)
        whole = np.memmap(scratch, kind, "w+", shape=(done, size, size))
        parts, first = {}, 0
        for split, part in source.files.items():
            parts[split] = whole[first : first + len(part.pictures)]
            for row, path in enumerate(part.pictures):
                parts[split][row] = _checked_picture(path, size, bits)
                done += 1
                if progress and (done % CHECKED_TOGETHER == 0 or done == total):
                    progress(done, total)
            first += len(part.pictures)
        yield parts


def _checked_picture(path: Path, size: int, bits: int) -> NDArray[Any]:
    picture = _picture(path)
    if picture.shape != (size, size):
        raise must(f"{path}", f"be {size} x {size} px", picture.shape)
    if (found := _depth(picture)) != bits:
        raise must(f"{path}", f"be a picture of {bits} bits, as the first one is", f"{found} bits", "convert it")
    return picture


def _picture(path: Path) -> NDArray[Any]:
    return read_picture(path, str(path), ("L", "I;16", "I"))


def _depth(picture: NDArray[Any]) -> int:
    """Return the bits of a picture's values; those of a deeper one would be cut to another's."""
    if picture.dtype == np.uint8:
        return 8
    return 16 if not picture.size or 0 <= picture.min() <= picture.max() < 2**16 else 32


# --- what the annotations mean, and the set --------------------------------------------------------------------------


def _read_by(source: _Source, pixels: dict[str, NDArray[Any]], told: Convention) -> Found:
    """Return the reading of the annotations that explains the pictures."""
    pictures, optics = source.pictures, Optics.from_recipe(source.recipe)
    stored = pictures.recipe
    # Of our own export of frames with noise, background or clipping no reading explains the pictures to the last digit.
    ideal = stored is None or is_ideal(recipe_from_stored(stored, str(source.folder)))
    parts = {}
    for split, files in source.files.items():
        part = parts[str(files.folder)] = Residuals(optics, 1 / pictures.scale, pictures.ceiling, source.slack)
        targets, shown = source.targets[split], pixels[split]
        for first in range(0, len(shown), CHECKED_TOGETHER):
            block = slice(first, first + CHECKED_TOGETHER)
            levels = shown[block] / pictures.scale
            part.add(targets.xy[block], targets.light[block], levels, prune=ideal)
            if ideal and not part.alive().any():
                break
    if not ideal:
        return best_reading(parts, told, pictures.convention or OURS)
    names = {str(files.folder): [path.name for path in files.pictures] for files in source.files.values()}
    return find_reading(parts, names, told, pictures.convention)


def _write(building: Path, source: _Source, pixels: dict[str, NDArray[Any]], found: Found) -> str:
    recipe, pictures = source.recipe, source.pictures
    largest = max(float(source.slack(targets.light).max()) for targets in source.targets.values())
    step = pictures.step * (2 if found.pixels != "rounded" else 1)
    # What a frame may differ from its targets by, twice: the quantisation step, and what decimals add.
    step += 2 * (largest + NUMERICAL) if largest > NO_SLACK else 0.0
    about = {"imported_step": step, "imported": _about(source, found)}
    datasets.create_dataset(building, recipe, source.sizes, about)
    for task in datasets.tasks_of(recipe, source.sizes):
        block = slice(task.start * recipe.frames, task.stop * recipe.frames)
        targets, shown = source.targets[task.split], pixels[task.split][block]
        lead = task.stop - task.start, recipe.frames
        levels = shown if pictures.scale == 1 else shown / pictures.scale
        frames = levels.reshape(*lead, recipe.size, recipe.size).astype(recipe.dtype)
        light = targets.light[block].reshape(*lead, recipe.k_max)
        xy = places(targets.xy[block], found.reading).reshape(*lead, recipe.k_max, 2)
        count = np.isfinite(light).sum(axis=-1).astype(np.uint8)
        datasets.write_shard(building, recipe, task, Shard(frames, Scenes(xy, light, count)))
    return datasets.finalise(building)


def _about(source: _Source, found: Found) -> dict[str, Any]:
    """Return what the set tells of its source; outside the attributes that a digest covers, as older readers expect."""
    return {
        "axes": found.reading.axes,
        "origin": found.reading.origin,
        "pixels": found.pixels,
        "decimals": list(source.decimals),
        "bits": source.pictures.bits,
    }
