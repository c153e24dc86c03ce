"""The CSV forms: our own columns, and ThunderSTORM's in nanometres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders, show
from csist_bench.predictions.header import Header
from csist_bench.predictions.table import COLUMNS, IndexBounds, Label, detections_from_columns, refuse
from csist_bench.predictions.text import decoded, is_number, table_of_numbers

THUNDERSTORM_NEEDS = ("frame", "x [nm]", "y [nm]", "intensity [photon]")
THUNDERSTORM_ERRORS = ("uncertainty [nm]", "uncertainty_xy [nm]")


def read_csv(
    data: bytes, where: str, bounds: IndexBounds, warnings: list[str], pixel_size_nm: float | None
) -> tuple[Detections, Header]:
    """Read a table with a header line; nanometre columns make it a ThunderSTORM table."""
    text = decoded(data, where)
    names, body = _header_line(text, where)
    if "x [nm]" in names:
        return _thunderstorm(names, body, where, bounds, warnings, pixel_size_nm)
    ignored = [name for name in names if name not in COLUMNS]
    if ignored:
        warnings.append(f"{where}: columns not read: {', '.join(show(name) for name in ignored)}")
    values = _numbers(body, len(names), [names.index(n) for n in names if n in COLUMNS], where)
    columns = dict(zip([name for name in names if name in COLUMNS], values.T))
    warnings.append(f"{where}: no header; data set and coverage are not verified")
    return detections_from_columns(columns, where, _line_label(body), bounds), Header()


def _thunderstorm(
    names: list[str], body: list[str], where: str, bounds: IndexBounds, warnings: list[str], pixel_size_nm: float | None
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
    return detections_from_columns(columns, where, label, bounds), Header(method={"name": "ThunderSTORM table"})


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
        values = table_of_numbers(body, ",", None if every else chosen, width)
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


def _bad_lines(body: list[str], width: int, chosen: list[int], where: str) -> InputError:
    found: list[str] = []
    total = 0
    for number, line in enumerate(body, start=2):
        fields = [field.strip().strip('"') for field in line.split(",")]
        if not line.strip():
            continue
        if len(fields) != width:
            fault = f"line {number} has {len(fields)} fields instead of {width}"
        elif wrong := [fields[i] for i in chosen if not is_number(fields[i])]:
            fault = f"line {number}: {show(repr(wrong[0]))} is not a number"
        else:
            continue
        total += 1
        if len(found) < OFFENDERS_SHOWN:
            found.append(fault)
    return offenders(where, "every line must hold one number per column", found, total)


def encode_csv(detections: Detections) -> bytes:
    """Return the table of the columns that are present; a number is written so that it is read back as it was."""
    columns = detections.columns()
    rows = zip(*(column.tolist() for column in columns.values()))
    lines = [",".join(columns), *(",".join(map(repr, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()
