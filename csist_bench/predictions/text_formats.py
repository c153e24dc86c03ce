"""The text forms: CSV, ThunderSTORM-style CSV, and folders of one text file per frame."""

from __future__ import annotations

import re
import warnings as python_warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders, show
from csist_bench.predictions.header import Header
from csist_bench.predictions.table import COLUMNS, Label, Limits, detections_from_columns, refuse

THUNDERSTORM_NEEDS = ("frame", "x [nm]", "y [nm]", "intensity [photon]")
THUNDERSTORM_ERRORS = ("uncertainty [nm]", "uncertainty_xy [nm]")
TEXT_FILE = re.compile(r"(?:image_)?(\d{1,15})\.txt")


def read_csv(
    data: bytes, where: str, limits: Limits, warnings: list[str], pixel_size_nm: float | None
) -> tuple[Detections, Header]:
    """Read a table with a header line; nanometre columns make it a ThunderSTORM table."""
    text = decoded(data, where)
    names, body = _header_line(text, where)
    if "x [nm]" in names:
        return _thunderstorm(names, body, where, limits, warnings, pixel_size_nm)
    ignored = [name for name in names if name not in COLUMNS]
    if ignored:
        warnings.append(f"{where}: columns not read: {', '.join(show(name) for name in ignored)}")
    values = _numbers(body, len(names), [names.index(n) for n in names if n in COLUMNS], where)
    columns = dict(zip([name for name in names if name in COLUMNS], values.T))
    warnings.append(f"{where}: no header; data set and coverage are not verified")
    return detections_from_columns(columns, where, _line_label(body), limits), Header()


def decoded(data: bytes, where: str) -> str:
    """Return the text of a file, or say that it is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not a prediction file (byte {error.start} is not text)") from None
    if "\0" in text:
        raise InputError(f"{where}: not a prediction file (byte {text.index(chr(0))} is not text)")
    return text


def _header_line(text: str, where: str) -> tuple[list[str], list[str]]:
    """Split a table into its column names and its other lines."""
    lines = text.splitlines()
    names = [name.strip().strip('"').strip() for name in lines[0].split(",")] if lines else []
    known = set(COLUMNS) | set(THUNDERSTORM_NEEDS)
    if not known & set(names):
        rule = "begin with a line of column names (trajectory, frame, x, y, score)"
        raise must(where, rule, lines[0] if lines else "nothing")
    twice = sorted({name for name in names if name in known and names.count(name) > 1})
    if twice:
        raise must(where, "name each column once", ", ".join(twice))
    return names, lines[1:]


def _line_label(body: list[str]) -> Label:
    """Label rows by their line in the file: the header is line 1 and blank lines hold no row."""

    def label(row: int, name: str) -> str:
        filled = [number for number, line in enumerate(body, start=2) if line.strip()]
        return f"line {filled[row]}"

    return label


def _numbers(body: list[str], width: int, chosen: list[int], where: str) -> NDArray[np.float64]:
    """Parse the chosen columns of comma-separated lines, shape (rows, columns)."""
    every = chosen == list(range(width))
    try:
        values = _loadtxt(body, ",", None if every else chosen, width)
    except ValueError:
        raise _bad_lines(body, width, chosen, where) from None
    # Where columns are left out, loadtxt does not look at the length of a row.
    commas = width - 1
    ragged = values.shape[1] != len(chosen) or (
        not every and any(line.count(",") != commas and line.strip() and '"' not in line for line in body)
    )
    if ragged:
        raise _bad_lines(body, width, chosen, where)
    return values


def _loadtxt(lines: list[str], delimiter: str | None, chosen: list[int] | None, width: int) -> NDArray[np.float64]:
    """Parse the chosen columns (None: all, which must be equally many in every line) of a table of `width` columns."""
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore", UserWarning)  # a table without rows is no detections
        values = np.loadtxt(lines, delimiter=delimiter, usecols=chosen, ndmin=2, comments=None, quotechar='"')
    return values if values.size else np.zeros((0, width if chosen is None else len(chosen)))


def _bad_lines(body: list[str], width: int, chosen: list[int], where: str) -> InputError:
    found: list[str] = []
    total = 0
    for number, line in enumerate(body, start=2):
        fields = [field.strip().strip('"') for field in line.split(",")]
        if not line.strip():
            continue
        if len(fields) != width:
            fault = f"line {number} has {len(fields)} fields instead of {width}"
        elif wrong := [fields[i] for i in chosen if not _is_number(fields[i])]:
            fault = f"line {number}: {show(repr(wrong[0]))} is not a number"
        else:
            continue
        total += 1
        if len(found) < OFFENDERS_SHOWN:
            found.append(fault)
    return offenders(where, "every line must hold one number per column", found, total)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


# --- ThunderSTORM -----------------------------------------------------------------------------------------------------


def _thunderstorm(
    names: list[str], body: list[str], where: str, limits: Limits, warnings: list[str], pixel_size_nm: float | None
) -> tuple[Detections, Header]:
    """Read nanometres from the corner of pixel (0, 0) and frames counted from 1, as ThunderSTORM writes them."""
    missing = [name for name in THUNDERSTORM_NEEDS if name not in names]
    if missing:
        raise must(where, f"have the columns {', '.join(THUNDERSTORM_NEEDS)}", f"a table without {', '.join(missing)}")
    if pixel_size_nm is None or not 0 < pixel_size_nm < float("inf"):
        raise must(where, "come with a pixel size in nm > 0", pixel_size_nm, "pass --pixel-size-nm NM")
    spread = next((name for name in THUNDERSTORM_ERRORS if name in names), None)
    wanted = [*THUNDERSTORM_NEEDS, *([spread] if spread else [])]
    values = _numbers(body, len(names), [names.index(name) for name in wanted], where)
    frame, x, y, intensity = values[:, :4].T
    label = _line_label(body)
    refuse(~(frame >= 1), frame, "frame", where, "be at least 1 (ThunderSTORM counts frames from 1)", label)
    columns = {
        "image_id": frame - 1,
        "x": x / pixel_size_nm - 0.5,
        "y": y / pixel_size_nm - 0.5,
        "score": intensity,
        "intensity": intensity,
    }
    if spread:
        columns["sigma_x"] = columns["sigma_y"] = values[:, 4] / pixel_size_nm
    warnings.append(
        f"{where}: ThunderSTORM table: frames count from 1, nanometres from the outer corner of pixel (0, 0);"
        " data set and coverage are not verified"
    )
    return detections_from_columns(columns, where, label, limits), Header(method={"name": "ThunderSTORM table"})


# --- folders of text files --------------------------------------------------------------------------------------------


def read_folder(path: Path, limits: Limits, warnings: list[str]) -> tuple[Detections, Header]:
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
    if limits.n_images is not None:
        rule = f"be in [0, {limits.n_images})"
        refuse(indices >= limits.n_images, indices, "image_id", str(path), rule, lambda row, name: names[row])
    warnings.append(f"{path}: no header; the data set is not verified")
    label: Label = lambda row, name: "{}:{}".format(*sources[row])  # noqa: E731
    return detections_from_columns(columns, str(path), label, limits), Header(n_frames=len(files))


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
        values = _loadtxt(lines, None, None, 3)
    except ValueError:
        values = np.zeros((0, 0))
    if values.shape == (len(lines), 3):
        return values
    bad = [i for i, line in enumerate(lines) if len(line.split()) != 3 or not all(map(_is_number, line.split()))]
    found = [f"{source(i)}: {show(repr(lines[i]))}" for i in bad[:OFFENDERS_SHOWN]]
    raise offenders(where, "every line must be 'x y score'", found, len(bad))
