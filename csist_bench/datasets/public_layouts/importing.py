"""The published folder layout, in and out: `{split}/image/image_{i}.png` and `{split}/annotation/COS{i}.xml`.

i = trajectory * T + frame. The published annotations and pictures disagree about which coordinate is the row, so an
importer must not trust names: it renders a few frames in both orders and keeps the one that matches the pictures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench import datasets
from csist_bench.conventions import SPLITS
from csist_bench.datasets.pictures import read_picture
from csist_bench.errors import InputError, must, require_finite, show
from csist_bench.files import built_beside, require_new_folder
from csist_bench.files.sources import require_file
from csist_bench.recipes import DataRecipe, load_data_recipe, recipe_from_stored, stored_table
from csist_bench.simulation.camera import saturation_level
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import Shard, frames_from_targets
from csist_bench.simulation.scenes import Scenes
from csist_bench.simulation.sensor import is_ideal

SIDE_FILE = "csist-bench.json"
FORMAT = "csist-bench/published-layout@1"
SCALE_16_BIT = 64  # grey values of a 16-bit picture per grey level; an 8-bit picture has 1
CHECKED_TOGETHER = 500  # frames
XML_DECIMALS_ERROR = 1e-3  # grey levels; what rounded coordinates in foreign annotations may add

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Layout:
    """What a published folder says of its frames: pixel depth, grey values per grey level, frames per trajectory."""

    bits: int
    scale: int
    frames: int
    recipe: dict[str, Any] | None

    @property
    def step(self) -> float:
        """Quantisation step of the frames in grey levels: the pictures', or the sensor's before them."""
        return 1.0 if self.recipe and self.recipe.get("bits") else 1 / self.scale


# --- export ----------------------------------------------------------------------------------------------------------


def export_published(source: datasets.Dataset, folder: Path, bits: int = 8, progress: Progress | None = None) -> int:
    """Write a data set in the published layout and return the number of frames.

    8-bit pictures are rounded and clipped at 255; 16-bit ones hold 64 values per grey level, clipped at 65535. The
    annotations hold x as `xc` and y as `yc`, exactly. A side file keeps the recipe and the scale.

    Raises
    ------
    InputError
        If the folder exists and is not empty.
    """
    require_new_folder(folder)
    layout = _Layout(bits, 1 if bits == 8 else SCALE_16_BIT, source.recipe.frames, stored_table(source.recipe))
    with built_beside(folder) as building:
        return _export_into(building, source, layout, progress)


def _export_into(folder: Path, source: datasets.Dataset, layout: _Layout, progress: Progress | None) -> int:
    total = sum(split.n_trajectories * split.n_frames for split in source.splits.values())
    done = 0
    for split in source.splits.values():
        for kind in ("image", "annotation"):
            (folder / split.name / kind).mkdir(parents=True)
        for first, stop in _blocks(split.n_trajectories):
            done += _export_block(split, first, stop, folder / split.name, layout)
            if progress:
                progress(done, total)
    side = {"format": FORMAT, "bits": layout.bits, "scale": layout.scale, "frames": layout.frames}
    side |= {"recipe": layout.recipe, "fingerprint": source.fingerprint}
    (folder / SIDE_FILE).write_text(json.dumps(side, indent=1), encoding="utf-8")
    return done


def _blocks(count: int, length: int = 50) -> list[tuple[int, int]]:
    return [(start, min(start + length, count)) for start in range(0, count, length)]


def _export_block(split: datasets.Split, first: int, stop: int, folder: Path, layout: _Layout) -> int:
    from PIL import Image

    kind = np.uint8 if layout.bits == 8 else np.uint16
    values = split.read("frames", first, stop).astype(np.float64) * layout.scale
    require_finite(f"{split.name}: frames of trajectories {first}..{stop - 1}", values)
    pictures = np.clip(np.rint(values), 0, np.iinfo(kind).max).astype(kind)
    xy, intensity = split.read("target_xy", first, stop), split.read("target_intensity", first, stop)
    count = split.read("target_count", first, stop)
    for n, t in np.ndindex(pictures.shape[:2]):
        i = (first + n) * layout.frames + t
        Image.fromarray(pictures[n, t]).save(folder / "image" / f"image_{i}.png")
        k = int(count[n, t])
        xml = _annotation(i, xy[n, t, :k], intensity[n, t, :k], split.recipe, layout.bits)
        (folder / "annotation" / f"COS{i}.xml").write_text(xml, encoding="utf-8")
    return int(pictures.shape[0] * pictures.shape[1])


def _annotation(i: int, xy: NDArray[Any], intensity: NDArray[Any], recipe: DataRecipe, bits: int) -> str:
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"image_{i}.png"
    size = ElementTree.SubElement(root, "size")
    for name, value in (("width", recipe.size), ("height", recipe.size), ("depth", bits)):
        ElementTree.SubElement(size, name).text = str(value)
    ElementTree.SubElement(root, "sigma").text = repr(recipe.psf_sigma)
    for (x, y), s in zip(xy.tolist(), intensity.tolist()):
        coordinate = ElementTree.SubElement(ElementTree.SubElement(root, "object"), "coordinate")
        for name, value in (("xc", x), ("yc", y), ("brightness", s)):
            ElementTree.SubElement(coordinate, name).text = repr(value)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


# --- import ----------------------------------------------------------------------------------------------------------


def import_published(folder: Path, path: Path, frames: int | None = None, progress: Progress | None = None) -> str:
    """Read a published folder into a new store at `path` and return its fingerprint.

    Parameters
    ----------
    folder : Path
    path : Path
        Must not exist.
    frames : int, optional
        Frames per trajectory; by default the side file's, or 20.

    Raises
    ------
    InputError
        Naming the first file that is missing or wrong; or, where the targets explain the pictures in neither axis
        order, the first such frame and the two errors.
    """
    if path.exists() or path.is_symlink():
        raise must(f"{path}", "not exist", "an existing file or folder", "choose another path or remove it")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected the published layout (train/, val/, test/)")
    layout = _read_layout(folder, frames)
    counts = {split: _count_frames(folder / split, layout.frames) for split in SPLITS}
    if not any(counts.values()):
        raise InputError(f"{folder}: no {'/, '.join(SPLITS)}/ with image/image_0.png inside; not the published layout")
    sizes = {split: count // layout.frames for split, count in counts.items()}
    parts = {split: _read_annotations(folder / split, count) for split, count in counts.items() if count}
    recipe = _recipe_of(folder, layout, sizes, parts)
    with built_beside(path) as building:
        return _import_into(building, folder, layout, sizes, parts, recipe, progress)


def _import_into(
    building: Path,
    folder: Path,
    layout: _Layout,
    sizes: dict[str, int],
    parts: dict[str, _Annotations],
    recipe: DataRecipe,
    progress: Progress | None,
) -> str:
    total, done = sum(sizes.values()) * layout.frames, 0
    datasets.create_dataset(building, recipe, sizes, {"imported_step": layout.step})
    swapped, first = None, ""
    for task in datasets.tasks_of(recipe, sizes):
        shard = _shard(folder / task.split, task, parts[task.split], recipe, layout)
        place, own = f"{folder / task.split}", _axes_are_swapped(shard, recipe, layout, folder / task.split, task)
        if swapped is None:
            swapped, first = own, place
        if own is not None and own != swapped:
            order = [f"xc is the {'row' if one else 'column'}" for one in (own, swapped)]
            where = f"{place}, frames {task.start * layout.frames} and on"
            raise InputError(f"{where}: {order[0]}, but {order[1]} in {first}; make the annotations agree")
        scenes = shard.scenes
        if swapped:
            scenes = Scenes(np.ascontiguousarray(scenes.xy[..., ::-1]), scenes.intensity, scenes.count)
        datasets.write_shard(building, recipe, task, Shard(shard.frames, scenes))
        done += (task.stop - task.start) * layout.frames
        if progress:
            progress(done, total)
    return datasets.finalise(building)


def _read_layout(folder: Path, frames: int | None) -> _Layout:
    side = folder / SIDE_FILE
    if side.exists():
        return _side_layout(side, frames)
    for split in SPLITS:
        first = folder / split / "image" / "image_0.png"
        if first.is_file():
            return _Layout(8 if _picture(first).dtype == np.uint8 else 16, 1, frames or 20, None)
    return _Layout(8, 1, frames or 20, None)


def _side_layout(side: Path, frames: int | None) -> _Layout:
    require_file(side)
    try:
        table = json.loads(side.read_text(encoding="utf-8"))
        layout = _Layout(int(table["bits"]), int(table["scale"]), frames or int(table["frames"]), table["recipe"])
        if layout.recipe is not None:
            recipe_from_stored(layout.recipe, str(side))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{side}: damaged side file ({show(repr(error))}); remove it to import by the pictures alone"
        ) from None
    if layout.bits not in (8, 16) or layout.scale not in (1, SCALE_16_BIT) or layout.frames < 1:
        found = f"bits {layout.bits}, scale {layout.scale}, frames {layout.frames}"
        raise must(f"{side}", f"hold bits 8 or 16, scale 1 or {SCALE_16_BIT}, and frames from 1", found)
    return layout


def _count_frames(folder: Path, frames: int) -> int:
    """Return the number of frames of a split, checked to be contiguous and whole trajectories."""
    found = sorted(int(m[1]) for p in folder.glob("image/image_*.png") if (m := re.fullmatch(r"image_(\d+)", p.stem)))
    if found != list(range(len(found))):
        missing = next(i for i, have in enumerate(found) if i != have)
        raise InputError(f"{folder}/image/image_{missing}.png is missing; frames must be numbered 0..{found[-1]}")
    if len(found) % frames:
        raise must(
            f"{folder}: number of frames", f"be a multiple of {frames} per trajectory", len(found), "see --frames"
        )
    return len(found)


@dataclass(frozen=True, eq=False)
class _Annotations:
    targets: list[list[tuple[float, float, float]]]  # per frame: (xc, yc, brightness)
    sigma: float
    size: int


def _read_annotations(folder: Path, count: int) -> _Annotations:
    targets, sigma, size = [], None, None
    for i in range(count):
        path = folder / "annotation" / f"COS{i}.xml"
        if not path.exists():
            raise InputError(f"{path} is missing; every picture needs its annotation")
        require_file(path)
        try:
            root = ElementTree.parse(path).getroot()
            places = [
                tuple(float(c.findtext(n, "")) for n in ("xc", "yc", "brightness")) for c in root.iter("coordinate")
            ]
            targets.append(places)
            if sigma is None:
                sigma, size = float(root.findtext("sigma", "0.5")), int(root.findtext("size/width", ""))
        except (ElementTree.ParseError, ValueError, LookupError, RecursionError, OverflowError) as error:
            raise InputError(f"{path}: not a readable annotation of xc, yc, brightness ({error})") from None
        if not np.isfinite(places).all() if places else False:
            raise InputError(f"{path}: coordinates and brightness must be finite, got {places}")
    return _Annotations(targets, sigma or 0.5, size or 11)  # type: ignore[arg-type]


def _recipe_of(folder: Path, layout: _Layout, sizes: dict[str, int], parts: dict[str, _Annotations]) -> DataRecipe:
    """Return the recipe of an imported set: the exported one where the side file keeps it, else what the files show."""
    first = next(iter(parts.values()))
    counts = [len(places) for part in parts.values() for places in part.targets]
    base = load_data_recipe("seqcsist") if layout.recipe is None else recipe_from_stored(layout.recipe, str(folder))
    frames, total = layout.frames, sum(sizes.values())
    changes: dict[str, Any] = {
        "name": base.name if layout.recipe else folder.resolve().name,
        "trajectories": total,
        "frames": frames,
        "splits": tuple(sizes[split] / total for split in SPLITS),
        "scored_frames": base.scored_frames if frames == base.frames else ":",
        "size": first.size,
        "psf_sigma": first.sigma,
        "directions": "given",
        "k_min": min(counts),
        "k_max": max(max(counts), 1),
        "dtype": "uint8" if layout.bits == 8 else "float32",
        "bits": 8 if layout.bits == 8 else 0,
        "saturation": 0.0 if layout.bits == 8 else min(65535 / layout.scale, saturation_level(base)),
    }
    return msgspec.structs.replace(base, **changes)


def _shard(folder: Path, task: datasets.Task, part: _Annotations, recipe: DataRecipe, layout: _Layout) -> Shard:
    n, t, k = task.stop - task.start, layout.frames, recipe.k_max
    xy, intensity = np.full((n, t, k, 2), np.nan), np.full((n, t, k), np.nan)
    frames = np.empty((n, t, recipe.size, recipe.size), dtype=recipe.dtype)
    for row, frame in np.ndindex(n, t):
        i = (task.start + row) * t + frame
        picture = _picture(folder / "image" / f"image_{i}.png")
        if picture.shape != frames.shape[2:]:
            raise must(f"{folder}/image/image_{i}.png", f"be {recipe.size} x {recipe.size} px", picture.shape)
        if (found := _depth(picture)) != layout.bits:
            rule = f"be a picture of {layout.bits} bits, as the first one is"
            raise must(f"{folder}/image/image_{i}.png", rule, f"{found} bits", "convert it")
        frames[row, frame] = picture if layout.scale == 1 else picture / layout.scale
        places = part.targets[i]
        if places:
            xy[row, frame, : len(places)] = np.array(places)[:, :2]
            intensity[row, frame, : len(places)] = np.array(places)[:, 2]
    count = np.isfinite(intensity).sum(axis=-1).astype(np.uint8)
    return Shard(frames, Scenes(xy, intensity, count))


def _picture(path: Path) -> NDArray[Any]:
    return read_picture(path, str(path), ("L", "I;16", "I"))


def _depth(picture: NDArray[Any]) -> int:
    """Return the bits of a picture's values; those of a deeper one would be cut to another's."""
    if picture.dtype == np.uint8:
        return 8
    return 16 if not picture.size or 0 <= picture.min() <= picture.max() < 2**16 else 32


def _axes_are_swapped(
    shard: Shard, recipe: DataRecipe, layout: _Layout, folder: Path, task: datasets.Task
) -> bool | None:
    """Tell whether `xc` is the row, by rendering all frames of a shard both ways; None where both explain them."""
    ideal = layout.recipe is None or is_ideal(recipe_from_stored(layout.recipe, str(folder)))
    allowed = 0.5 / layout.scale + XML_DECIMALS_ERROR
    errors = [np.concatenate(parts) for parts in zip(*_order_errors(shard, recipe, layout))]
    if not ideal:
        # Our own export of frames with noise, background or clipping: neither order explains them to the last digit.
        medians = [float(np.median(error)) for error in errors]
        return None if medians[0] == medians[1] else medians[1] < medians[0]
    straight, swapped = (error <= allowed for error in errors)
    if straight.all() or swapped.all():
        return None if straight.all() and swapped.all() else bool(swapped.all())
    first = int(np.argmin(straight | swapped) if not (straight | swapped).all() else np.argmin(straight))
    frame = task.start * layout.frames + first
    raise InputError(
        f"{folder}: the annotations explain the pictures in neither axis order; frame {frame}: largest error"
        f" {errors[0][first]:.3g} with xc = column, {errors[1][first]:.3g} with xc = row (allowed {allowed:.3g})"
    )


def _order_errors(shard: Shard, recipe: DataRecipe, layout: _Layout) -> Iterator[list[NDArray[np.float64]]]:
    """Yield, piece by piece, each frame's largest error with xc = column and with xc = row."""
    optics, k = Optics.from_recipe(recipe), recipe.k_max
    count = shard.frames.shape[0] * shard.frames.shape[1]
    xy, light = shard.scenes.xy.reshape(count, k, 2), shard.scenes.intensity.reshape(count, k)
    frames = shard.frames.reshape(count, recipe.size, recipe.size)
    ceiling = (255.0 if layout.bits == 8 else 65535.0) / layout.scale
    for first, stop in _blocks(count, CHECKED_TOGETHER):
        shown = frames[first:stop].astype(np.float64)
        orders = (xy[first:stop], xy[first:stop, :, ::-1])
        rendered = (frames_from_targets(order, light[first:stop], optics) for order in orders)
        yield [np.abs(np.clip(expected, 0, ceiling) - shown).max(axis=(1, 2)) for expected in rendered]
