"""Parquet, which an extra brings."""

from __future__ import annotations

from typing import Any

from csist_bench.errors import InputError


def parquet_modules() -> tuple[Any, Any]:
    """Return pyarrow and pyarrow.parquet, or say how to install them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError("Parquet files need pyarrow; install 'csist-bench[parquet]'") from None
    return pyarrow, parquet
