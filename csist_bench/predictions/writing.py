"""Write prediction files: canonical JSON, or CSV, NPZ and Parquet by suffix; whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path

from csist_bench.detections import Detections
from csist_bench.errors import InputError, unknown
from csist_bench.files import replace_file, require_place
from csist_bench.files.objects import is_address, single_object
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
        Of a folder, or an object, `s3://bucket/key`.
    overwrite : bool
        False refuses a file that exists.

    Raises
    ------
    InputError
        If a value is not finite or beyond 1e6, two rows are equal, the suffix is unknown or the file exists.
    """
    kind = require_writable(path, overwrite)
    checked = to_be_written(detections)
    data = _encoded(kind, checked, sealed(header, checked))
    if not (isinstance(path, str) and is_address(path)):
        replace_file(path, data)
        return
    objects, name = single_object(path)
    if overwrite:
        objects.write(name, data)
    elif objects.create(name, data) is None:
        raise _exists(path)


def require_writable(path: str | Path, overwrite: bool = True) -> str:
    """Return the suffix of a prediction file to be written; called before long work, so that it is not done in vain.

    Raises
    ------
    InputError
        If the suffix is unknown, the file exists and must not be replaced, or its folder cannot be written to.
    """
    name = Path(path).name
    kind = next((suffix for suffix in reversed(SUFFIXES) if name.lower().endswith(suffix)), None)
    if kind is None:
        raise unknown("prediction file suffix", Path(path).suffix or name, SUFFIXES)
    if not (isinstance(path, str) and is_address(path)):
        require_place(path, overwrite)
        return kind
    objects, name = single_object(path)
    if objects.exists(name) and not overwrite:
        raise _exists(path)
    return kind


def _exists(address: str) -> InputError:
    return InputError(f"{address}: the object exists; pass --overwrite to replace it, or choose another name")


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
