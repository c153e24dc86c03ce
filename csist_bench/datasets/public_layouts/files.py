"""The folders of the public layouts, and which file is which frame.

As the public loaders do it, pictures are taken in the order of the first number in their names, whatever it starts
from, with gaps and leading zeros; a picture's annotation is the one with the same number.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from csist_bench.conventions import SPLITS
from csist_bench.datasets.folder_layouts import LAYOUTS, FolderLayout
from csist_bench.errors import InputError, must

IGNORED = ("Thumbs.db", "desktop.ini")  # left by file managers, as are hidden files


@dataclass(frozen=True, eq=False)
class SplitFiles:
    """The pictures of a split and their annotations, in the order of frames."""

    folder: Path
    pictures: list[Path]
    annotations: list[Path]
    numbers: tuple[int, int]  # first and last

    @property
    def missing(self) -> int:
        """How many numbers between the first and the last no file has."""
        return self.numbers[1] - self.numbers[0] + 1 - len(self.pictures)


def find_frames(folder: Path, layout: FolderLayout) -> dict[str, SplitFiles]:
    """Return the frames of each split that a folder holds.

    Raises
    ------
    InputError
        Where the folder holds no split, or two files of one number, a picture without annotation or the reverse, or
        files that are neither.
    """
    found = {
        split: _split_files(folder / split, layout)
        for split in SPLITS
        if (folder / split / layout.images).is_dir() or (folder / split / layout.annotations).is_dir()
    }
    if not found:
        others = (one for one in LAYOUTS.values() if any((folder / split / one.images).is_dir() for split in SPLITS))
        other = next((one.name for one in others), "")
        hint = f"; it looks like the layout {other}: pass --layout {other}" if other else ""
        raise InputError(
            f"{folder}: no {'/, '.join(SPLITS)}/ with {layout.images}/ inside; not the {layout.name} layout{hint}"
        )
    return found


def _split_files(folder: Path, layout: FolderLayout) -> SplitFiles:
    pictures = numbered_files(folder / layout.images, ".png")
    annotations = numbered_files(folder / layout.annotations, ".xml")
    alone = sorted(set(pictures) - set(annotations))
    without = sorted(set(annotations) - set(pictures))
    said = []
    if alone:
        said.append(f"{_listed(pictures, alone)} without annotation in {layout.annotations}/")
    if without:
        said.append(f"{_listed(annotations, without)} without picture in {layout.images}/")
    if said:
        raise InputError(
            f"{folder}: {'; '.join(said)}; every picture needs its annotation, of the same number in the name"
        )
    if not pictures:
        raise InputError(f"{folder}: holds no pictures; put them into {layout.images}/, or remove the folder")
    order = sorted(pictures)
    in_order = [pictures[i] for i in order], [annotations[i] for i in order]
    return SplitFiles(folder, *in_order, (order[0], order[-1]))


def _listed(files: dict[int, Path], numbers: list[int]) -> str:
    more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    return f"{files[numbers[0]].name}{more}"


def numbered_files(folder: Path, suffix: str) -> dict[int, Path]:
    """Return the files of a folder by the first number in their names.

    Raises
    ------
    InputError
        If two of them have the same number, or one has none or another suffix.
    """
    found: dict[int, Path] = {}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        if name.startswith(".") or name in IGNORED:
            continue
        match = re.search(r"\d+", name, re.ASCII)
        if match is None or not name.lower().endswith(suffix):
            rule = f"hold nothing but {suffix} files with a number in the name"
            raise must(f"{folder}", rule, name, "move it away")
        number = int(match[0])
        if number in found:
            raise InputError(
                f"{folder}: {found[number].name} and {name} have the same number, {number}, the first in their names;"
                " which frame is which cannot be told, so rename them"
            )
        found[number] = folder / name
    return found
