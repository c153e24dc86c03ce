"""Folders: the published tools' text files, one per frame, and a table in Parquet parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, offenders, show
from csist_bench.files.numbers import is_number, number_columns, parsed_lines
from csist_bench.files.sources import file_bytes
from csist_bench.files.tables import Table
from csist_bench.files.text import lines_of, text_of
from csist_bench.predictions.header import Header
from csist_bench.predictions.table import IndexBounds, detections_from_columns, refuse

TEXT_FILE = re.compile(r"(?:image_)?(\d{1,15})\.txt")
NAMES = ("x", "y", "score")


def read_folder(path: Path, bounds: IndexBounds, warnings: list[str]) -> tuple[Detections, Header]:
    """Read `image_{i}.txt` or `{i}.txt` with lines `x y score`; i = trajectory * T + frame.

    Values stand apart by blanks, tabs, commas or semicolons. A file without lines answers that its frame holds no
    target.
    """
    files = _frame_files(path, warnings)
    lines = _Lines([], [], [])
    for index, file in sorted(files.items()):
        lines.add(index, file)
    columns: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {**lines.numbers(str(path))}
    columns["image_id"] = np.array(lines.image, dtype=np.int64)
    indices = np.array(sorted(files), dtype=np.int64)
    names = [files[int(i)].name for i in indices]
    start = bounds.convention.start
    stop = np.iinfo(np.int64).max if bounds.n_images is None else bounds.n_images + start
    rule = f"be at least {start}" if bounds.n_images is None else f"be in [{start}, {stop})"
    wrong = (indices < start) | (indices >= stop)
    refuse(wrong, indices, "image_id", str(path), rule, lambda row, name: names[row])
    warnings.append(f"{path}: no header; the data set is not verified")
    return detections_from_columns(columns, str(path), lines.label, bounds), Header(n_frames=len(files))


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
            strange.append(show(file.name))
        else:
            others += 1
    if strange:
        raise offenders(str(path), "text files must be named image_INDEX.txt or INDEX.txt", strange, len(strange))
    if not files:
        raise must(str(path), "hold text files image_INDEX.txt or INDEX.txt, one per frame, or Parquet parts", "none")
    if others:
        warnings.append(f"{path}: {others} other files or folders not read")
    return files


@dataclass
class _Lines:
    """The filled lines of all files of a folder, where each stands, and the frame it is of."""

    texts: list[str]
    sources: list[tuple[str, int]]
    image: list[int]

    def add(self, index: int, file: Path) -> None:
        """Add the lines of a file; comments and a header `x y score` hold no values."""
        begun = False
        for number, line in enumerate(lines_of(text_of(file_bytes(file), str(file))), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if not begun and [name.casefold() for name in re.split(r"[\s,;]+", line.strip())] == list(NAMES):
                begun = True
                continue
            begun = True
            self.texts.append(line)
            self.sources.append((file.name, number))
            self.image.append(index)

    def label(self, row: int, name: str = "") -> str:
        """Name a row by its file and line."""
        return "{}:{}".format(*self.sources[row])

    def numbers(self, where: str) -> dict[str, NDArray[np.float64]]:
        """Parse lines `x y score`."""
        plain = parsed_lines(self.texts, None, len(NAMES))
        if plain is not None:
            return dict(zip(NAMES, plain.T))
        cells = [_three(line) for line in self.texts]
        bad = [row for row, three in enumerate(cells) if three is None]
        if bad:
            found = [f"{self.label(row)}: {show(repr(self.texts[row]))}" for row in bad]
            raise offenders(where, "every line must be 'x y score'", found, len(bad))
        # Commas are decimal marks by now, so that the table reader tells them from thousands.
        table = _Labelled(where, list(NAMES), ";", [";".join(three) for three in cells if three], 1, self)
        return number_columns(table, NAMES)


def _three(line: str) -> list[str] | None:
    """Return the three values of a line, or None; a comma parts values where all three are numbers by themselves."""
    text = line.strip()
    for cells in (text.split(";"), [cell.strip() for cell in text.split(",")], text.split()):
        stripped = [cell.strip() for cell in cells]
        if len(stripped) == len(NAMES) and all(is_number(cell.replace(",", ".")) for cell in stripped):
            return stripped
    return None


@dataclass(frozen=True)
class _Labelled(Table):
    """A table whose rows come from several files."""

    source: _Lines

    def place(self, row: int) -> str:
        """Name a row by its file and line."""
        return self.source.label(row)
