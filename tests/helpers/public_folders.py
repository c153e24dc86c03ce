"""Folders in the public layouts as other programs write them, from frames rendered anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from csist_bench.datasets import Dataset
from csist_bench.files.convention import ORIGIN_PX
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets

FOLDERS = {"published": ("image", "annotation", "COS"), "csist-100k": ("cso_img", "Annotations", "CSO")}


def write_foreign(
    source: Dataset,
    folder: Path,
    *,
    layout: str = "published",
    axes: str = "xy",
    origin: str = "centre",
    decimals: int | None = None,
    quantise: Callable = np.rint,
    name: Callable[[int], str] = str,
    prefix: str | None = None,
) -> Path:
    """Write 8-bit pictures and annotations of a set, without a side file; `name` makes the text of a file's number."""
    images, annotations, usual = FOLDERS[layout]
    digits = "{!r}" if decimals is None else f"{{:.{decimals}f}}"
    for split in source.splits.values():
        place = folder / split.name
        (place / images).mkdir(parents=True)
        (place / annotations).mkdir()
        frames = frames_from_targets(split.target_xy, split.target_intensity, Optics.from_recipe(split.recipe))
        values = np.clip(quantise(frames), 0, 255).astype(np.uint8).reshape(-1, *frames.shape[2:])
        xy = split.target_xy.reshape(len(values), -1, 2) + ORIGIN_PX[origin]
        light = split.target_intensity.reshape(len(values), -1)
        for i, shown in enumerate(values):
            Image.fromarray(shown).save(place / images / f"image_{name(i)}.png")
            targets = [
                "<object><name>Target</name><coordinate>"
                + "".join(
                    f"<{key}>{digits.format(float(value))}</{key}>"
                    for key, value in zip(("xc", "yc", "brightness"), (*(at if axes == "xy" else at[::-1]), s))
                )
                + "</coordinate></object>"
                for at, s in zip(xy[i], light[i])
                if np.isfinite(s)
            ]
            head = f"<annotation><filename>COS{i}</filename><size><width>11</width><height>11</height><depth>1</depth>"
            text = f"{head}</size><sigma>0.5</sigma>{''.join(targets)}</annotation>"
            (place / annotations / f"{usual if prefix is None else prefix}{name(i)}.xml").write_text(text)
    return folder
