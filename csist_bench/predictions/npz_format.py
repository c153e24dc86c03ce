"""The NPZ form: heat maps, or a table of detections."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, show
from csist_bench.predictions.header import HEADER_KEY, Header, stored_header
from csist_bench.predictions.heat_maps import HEAT_MAPS, Decoding, from_heat_maps
from csist_bench.predictions.table import COLUMNS, IndexBounds, detections_from_columns


def read_npz(
    data: bytes, where: str, bounds: IndexBounds, warnings: list[str], decoding: Decoding
) -> tuple[Detections, Header]:
    """Read an NPZ of heat maps (array `heatmaps`) or of detection columns; nothing in it is ever unpickled."""
    arrays = _npz_arrays(data, where)
    header = stored_header(arrays.pop(HEADER_KEY, None), where, warnings)
    if HEAT_MAPS in arrays:
        return from_heat_maps(arrays, where, bounds, decoding, header)
    return detections_from_columns(arrays, where, lambda row, name: f"row {row}", bounds), header


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


def encode_npz(detections: Detections, header: Header) -> bytes:
    """Return the columns as arrays, with the header as JSON text in one of its own."""
    buffer = io.BytesIO()
    text = np.array(msgspec.json.encode(header.to_table()).decode())
    # The header first: where the end of the list of arrays is damaged, its digest still speaks.
    arrays: dict[str, Any] = {HEADER_KEY: text, **detections.columns()}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
