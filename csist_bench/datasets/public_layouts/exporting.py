"""A data set written in a public layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from csist_bench import datasets
from csist_bench.datasets.folder_layouts import LAYOUTS, FolderLayout
from csist_bench.datasets.metadata.facts import facts_of
from csist_bench.datasets.metadata.writing import write_metadata
from csist_bench.datasets.public_layouts.annotations import annotation_text
from csist_bench.datasets.public_layouts.readings import annotated
from csist_bench.datasets.public_layouts.side_file import SCALE_16_BIT, SIDE_FILE, Pictures, side_table
from csist_bench.errors import require_finite
from csist_bench.files import built_beside, require_new_folder
from csist_bench.files.convention import OURS, Convention
from csist_bench.recipes import DESCRIPTIVE, stored_table

TRAJECTORIES_TOGETHER = 50

Progress = Callable[[int, int], None]


def export_layout(
    source: datasets.Dataset,
    folder: Path,
    layout: str = "published",
    *,
    bits: int = 8,
    convention: Convention = OURS,
    progress: Progress | None = None,
) -> int:
    """Write a data set in a public layout and return the number of frames.

    8-bit pictures are rounded and clipped at 255; 16-bit ones hold 64 values per grey level, clipped at 65535. The
    annotations hold x as `xc` and y as `yc`, exactly. A side file keeps the recipe and the scale.

    Parameters
    ----------
    source : Dataset
    folder : Path
        New or empty.
    layout : {"published", "csist-100k"}
    bits : {8, 16}
    convention : Convention
        `axes` "yx" writes y as `xc`, `origin` moves what is written, `first_frame` is the number of the first file.

    Raises
    ------
    InputError
        If the folder exists and is not empty.
    """
    require_new_folder(folder)
    scale = 1 if bits == 8 else SCALE_16_BIT
    about = {name: getattr(source.recipe, name) for name in DESCRIPTIVE}
    stored, written = stored_table(source.recipe), convention.over(OURS)
    pictures = Pictures(bits, scale, source.recipe.frames, stored, written, about)
    with built_beside(folder) as building:
        return _export_into(building, source, LAYOUTS[layout], pictures, progress)


def _export_into(
    folder: Path, source: datasets.Dataset, layout: FolderLayout, pictures: Pictures, progress: Progress | None
) -> int:
    total = sum(split.n_trajectories * split.n_frames for split in source.splits.values())
    done, first = 0, (pictures.convention or OURS).start
    digits = max(layout.digits, len(str(first + total - 1))) if layout.continued else layout.digits
    for split in source.splits.values():
        number = first + (done if layout.continued else 0)
        writer = _Writer(folder / split.name, layout, pictures, digits)
        for start in range(0, split.n_trajectories, TRAJECTORIES_TOGETHER):
            stop = min(start + TRAJECTORIES_TOGETHER, split.n_trajectories)
            writer.write(split, start, stop, number + start * split.n_frames)
            done += (stop - start) * split.n_frames
            if progress:
                progress(done, total)
    side = side_table(pictures, layout.name, source.fingerprint)
    (folder / SIDE_FILE).write_text(json.dumps(side, indent=1), encoding="utf-8")
    write_metadata(folder, facts_of(source, layout.name, pictures.bits))
    return done


class _Writer:
    """Writes the frames of one split."""

    def __init__(self, folder: Path, layout: FolderLayout, pictures: Pictures, digits: int) -> None:
        self.layout, self.pictures, self.digits = layout, pictures, digits
        self.images, self.annotations = folder / layout.images, folder / layout.annotations
        for place in (self.images, self.annotations):
            place.mkdir(parents=True)

    def write(self, split: datasets.Split, start: int, stop: int, number: int) -> None:
        """Write trajectories start..stop-1, whose first frame has this number."""
        from PIL import Image

        bits = self.pictures.bits
        kind = np.uint8 if bits == 8 else np.uint16
        values = split.read("frames", start, stop).astype(np.float64) * self.pictures.scale
        require_finite(f"{split.name}: frames of trajectories {start}..{stop - 1}", values)
        shown = np.clip(np.rint(values), 0, np.iinfo(kind).max).astype(kind)
        xy = annotated(split.read("target_xy", start, stop), self.pictures.convention or OURS)
        intensity, count = split.read("target_intensity", start, stop), split.read("target_count", start, stop)
        for i, place in enumerate(np.ndindex(shown.shape[:2]), start=number):
            name, k = f"{i:0{self.digits}d}", int(count[place])
            Image.fromarray(shown[place]).save(self.images / f"image_{name}.png")
            xml = annotation_text(f"image_{name}.png", xy[place][:k], intensity[place][:k], split.recipe, bits)
            (self.annotations / f"{self.layout.prefix}{name}.xml").write_text(xml, encoding="utf-8")
