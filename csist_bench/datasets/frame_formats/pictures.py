"""A PNG picture, and folders of PNG or TIFF pictures in the order of the numbers in their names."""

from __future__ import annotations

import itertools
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.array_files import refuse_bomb
from csist_bench.datasets.frame_axes import Stored
from csist_bench.datasets.frame_formats.tiff import read_tiff_frames
from csist_bench.datasets.frame_kinds import PICTURES
from csist_bench.datasets.pictures import LARGEST_PICTURE, read_picture
from csist_bench.errors import InputError, must, show
from csist_bench.files.sources import first_bytes

PNG = b"\x89PNG\r\n\x1a\n"
COLOURS = {2: "RGB", 3: "a palette", 4: "grey with transparency", 6: "RGB with transparency"}
IGNORED = ("thumbs.db", "desktop.ini", "__macosx")
SHOWN = 5


def read_png_frames(path: Path) -> Stored:
    """Read a grey PNG picture of 8 or 16 bits as one frame."""
    return Stored(_png(path, str(path)), "1 picture", "YX")


def read_folder_frames(path: Path, single: bool) -> Stored:
    """Read a folder of grey pictures, all of one size and depth, as frames.

    Their names differ by one number, which counts frames without a gap; single frames may have gaps.
    """
    files = _in_order(path, single)
    first = _grey(files[0])
    refuse_bomb(str(path), sum(file.stat().st_size for file in files), len(files) * first.nbytes)
    values = np.empty((len(files), *first.shape), first.dtype.newbyteorder("="))
    for place, file in enumerate(files):
        frame = _grey(file) if place else first
        if frame.shape != first.shape or frame.dtype != first.dtype:
            rule = f"be {_size(first)} as {files[0].name} is"
            raise must(str(file), rule, _size(frame), "all frames of a folder are of one size and depth")
        values[place] = frame
    kind = "TIFF" if files[0].suffix.lower().startswith(".tif") else "PNG"
    names = f"{files[0].name} to {files[-1].name}" if len(files) > 1 else files[0].name
    return Stored(values, f"{len(files)} {kind} file{'s' * (len(files) > 1)}, {names}", "TYX")


def _size(frame: NDArray[Any]) -> str:
    return f"{frame.shape[0]} x {frame.shape[1]} px of {frame.dtype.name}"


def _grey(file: Path) -> NDArray[Any]:
    if file.suffix.lower() == ".png":
        return _png(file, str(file))
    values = read_tiff_frames(file).values
    if values.ndim != 3 or len(values) != 1:
        raise must(str(file), "hold one page in a folder of frames", f"{len(values)}")
    return np.asarray(values[0])


def _png(path: Path, where: str) -> NDArray[Any]:
    head = first_bytes(path, count=26)
    if len(head) < 26 or head[:8] != PNG or head[12:16] != b"IHDR":
        raise InputError(f"{where}: not a PNG picture (it does not begin as one)")
    width, height, depth, colour = struct.unpack(">IIBB", head[16:26])
    if colour in COLOURS:
        raise must(where, "be grey", COLOURS[colour], "convert it to grey first")
    if depth not in (8, 16):
        raise must(where, "have 8 or 16 bits a pixel", depth)
    if width * height > LARGEST_PICTURE:
        raise must(where, f"have at most {LARGEST_PICTURE} px", f"{width} x {height}")
    refuse_bomb(where, path.stat().st_size, width * height * depth // 8)
    pixels = read_picture(path, where, ("L",) if depth == 8 else ("I;16", "I"))
    return pixels.astype("uint8" if depth == 8 else "uint16", copy=False)


@dataclass(frozen=True)
class _Name:
    """A file's name, in parts: text, number, text, ..."""

    file: Path
    parts: tuple[str, ...]


def _in_order(path: Path, single: bool) -> list[Path]:
    """Return the pictures of a folder in the order of their numbers."""
    names = [_Name(file, tuple(re.split(r"([0-9]+)", file.name))) for file in _pictures(path)]
    first = names[0]
    if len(names) == 1:
        return [first.file]
    for name in names:
        if name.parts[::2] != first.parts[::2]:
            raise must(str(name.file), "be named as the others are but for its number", f"beside {first.file.name}")
    varying = [i for i in range(1, len(first.parts), 2) if len({int(name.parts[i]) for name in names}) > 1]
    if len(varying) != 1:
        found = f"{first.file.name} and {names[-1].file.name}"
        raise must(f"{path}: names", "differ by one number, that of the frame", found, "a folder holds one sequence")
    numbered: dict[int, Path] = {}
    for name in names:
        number = int(name.parts[varying[0]])
        if number in numbered:
            raise InputError(f"{path}: {numbered[number].name} and {name.file.name} have one number; keep one of them")
        numbered[number] = name.file
    if not single:
        _refuse_gaps(path, sorted(numbered))
    return [numbered[number] for number in sorted(numbered)]


def _refuse_gaps(path: Path, numbers: list[int]) -> None:
    gaps = [(a + 1, b) for a, b in itertools.pairwise(numbers) if b > a + 1]
    if not gaps:
        return
    missing = sum(stop - start for start, stop in gaps)
    listed = [str(start) if stop == start + 1 else f"{start}..{stop - 1}" for start, stop in gaps[:SHOWN]]
    more = f" and {len(gaps) - SHOWN} more gaps" if len(gaps) > SHOWN else ""
    raise InputError(
        f"{path}: frames must be numbered without gaps, {missing} missing: {', '.join(listed)}{more}; number them anew,"
        " or pass --single-frames (in Python: single=True) for frames that do not follow each other"
    )


def _pictures(path: Path) -> list[Path]:
    found = []
    for file in sorted(path.iterdir()):
        if file.name.startswith(".") or file.name.lower() in IGNORED:
            continue
        if not file.is_file() or file.suffix.lower() not in PICTURES:
            kind = "a folder" if file.is_dir() else show(file.name)
            raise must(str(file), "be a PNG or TIFF picture in a folder of frames", kind, "take it out of the folder")
        found.append(file)
    if not found:
        raise must(str(path), "hold PNG or TIFF pictures", "none")
    return found
