"""Camera files: `camera.toml` with the .npy arrays that it names, read and written.

Names of arrays count from the camera file's folder and never leave it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.array_files import read_npy
from csist_bench.errors import InputError, must, unknown
from csist_bench.files import replace_file, require_place
from csist_bench.files.sources import file_bytes
from csist_bench.files.toml import toml_table, toml_value
from csist_bench.recipes import parse_overrides
from csist_bench.simulation.camera_file import (
    AUTO,
    SCHEMA,
    CameraFields,
    CameraFile,
    bad_pixel_mask,
    fields_of,
    noise_sigma_map,
)
from csist_bench.simulation.spline_psf import SplinePsf

ON_THE_COMMAND_LINE = "--camera-set"


def read_camera(path: str | Path | None, overrides: Iterable[str] | Mapping[str, Any] = ()) -> CameraFile:
    """Read a camera file, with single fields replaced; without a file the latter alone are told.

    Parameters
    ----------
    path : str, Path or None
    overrides : texts NAME=VALUE, or a mapping
        Values of texts are TOML or bare words. Names of arrays count from the file's folder, or else from the working
        folder.

    Raises
    ------
    InputError
        Naming the file and the field, if anything in it or in an array that it names is not such as can be.
    """
    if isinstance(overrides, Mapping):
        changes = dict(overrides)
    else:
        changes = parse_overrides(overrides, CameraFields, ON_THE_COMMAND_LINE)
    if path is None:
        return _with_arrays(fields_of(changes, ON_THE_COMMAND_LINE), ON_THE_COMMAND_LINE, Path())
    table = _read_table(path)
    if changes.get("psf") == "gaussian":
        table.pop("psf_file", None)  # the file is that of the spline which this replaces
    return _with_arrays(fields_of(table | changes, str(path)), str(path), Path(path).parent)


def _read_table(path: str | Path) -> dict[str, Any]:
    """Return the fields in a camera file, its schema checked and taken off."""
    data = file_bytes(path, "camera file")
    table = toml_table(data, str(path), "camera file")
    if table.get("schema") != SCHEMA:
        raise must(f"{path}: schema", f"be {SCHEMA!r}", table.get("schema", "none"))
    del table["schema"]
    return table


def _with_arrays(fields: CameraFields, where: str, folder: Path) -> CameraFile:
    """Return the fields with the arrays that they name."""
    psf = noise_map = bad = None
    if fields.psf_file is not None:
        values = _read_array(fields.psf_file, f"{where}: psf_file", folder)
        psf = SplinePsf.from_file(values, f"{where}: psf_file {fields.psf_file}")
    if isinstance(fields.noise_sigma, str):
        values = _read_array(fields.noise_sigma, f"{where}: noise_sigma", folder)
        noise_map = noise_sigma_map(values, f"{where}: noise_sigma {fields.noise_sigma}")
    if fields.bad_pixels not in (None, AUTO):
        values = _read_array(str(fields.bad_pixels), f"{where}: bad_pixels", folder)
        bad = bad_pixel_mask(values, f"{where}: bad_pixels {fields.bad_pixels}")
    return CameraFile(fields, where, psf, noise_map, bad)


def _read_array(name: str, field: str, folder: Path) -> NDArray[Any]:
    _require_inside(name, field)
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise must(field, "be in the camera file's folder or below it", f"{name}, a link that leaves it")
    try:
        return read_npy(folder / name)
    except InputError as error:
        raise InputError(f"{field}: {error}") from None


def _require_inside(name: str, field: str) -> None:
    """Refuse names that are absolute or lead upwards, as either kind of system reads them."""
    leaves = any(kind(name).is_absolute() or kind(name).anchor or ".." in kind(name).parts for kind in _KINDS)
    if leaves or not name.lower().endswith(".npy") or not name.isprintable():
        raise must(field, "be the name of an .npy file in the camera file's folder or below it", name)


_KINDS = (PurePosixPath, PureWindowsPath)


def bad_pixels_name(path: str | Path) -> str:
    """Return the name of the mask of bad pixels beside a camera file: bad.npy beside camera.toml."""
    stem = Path(path).stem
    return "bad.npy" if stem == "camera" else f"{stem}-bad.npy"


def require_camera_place(path: str | Path, overwrite: bool) -> None:
    """Refuse a camera file that cannot be written, or would replace one or its mask; called before long work."""
    path = Path(path)
    if path.suffix.lower() != ".toml":
        raise unknown("camera file suffix", path.suffix or str(path), [".toml"])
    for place in (path, path.with_name(bad_pixels_name(path))):
        require_place(place, overwrite)


def write_camera(path: str | Path, camera: CameraFile, overwrite: bool = True) -> None:
    """Write a camera file, and beside it the arrays that its fields name; each file whole or not at all.

    Raises
    ------
    InputError
        If a field names an array that `camera` does not hold, or a place outside the folder, or if a file is there
        that must not be replaced; arrays that are the same may be.
    """
    path, fields = Path(path), camera.fields
    named: Mapping[str, tuple[Any, NDArray[Any] | None]] = {
        "psf_file": (fields.psf_file, None if camera.psf is None else camera.psf.samples),
        "noise_sigma": (fields.noise_sigma, camera.noise_map),
        "bad_pixels": (None if fields.bad_pixels == AUTO else fields.bad_pixels, camera.bad),
    }
    arrays = {}
    for field, (name, values) in named.items():
        if isinstance(name, str):
            _require_inside(name, f"{path}: {field}")
            if values is None:
                raise must(f"{path}: {field}", "come with its array", name)
            arrays[name] = values
    packed = {path.parent / name: _npy_bytes(values) for name, values in arrays.items()}
    for place, content in packed.items():
        if not (place.is_file() and place.read_bytes() == content):
            require_place(place, overwrite)
    require_place(path, overwrite)
    for place, content in packed.items():  # before the file that names them
        replace_file(place, content)
    replace_file(path, camera_text(fields).encode())


def _npy_bytes(values: NDArray[Any]) -> bytes:
    packed = io.BytesIO()
    np.lib.format.write_array(packed, np.ascontiguousarray(values), allow_pickle=False)
    return packed.getvalue()


def camera_text(fields: CameraFields) -> str:
    """Return the text of a camera file: the schema and the fields told, a number as short as it can be read back."""
    lines = [f"schema = {_toml(SCHEMA)}", *(f"{name} = {_toml(value)}" for name, value in fields.table().items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return toml_value(value if isinstance(value, str) else _as_floats(value))


def _as_floats(value: Any) -> Any:
    return list(map(_as_floats, value)) if isinstance(value, (list, tuple)) else float(value)
