"""The array forms: heat maps in NPZ or Zarr, and tables in NPZ or Parquet."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections, detections_from_grid
from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders, show
from csist_bench.predictions.header import Header, header_from_table
from csist_bench.predictions.table import COLUMNS, LARGEST, Limits, detections_from_columns
from csist_bench.predictions.writing import HEADER_KEY

HEAT_MAPS = "heatmaps"


@dataclass(frozen=True)
class Decoding:
    """How heat maps become detections: c nodes per pixel, and the least node value (grey levels)."""

    c: int
    threshold: float


def read_npz(
    data: bytes, where: str, limits: Limits, warnings: list[str], decoding: Decoding
) -> tuple[Detections, Header]:
    """Read an NPZ of heat maps (array `heatmaps`) or of detection columns; nothing in it is ever unpickled."""
    arrays = _npz_arrays(data, where)
    header = _stored_header(arrays.pop(HEADER_KEY, None), where, warnings)
    if HEAT_MAPS in arrays:
        return _from_heat_maps(arrays, where, limits, decoding, header)
    return detections_from_columns(arrays, where, lambda row, name: f"row {row}", limits), header


def _npz_arrays(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            wanted = [name for name in file.files if name in (HEAT_MAPS, HEADER_KEY, *COLUMNS)]
            arrays = {name: np.asarray(file[name]) for name in wanted}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(f"{where}: not a readable NPZ file ({show(str(error))})") from None
    except MemoryError:
        raise InputError(f"{where}: an array of the NPZ file does not fit into memory") from None
    if not arrays:
        raise must(where, f"hold an array '{HEAT_MAPS}' or the columns trajectory, frame, x, y, score", "neither")
    return arrays


def _stored_header(stored: Any, where: str, warnings: list[str]) -> Header:
    """Return the header kept as JSON text inside an array or Parquet file."""
    if stored is None:
        warnings.append(f"{where}: no header; data set and coverage are not verified")
        return Header()
    text = str(stored) if isinstance(stored, np.ndarray) else stored
    try:
        return header_from_table(msgspec.json.decode(text, type=dict[str, Any]), where, warnings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: damaged header ({show(str(error))})") from None


def read_zarr(path: Path, limits: Limits, warnings: list[str], decoding: Decoding) -> tuple[Detections, Header]:
    """Read a Zarr group with an array `heatmaps` (and index arrays), or an array of heat maps itself."""
    import zarr

    try:
        node = zarr.open(path, mode="r")
        if isinstance(node, zarr.Group):
            arrays = {name: np.asarray(node[name]) for name in (HEAT_MAPS, "trajectory", "frame") if name in node}
        else:
            arrays = {HEAT_MAPS: np.asarray(node)}
    except Exception as error:  # zarr and its codecs raise many types on foreign or damaged stores
        raise InputError(f"{path}: not a readable Zarr store ({show(str(error))})") from None
    if HEAT_MAPS not in arrays:
        raise must(str(path), f"hold an array '{HEAT_MAPS}' (trajectory, frame, row, column)", "none")
    header = _stored_header(None, str(path), warnings)
    return _from_heat_maps(arrays, str(path), limits, decoding, header)


def _from_heat_maps(
    arrays: Mapping[str, NDArray[Any]], where: str, limits: Limits, decoding: Decoding, header: Header
) -> tuple[Detections, Header]:
    maps = arrays[HEAT_MAPS]
    if maps.ndim != 4 or maps.dtype.kind not in "fiu" or maps.shape[2] != maps.shape[3] or maps.shape[2] % decoding.c:
        rule = f"be numbers of shape (trajectory, frame, {decoding.c} * size, {decoding.c} * size)"
        raise must(f"{where}: {HEAT_MAPS}", rule, f"{maps.dtype} {maps.shape}")
    if maps.dtype.kind == "f":
        bad = ~(np.abs(maps) <= LARGEST)
        if bad.any():
            found = [f"{tuple(int(i) for i in at)}: {maps[tuple(at)]}" for at in np.argwhere(bad)[:OFFENDERS_SHOWN]]
            raise offenders(where, f"heatmaps must be finite and at most {LARGEST:g} in size", found, int(bad.sum()))
    trajectory = _axis(arrays, "trajectory", len(maps), limits.n_trajectories, where)
    frame = _axis(arrays, "frame", maps.shape[1], limits.frames_per_trajectory, where)
    decoded = detections_from_grid(maps, decoding.c, decoding.threshold)
    columns = {**decoded.columns(), "trajectory": trajectory[decoded.trajectory], "frame": frame[decoded.frame]}
    detections = detections_from_columns(columns, where, lambda row, name: f"detection {row}", limits)
    whole = len(frame) > 0 and np.array_equal(frame, np.arange(frame[0], frame[0] + len(frame)))
    frames = f"{frame[0]}:{frame[-1] + 1}" if whole else header.frames
    count = maps.shape[0] * maps.shape[1]
    answered = Header(header.method, header.dataset, header.split, header.fingerprint, count, frames)
    return detections, answered


def _axis(
    arrays: Mapping[str, NDArray[Any]], name: str, length: int, full: int | None, where: str
) -> NDArray[np.int64]:
    """Return the indices along one axis of the heat maps: given, or 0, 1, ... if the axis is complete."""
    if name not in arrays:
        if full is not None and length != full:
            remedy = f"add an index array '{name}' that says which these are"
            raise must(f"{where}: axis {name} of {HEAT_MAPS}", f"have length {full}", length, remedy)
        return np.arange(length)
    index = arrays[name]
    if index.shape != (length,) or index.dtype.kind not in "iu" or len(np.unique(index)) != length:
        raise must(f"{where}: {name}", f"be {length} different whole numbers", f"{index.dtype} {index.shape}")
    if length and (index.min() < 0 or (full is not None and index.max() >= full)):
        rule = "be at least 0" if full is None else f"be in [0, {full})"
        raise must(f"{where}: {name}", rule, f"{index.min()}..{index.max()}")
    return index.astype(np.int64)


def parquet_modules() -> tuple[Any, Any]:
    """Return pyarrow and pyarrow.parquet, or say how to install them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError("Parquet files need pyarrow; install 'csist-bench[parquet]'") from None
    return pyarrow, parquet


def read_parquet(data: bytes, where: str, limits: Limits, warnings: list[str]) -> tuple[Detections, Header]:
    """Read a Parquet table with the columns of the CSV form."""
    pyarrow, parquet = parquet_modules()
    try:
        table = parquet.read_table(io.BytesIO(data))
        metadata = table.schema.metadata or {}
        columns = {}
        for name in table.column_names:
            if name in COLUMNS:
                if table.column(name).null_count:
                    raise must(f"{where}: column {name}", "have a value in every row", "missing values")
                columns[name] = table.column(name).to_numpy()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{where}: not a readable Parquet file ({show(str(error))})") from None
    header = _stored_header(metadata.get(HEADER_KEY.encode()), where, warnings)
    return detections_from_columns(columns, where, lambda row, name: f"row {row}", limits), header
