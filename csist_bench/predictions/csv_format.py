"""The CSV forms: our own columns, and ThunderSTORM's in nanometres."""

from __future__ import annotations

from dataclasses import replace

from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.files.convention import Convention
from csist_bench.files.numbers import number_columns
from csist_bench.files.tables import Table, read_table, unread
from csist_bench.files.text import text_of
from csist_bench.predictions.header import Header, Predictions
from csist_bench.predictions.table import COLUMNS, STANDARD_ERRORS, IndexBounds, Label, detections_from_columns, refuse

HEADER = "trajectory, frame, x, y, score"
THUNDERSTORM_NEEDS = ("frame", "x [nm]", "y [nm]")
# ThunderSTORM writes photons where the camera is set up, else counts.
THUNDERSTORM_INTENSITIES = ("intensity [photon]", "intensity [au]", "intensity [adu]")
THUNDERSTORM_ERRORS = ("uncertainty [nm]", "uncertainty_xy [nm]")
THUNDERSTORM = Convention(first_frame=1, origin="corner", axes="xy")
BRIGHTEST = 1e12  # photons
_KNOWN = frozenset((*COLUMNS, *THUNDERSTORM_NEEDS, *THUNDERSTORM_INTENSITIES, *THUNDERSTORM_ERRORS))


def read_csv(
    data: bytes, where: str, bounds: IndexBounds, warnings: list[str], pixel_size_nm: float | None
) -> Predictions:
    """Read a table with a header line; nanometre columns make it a ThunderSTORM table."""
    table = read_table(text_of(data, where), where, _KNOWN, HEADER)
    if "x [nm]" in table.names:
        return _thunderstorm(table, bounds, warnings, pixel_size_nm)
    if ignored := unread(table.names, COLUMNS):
        warnings.append(f"{where}: columns not read: {ignored}")
    columns = number_columns(table, [name for name in table.names if name in COLUMNS], STANDARD_ERRORS)
    warnings.append(f"{where}: no header; data set and coverage are not verified")
    detections = detections_from_columns(columns, where, _line_label(table), bounds)
    return Predictions(detections, Header(), warnings, bounds.convention)


def _thunderstorm(table: Table, bounds: IndexBounds, warnings: list[str], pixel_size_nm: float | None) -> Predictions:
    """Read nanometres; unless told otherwise from the corner of pixel (0, 0), and frames counted from 1."""
    where = table.where
    missing = [name for name in THUNDERSTORM_NEEDS if name not in table.names]
    bright = next((name for name in THUNDERSTORM_INTENSITIES if name in table.names), None)
    missing += [] if bright else [THUNDERSTORM_INTENSITIES[0]]
    if missing or bright is None:
        needs = ", ".join((*THUNDERSTORM_NEEDS, THUNDERSTORM_INTENSITIES[0]))
        raise must(where, f"have the columns {needs}", f"a table without {', '.join(missing)}")
    if pixel_size_nm is None or not 0 < pixel_size_nm < float("inf"):
        raise must(where, "come with a pixel size in nm > 0", pixel_size_nm, "pass --pixel-size-nm NM")
    spread = next((name for name in THUNDERSTORM_ERRORS if name in table.names), None)
    wanted = [*THUNDERSTORM_NEEDS, bright, *([spread] if spread else [])]
    read = number_columns(table, wanted, [spread] if spread else [])
    convention = bounds.convention.over(THUNDERSTORM)
    rule = f"be at least {convention.start} (ThunderSTORM counts frames from 1; if yours count from 0: --first-frame 0)"
    refuse(~(read["frame"] >= convention.start), read["frame"], "frame", where, rule, _line_label(table))
    columns = {
        "image_id": read["frame"],
        "x": read["x [nm]"] / pixel_size_nm,
        "y": read["y [nm]"] / pixel_size_nm,
        "score": read[bright],
        "intensity": read[bright],
    }
    if spread:
        columns["sigma_x"] = columns["sigma_y"] = read[spread] / pixel_size_nm
    read_as = convention.text() or "read as this package counts"
    warnings.append(f"{where}: ThunderSTORM table, {read_as}; data set and coverage are not verified")
    told = replace(bounds, convention=convention)
    detections = detections_from_columns(columns, where, _line_label(table), told, BRIGHTEST)
    return Predictions(detections, Header(method={"name": "ThunderSTORM table"}), warnings, convention)


def _line_label(table: Table) -> Label:
    """Label rows by their line in the file."""
    return lambda row, name: table.place(row)


def encode_csv(detections: Detections) -> bytes:
    """Return the table of the columns that are present; a number is written so that it is read back as it was."""
    columns = detections.columns()
    rows = zip(*(column.tolist() for column in columns.values()))
    lines = [",".join(columns), *(",".join(map(_cell, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _cell(value: float) -> str:
    return "" if value != value else repr(value)  # NaN, of a standard error alone, is a blank
