"""Read a prediction file of any form, told apart by its first bytes and its suffix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must
from csist_bench.files.convention import AS_THE_FORM, OURS, Convention
from csist_bench.files.objects import is_address, single_object
from csist_bench.files.sources import GZIP, file_bytes, first_bytes, unpacked
from csist_bench.files.text import beginning_of
from csist_bench.predictions.csv_format import read_csv
from csist_bench.predictions.digest import require_digest
from csist_bench.predictions.folder_format import read_folder
from csist_bench.predictions.header import Header, Predictions
from csist_bench.predictions.heat_maps import Decoding
from csist_bench.predictions.json_format import read_json
from csist_bench.predictions.npz_format import read_npz
from csist_bench.predictions.parquet_format import PARQUET, is_parquet_folder, read_parquet, read_parquet_parts
from csist_bench.predictions.parts import is_parts_folder, read_parts
from csist_bench.predictions.table import IndexBounds
from csist_bench.predictions.zarr_format import read_zarr

ZIP = b"PK"
BYTES_PER_ROW = 512  # of a row as JSON; one with all columns and 17 digits takes 230
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


def read_predictions(
    path: str | Path,
    *,
    frames_per_trajectory: int | None,
    n_trajectories: int | None,
    decoding: Decoding | None = None,
    pixel_size_nm: float | None = None,
    convention: Convention | None = None,
) -> Predictions:
    """Read and check a prediction file.

    Parameters
    ----------
    path : str or Path
        JSON (object of rows or columns, a bare list, or lines), CSV and ThunderSTORM CSV, each also gzipped; Parquet or
        a folder of its parts, NPZ, a Zarr store of heat maps, or a folder of text files. JSON, CSV, Parquet and parts
        of it may lie in an object store, `s3://bucket/key`.
    frames_per_trajectory, n_trajectories : int or None
        T and N of the split that was answered; None leaves the indices unchecked.
    decoding : Decoding, optional
        How heat maps become detections; by default as those of the published sets.
    pixel_size_nm : float, optional
        Pixel size for positions in nanometres.
    convention : Convention, optional
        How the file counts frames and measures positions; by default as its form does. What was applied is returned.

    Raises
    ------
    InputError
        For anything that is wrong with the file, naming the place, the first five offenders and how many more.
    """
    bounds = IndexBounds(frames_per_trajectory, n_trajectories, convention or AS_THE_FORM)
    decoding = decoding or Decoding()
    if isinstance(path, str) and is_address(path):
        read = _read_objects(path, bounds, pixel_size_nm)
    else:
        read = _read_path(Path(path), bounds, decoding, pixel_size_nm)
    require_digest(read.detections.shifted(frame=read.convention.start), read.header, str(path))
    placed = read.convention.positions(read.detections.columns())
    return replace(read, detections=Detections(**placed))


def _read_objects(address: str, bounds: IndexBounds, pixel_size_nm: float | None) -> Predictions:
    if is_parts_folder(address):
        return _answer(read_parts(address, bounds), [], bounds)
    objects, name = single_object(address)
    data = objects.read(name)
    if data is None:
        raise InputError(f"prediction file {address} not found")
    if data.startswith(ZIP):
        raise must(address, "be JSON, CSV, Parquet or parts of it in an object store", "NPZ", "copy it to a folder")
    return _read_bytes(data, Path(name), address, bounds, pixel_size_nm)


def _read_path(path: Path, bounds: IndexBounds, decoding: Decoding, pixel_size_nm: float | None) -> Predictions:
    try:
        read = _read_folder(path, bounds, decoding) if path.is_dir() else None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise error if isinstance(error, InputError) else InputError(f"{path}: {_reason(error)}") from None
    return read or _read_file(path, bounds, decoding, pixel_size_nm)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _read_folder(path: Path, bounds: IndexBounds, decoding: Decoding) -> Predictions:
    warnings: list[str] = []
    if any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
        return _answer(read_zarr(path, bounds, warnings, decoding), warnings, bounds)
    if is_parts_folder(path):
        return _answer(read_parts(path, bounds), warnings, bounds)
    read = read_parquet_parts if is_parquet_folder(path) else read_folder
    return _answer(read(path, bounds, warnings), warnings, bounds)


def _answer(read: tuple[Detections, Header], warnings: list[str], bounds: IndexBounds) -> Predictions:
    return Predictions(*read, warnings, bounds.convention.over(OURS))


def _read_file(path: Path, bounds: IndexBounds, decoding: Decoding, pixel_size_nm: float | None) -> Predictions:
    if first_bytes(path, "prediction file").startswith(ZIP):
        warnings: list[str] = []
        return _answer(read_npz(path, bounds, warnings, decoding), warnings, bounds)
    return _read_bytes(file_bytes(path, "prediction file"), path, str(path), bounds, pixel_size_nm)


def _read_bytes(data: bytes, path: Path, where: str, bounds: IndexBounds, pixel_size_nm: float | None) -> Predictions:
    """Read the content of a file of one piece; of `path` only the suffixes count."""
    warnings: list[str] = []
    if data.startswith(GZIP):
        data = unpacked(data, where, None if bounds.most_rows is None else BYTES_PER_ROW * bounds.most_rows)
    if not data or data.isspace():
        raise InputError(f"{where}: the file is empty")
    if data.startswith(PARQUET):
        return _answer(read_parquet(data, where, bounds, warnings), warnings, bounds)
    suffix = next((s for s in reversed(path.suffixes) if s.lower() != ".gz"), "").lower()
    if suffix in (".npz", ".parquet"):
        raise must(where, f"be a {suffix[1:]} file, as its name says", "other content")
    begin = beginning_of(data)
    if begin[:1] in ("{", "["):
        return _answer(read_json(data, where, bounds, warnings), warnings, bounds)
    if suffix in JSON_SUFFIXES:
        raise must(where, "begin with '{' or '[', as JSON does", begin or "nothing")
    return read_csv(data, where, bounds, warnings, pixel_size_nm)
