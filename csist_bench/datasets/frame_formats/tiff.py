"""TIFF: one page or a stack. Pillow reads the usual types, tifffile (extra `images`) the others."""

from __future__ import annotations

import json
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.array_files import refuse_bomb
from csist_bench.datasets.frame_axes import Stored
from csist_bench.datasets.pictures import LARGEST_PICTURE
from csist_bench.errors import InputError, must, show
from csist_bench.files.sources import first_bytes, require_file

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BITS, FORMAT, PHOTOMETRIC, DESCRIPTION, SAMPLES = 258, 339, 262, 270, 277  # tags
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
BLACK_IS_ZERO = 1
# What Pillow decodes without loss, by bits and format of a sample.
KINDS = {
    (8, UNSIGNED): "uint8",
    (8, SIGNED): "int8",
    (16, UNSIGNED): "uint16",
    (16, SIGNED): "int16",
    (32, UNSIGNED): "uint32",
    (32, SIGNED): "int32",
    (32, FLOAT): "float32",
}


def read_tiff_frames(path: Path) -> Stored:
    """Read the pages of a TIFF file, all of one size and type, as frames."""
    from PIL import Image, UnidentifiedImageError

    require_file(path)
    if first_bytes(path, count=4) not in MAGIC:
        raise InputError(f"{path}: not a TIFF file (it does not begin as one)")
    _require_whole_chain(path)
    with _one_line(path):
        try:
            with Image.open(path, formats=["TIFF"]) as image:
                return _pages(image, path)
        except UnidentifiedImageError:  # a type that Pillow does not know
            pass
    return _by_tifffile(path)


def _require_whole_chain(path: Path) -> None:
    """Refuse a file whose chain of pages leads past its end, or back, or through one place again and again.

    Decoders drop pages past the end without a word, and follow the others for a long time.
    """
    size, pages, walked = path.stat().st_size, set[int](), 0
    with path.open("rb") as file:
        head = file.read(16)
        order, big = "<" if head[:2] == b"II" else ">", head[2:4] in (b"+\0", b"\0+")
        count_of, offset_of, entry = (f"{order}Q", f"{order}Q", 20) if big else (f"{order}H", f"{order}I", 12)
        where = struct.unpack_from(offset_of, head, 8 if big else 4)[0] if len(head) == 16 else 0
        while where:
            file.seek(min(where, size))
            count = _number(file, count_of)
            length = entry * (count or 0)
            file.seek(min(size, file.tell() + length))
            following = _number(file, offset_of)
            walked += length
            if count is None or following is None or walked > size or where in pages:
                raise InputError(f"{path}: page {len(pages)} is not whole in the file, which is cut short or damaged")
            pages.add(where)
            where = following


