"""The Parquet form: a table with the columns of the CSV form, in one file or in parts, the header in its metadata."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, show
from csist_bench.files.parquet import parquet_modules
from csist_bench.files.sources import ALWAYS_ALLOWED, LARGEST_RATIO, file_bytes
from csist_bench.files.tables import require_different, unread
from csist_bench.predictions.header import HEADER_KEY, Header, stored_header
from csist_bench.predictions.table import COLUMNS, STANDARD_ERRORS, IndexBounds, detections_from_columns

SUFFIX = ".parquet"
PARQUET = b"PAR1"
_BATCH = 1 << 16  # rows
_BYTES_A_VALUE = 8

Columns = dict[str, NDArray[Any]]


def columns_of_part(data: bytes, where: str, bounds: IndexBounds, warnings: list[str]) -> Columns:
    """Return the columns of one Parquet file as they stand in it."""
    return _part(data, where, bounds, warnings)[0]


def read_parquet(data: bytes, where: str, bounds: IndexBounds, warnings: list[str]) -> tuple[Detections, Header]:
    """Read a Parquet table with the columns of the CSV form."""
    columns, stored = _part(data, where, bounds, warnings)
    header = stored_header(stored, where, warnings)
    return detections_from_columns(columns, where, lambda row, name: f"row {row}", bounds), header


def is_parquet_folder(path: Path) -> bool:
    """Tell whether a folder holds Parquet parts, as Spark, Dask and Polars write them."""
    return any(file.suffix.lower() == SUFFIX for file in path.iterdir())


def read_parquet_parts(path: Path, bounds: IndexBounds, warnings: list[str]) -> tuple[Detections, Header]:
    """Read a folder of Parquet parts, by name; all must have the same columns, and the same header if any."""
    where = str(path)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() == SUFFIX)
    nested = [show(item.name) for item in path.iterdir() if item.is_dir() and not item.name.startswith(("_", "."))]
    if nested:
        raise must(where, "hold Parquet parts side by side", f"folders such as {nested[0]}", "partitions are not read")
    others = [file for file in path.iterdir() if file not in files and not file.name.startswith(("_", "."))]
    if others:
        warnings.append(f"{where}: {len(others)} other files not read")
    told: list[str] = []
    parts = [_part(file_bytes(file), str(file), bounds, told) for file in files]
    warnings += [text for place, text in enumerate(told) if place == 0]
    first_columns, first_stored = parts[0]
    for file, (columns, stored) in zip(files, parts):
        if columns.keys() != first_columns.keys():
            raise must(
                str(file), f"have the columns of {files[0].name}: {', '.join(first_columns)}", ", ".join(columns)
            )
        if stored != first_stored:
            raise must(str(file), f"have the header of {files[0].name}", "another one")
    whole = {name: np.concatenate([columns[name] for columns, _ in parts]) for name in first_columns}
    starts = np.cumsum([0, *(len(next(iter(columns.values()), ())) for columns, _ in parts)])

    def label(row: int, name: str) -> str:
        part = int(np.searchsorted(starts, row, side="right")) - 1
        return f"{files[part].name} row {row - starts[part]}"

    return detections_from_columns(whole, where, label, bounds), stored_header(first_stored, where, warnings)


def _part(data: bytes, where: str, bounds: IndexBounds, warnings: list[str]) -> tuple[Columns, bytes | None]:
    """Return the columns of one file and its header's text."""
    _, parquet = parquet_modules()
    try:
        return _read(
            parquet.ParquetFile(io.BytesIO(data), page_checksum_verification=True), len(data), where, bounds, warnings
        )
    except InputError:
        raise
    except Exception as error:  # pyarrow raises many types on damaged files
        raise InputError(f"{where}: not a readable Parquet file ({show(str(error) or type(error).__name__)})") from None


def _read(file: Any, size: int, where: str, bounds: IndexBounds, warnings: list[str]) -> tuple[Columns, bytes | None]:
    schema = file.schema_arrow
    folded = [name.strip().casefold() for name in schema.names]
    require_different(folded, where)
    named = {name: schema.names[place] for place, name in enumerate(folded) if name in COLUMNS}
    if ignored := unread([name for name in folded if not name.startswith("__index_level_")], COLUMNS):
        warnings.append(f"{where}: columns not read: {ignored}")
    rows = file.metadata.num_rows
    bounds.require_rows(rows, where)
    if _BYTES_A_VALUE * rows * len(named) > max(ALWAYS_ALLOWED, LARGEST_RATIO * size):
        rule = f"unfold to at most {LARGEST_RATIO} times its {size:,} bytes"
        raise must(where, rule, f"{rows:,} rows", "no list of detections packs so tightly")
    kinds = {name: _number_type(schema.field(own).type, f"{where}: column {name}") for name, own in named.items()}
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in named}
    for batch in file.iter_batches(_BATCH, columns=list(named.values())):
        for name, own in named.items():
            found[name].append(_values(batch.column(own), kinds[name], name, where))
    metadata = schema.metadata or {}
    columns = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in found.items()}
    return columns, metadata.get(HEADER_KEY.encode())


def _number_type(kind: Any, where: str) -> Any:
    """Return the type that a column is read as: 64-bit whole numbers or floats; any that is no number is refused."""
    pyarrow, _ = parquet_modules()
    types = pyarrow.types
    plain = kind
    if isinstance(plain, pyarrow.BaseExtensionType):
        plain = plain.storage_type
    if types.is_dictionary(plain):
        plain = plain.value_type
    if types.is_integer(plain):
        return pyarrow.int64()
    if types.is_floating(plain) or types.is_decimal(plain) or types.is_null(plain):
        return pyarrow.float64()
    raise must(where, "hold one number per row", f"the Parquet type {kind}")


def _values(array: Any, kind: Any, name: str, where: str) -> NDArray[Any]:
    pyarrow, _ = parquet_modules()
    if isinstance(array.type, pyarrow.BaseExtensionType):
        array = array.storage
    if pyarrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.null_count and name not in STANDARD_ERRORS:
        raise must(f"{where}: column {name}", "have a value in every row", "missing values")
    if array.null_count:
        kind = pyarrow.float64()
    return np.asarray(array.cast(kind).to_numpy(zero_copy_only=False))


def encode_parquet(detections: Detections, header: Header) -> bytes:
    """Return the columns as a table, with the header as JSON in its metadata."""
    pyarrow, parquet = parquet_modules()
    table = pyarrow.table(detections.columns())
    table = table.replace_schema_metadata({HEADER_KEY: msgspec.json.encode(header.to_table())})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, write_page_checksum=True)
    return buffer.getvalue()
