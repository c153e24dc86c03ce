"""Prediction files: the only package that knows them.

`write_predictions` writes the canonical JSON (or CSV, NPZ, Parquet by suffix); `read_predictions` takes all of these,
COCO-style lists, heat maps in NPZ or Zarr, folders of text files and ThunderSTORM tables.
"""

from csist_bench.predictions.header import FORMAT, Header, Predictions
from csist_bench.predictions.heat_maps import Decoding
from csist_bench.predictions.reading import read_predictions
from csist_bench.predictions.writing import require_writable, write_predictions

__all__ = [
    "FORMAT",
    "Decoding",
    "Header",
    "Predictions",
    "read_predictions",
    "require_writable",
    "write_predictions",
]