def _number(file: IO[bytes], form: str) -> int | None:
    raw = file.read(struct.calcsize(form))
    return struct.unpack(form, raw)[0] if len(raw) == struct.calcsize(form) else None


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into one line, and keep what it says of tags that do not matter to itself."""
    logs = [logging.getLogger(name) for name in ("tifffile", "PIL.TiffImagePlugin")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # decoders raise many types on damaged files
        if isinstance(error, OSError) and error.strerror:
            raise
        raise InputError(f"{path}: not a readable TIFF file ({show(str(error) or type(error).__name__)})") from None
    finally:
        for log, level in zip(logs, levels):
            log.setLevel(level)


def _pages(image: Any, path: Path) -> Stored:
    size, kind = image.size, _kind(image, f"{path}: page 0")
    about = image.tag_v2.get(DESCRIPTION)
    described = _described(about if isinstance(about, str) else "", path)
    count = image.n_frames
    if described and described[0] > count:
        return _by_tifffile(path)  # large stacks of ImageJ have one page that stands for all
    _require_size(path, count, size, kind)
    values = np.empty((count, size[1], size[0]), kind)
    for page in range(count):
        image.seek(page)
        where = f"{path}: page {page}"
        found = _kind(image, where)
        if (image.size, found) != (size, kind):
            rule = f"be {size[1]} x {size[0]} px of {kind} as page 0 is"
            raise must(where, rule, f"{image.size[1]} x {image.size[0]} px of {found}")
        pixels = np.asarray(image)
        values[page] = pixels.view(kind) if pixels.dtype.itemsize == values.itemsize and kind != "uint16" else pixels
    if described and described[0] == count and len(described) == 2:
        return Stored(values.reshape(described[1], -1, *values.shape[1:]), f"{count} pages")
    return Stored(values, f"{count} page{'s' * (count > 1)}", "TYX")


def _kind(image: Any, where: str) -> str:
    """Return the type of a page's pixels."""
    tags = image.tag_v2
    if tags.get(SAMPLES, 1) != 1 or tags.get(PHOTOMETRIC) not in (0, BLACK_IS_ZERO):
        raise must(where, "be grey", f"colours ({image.mode})", "convert it to grey first")
    if tags.get(PHOTOMETRIC) != BLACK_IS_ZERO:
        raise must(where, "have 0 for black", "0 for white", "save it with PhotometricInterpretation 1")
    bits, form = tags.get(BITS, (1,))[0], tags.get(FORMAT, (UNSIGNED,))[0]
    if (bits, form) not in KINDS:
        raise must(where, "have 8, 16 or 32 bits a pixel", f"{bits}")
    return KINDS[bits, form]


def _described(text: str, path: Path) -> tuple[int, ...] | None:
    """Return how many pages ImageJ or tifffile say there are, with the sequences where they are a fourth axis."""
    if text.startswith("ImageJ="):
        lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        counts = {name: int(lines.get(name, 1)) for name in ("channels", "slices", "frames")}
        if sum(count > 1 for count in counts.values()) > 1:
            several = ", ".join(f"{count} {name}" for name, count in counts.items() if count > 1)
            raise must(str(path), "be one sequence of frames", several, "save each sequence as a file of its own")
        return (int(lines.get("images", 1)),)
    if text.startswith("{") and '"shape":' in text:  # tifffile before 2026.3 wrote it behind other keys
        lengths = [n for n in json.loads(text)["shape"][:-2] if n != 1]
        total = int(np.prod(lengths, dtype=object))
        return (total, lengths[0]) if len(lengths) == 2 else (total,)
    return None


def _require_size(path: Path, count: int, size: tuple[int, int], kind: str) -> None:
    pixels = size[0] * size[1]
    if pixels > LARGEST_PICTURE:
        raise must(f"{path}: a page", f"have at most {LARGEST_PICTURE} px", f"{size[0]} x {size[1]}")
    refuse_bomb(str(path), path.stat().st_size, count * pixels * np.dtype(kind).itemsize)


def _by_tifffile(path: Path) -> Stored:
    try:
        import tifffile
    except ModuleNotFoundError:
        need = "TIFF files of this type need tifffile; install it with: pip install 'csist-bench[images]'"
        raise InputError(f"{path}: {need}") from None
    with _one_line(path), tifffile.TiffFile(path) as file:
        series = file.series[0]
        if len(file.series) > 1:
            raise must(str(path), "hold pages of one size and type", f"{len(file.series)} kinds of pages")
        photometric = series.keyframe.photometric
        if photometric != BLACK_IS_ZERO or not series.axes.endswith("YX"):
            raise must(str(path), "be grey with 0 for black", f"{photometric!s}, axes {series.axes}")
        lengths = [n for n in series.shape[:-2] if n != 1]
        height, width = series.shape[-2:]
        if len(lengths) > 1:
            raise must(str(path), "be one sequence of frames", f"axes {series.axes} {series.shape}")
        if series.dtype.kind not in "fiu":
            raise must(str(path), "hold frames of whole or floating-point numbers", series.dtype.name)
        count = lengths[0] if lengths else 1
        _require_size(path, count, (width, height), series.dtype.name)
        values: NDArray[Any] = np.asarray(series.asarray())
    return Stored(values.reshape(count, height, width), f"{count} page{'s' * (count > 1)}", "TYX")
