"""The Parquet form: a table with the columns of the CSV form, and the header in its metadata."""

from __future__ import annotations

import io
from typing import Any

import msgspec

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, show
from csist_bench.predictions.header import HEADER_KEY, Header, stored_header
from csist_bench.predictions.table import COLUMNS, IndexBounds, detections_from_columns


def read_parquet(data: bytes, where: str, bounds: IndexBounds, warnings: list[str]) -> tuple[Detections, Header]:
    """Read a Parquet table with the columns of the CSV form."""
    pyarrow, parquet = _modules()
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
    header = stored_header(metadata.get(HEADER_KEY.encode()), where, warnings)
    return detections_from_columns(columns, where, lambda row, name: f"row {row}", bounds), header


def encode_parquet(detections: Detections, header: Header) -> bytes:
    """Return the columns as a table, with the header as JSON in its metadata."""
    pyarrow, parquet = _modules()
    table = pyarrow.table(detections.columns())
    table = table.replace_schema_metadata({HEADER_KEY: msgspec.json.encode(header.to_table())})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def _modules() -> tuple[Any, Any]:
    """Return pyarrow and pyarrow.parquet, or say how to install them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError("Parquet files need pyarrow; install 'csist-bench[parquet]'") from None
    return pyarrow, parquet
