"""The published tools' form: a folder of text files, one per frame."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders, show
from csist_bench.predictions.header import Header
from csist_bench.predictions.table import IndexBounds, Label, detections_from_columns, refuse
from csist_bench.predictions.text import decoded, is_number, table_of_numbers

TEXT_FILE = re.compile(r"(?:image_)?(\d{1,15})\.txt")


def read_folder(path: Path, bounds: IndexBounds, warnings: list[str]) -> tuple[Detections, Header]:
    """Read `image_{i}.txt` or `{i}.txt` with lines `x y score`; i = trajectory * T + frame.

    A file without lines answers that its frame holds no target.
    """
    files = _frame_files(path, warnings)
    lines: list[str] = []
    sources: list[tuple[str, int]] = []
    image: list[int] = []
    for index, file in sorted(files.items()):
        for number, line in enumerate(decoded(file.read_bytes(), str(file)).splitlines(), start=1):
            if line.strip():
                lines.append(line)
                sources.append((file.name, number))
                image.append(index)
    values = _three_columns(lines, str(path), lambda row: "{}:{}".format(*sources[row]))
    columns: dict[str, NDArray[Any]] = dict(zip(("x", "y", "score"), values.T))
    columns["image_id"] = np.array(image, dtype=np.int64)
    indices = np.array(sorted(files), dtype=np.int64)
    names = [files[int(i)].name for i in indices]
    if bounds.n_images is not None:
        rule = f"be in [0, {bounds.n_images})"
        refuse(indices >= bounds.n_images, indices, "image_id", str(path), rule, lambda row, name: names[row])
    warnings.append(f"{path}: no header; the data set is not verified")
    label: Label = lambda row, name: "{}:{}".format(*sources[row])  # noqa: E731
    return detections_from_columns(columns, str(path), label, bounds), Header(n_frames=len(files))


def _frame_files(path: Path, warnings: list[str]) -> dict[int, Path]:
    """Return the text files of a folder by frame index."""
    files: dict[int, Path] = {}
    strange, others = [], 0
    for file in sorted(path.iterdir()):
        match = TEXT_FILE.fullmatch(file.name)
        if match and file.is_file():
            index = int(match[1])
            if index in files:
                raise InputError(f"{path}: {files[index].name} and {file.name} name the same frame; keep one of them")
            files[index] = file
        elif file.suffix == ".txt":
            strange.append(file.name)
        else:
            others += 1
    if strange:
        raise offenders(str(path), "text files must be named image_INDEX.txt or INDEX.txt", strange, len(strange))
    if not files:
        raise must(str(path), "hold text files image_INDEX.txt or INDEX.txt, one per frame", "none")
    if others:
        warnings.append(f"{path}: {others} other files or folders not read")
    return files


def _three_columns(lines: list[str], where: str, source: Callable[[int], str]) -> NDArray[np.float64]:
    """Parse lines `x y score`."""
    try:
        values = table_of_numbers(lines, None, None, 3)
    except ValueError:
        values = np.zeros((0, 0))
    if values.shape == (len(lines), 3):
        return values
    bad = [i for i, line in enumerate(lines) if len(line.split()) != 3 or not all(map(is_number, line.split()))]
    found = [f"{source(i)}: {show(repr(lines[i]))}" for i in bad[:OFFENDERS_SHOWN]]
    raise offenders(where, "every line must be 'x y score'", found, len(bad))
