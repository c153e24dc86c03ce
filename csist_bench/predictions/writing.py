"""Write prediction files: canonical JSON, or CSV, NPZ and Parquet by suffix; whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path

from csist_bench.detections import Detections
from csist_bench.errors import unknown
from csist_bench.files import replace_file, require_place
from csist_bench.predictions.csv_format import encode_csv
from csist_bench.predictions.digest import sealed
from csist_bench.predictions.header import Header
from csist_bench.predictions.json_format import encode_json
from csist_bench.predictions.npz_format import encode_npz
from csist_bench.predictions.parquet_format import encode_parquet
from csist_bench.predictions.table import to_be_written

SUFFIXES = (".json", ".json.gz", ".csv", ".npz", ".parquet")


def write_predictions(path: str | Path, detections: Detections, header: Header, overwrite: bool = True) -> None:
    """Write a prediction file, rows by trajectory, frame, x and y, so that equal answers make equal files.

    Parameters
    ----------
    path : str or Path
        `.json` and `.json.gz` are canonical; `.npz` and `.parquet` keep the header too; `.csv` has no place for one.
    overwrite : bool
        False refuses a file that exists.

    Raises
    ------
    InputError
        If a value is not finite or beyond 1e6, two rows are equal, the suffix is unknown or the file exists.
    """
    path = Path(path)
    kind = require_writable(path, overwrite)
    checked = to_be_written(detections)
    replace_file(path, _encoded(kind, checked, sealed(header, checked)))


def require_writable(path: str | Path, overwrite: bool = True) -> str:
    """Return the suffix of a prediction file to be written; called before long work, so that it is not done in vain.

    Raises
    ------
    InputError
        If the suffix is unknown, the file exists and must not be replaced, or its folder cannot be written to.
    """
    path = Path(path)
    kind = next((suffix for suffix in reversed(SUFFIXES) if path.name.lower().endswith(suffix)), None)
    if kind is None:
        raise unknown("prediction file suffix", path.suffix or path.name, SUFFIXES)
    require_place(path, overwrite)
    return kind


def _encoded(kind: str, detections: Detections, header: Header) -> bytes:
    if kind == ".csv":
        return encode_csv(detections)
    if kind == ".npz":
        return encode_npz(detections, header)
    if kind == ".parquet":
        return encode_parquet(detections, header)
    text = encode_json(detections, header)
    # A fixed time stamp: equal answers make equal bytes.
    return gzip.compress(text, compresslevel=6, mtime=0) if kind == ".json.gz" else text
