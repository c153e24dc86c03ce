"""The NPZ form: heat maps, or a table of detections."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.array_files import Archive, open_npz
from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.predictions.header import HEADER_KEY, Header, stored_header
from csist_bench.predictions.heat_maps import AXES, BLOCK, HEAT_MAPS, Decoding, from_heat_maps
from csist_bench.predictions.table import COLUMNS, IndexBounds, detections_from_columns


@dataclass(frozen=True, eq=False)
class _PackedMaps:
    """Heat maps inside an archive."""

    archive: Archive
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def blocks(self) -> Iterator[tuple[int, int, NDArray[Any]]]:
        """Yield whole trajectories."""
        each = int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize
        length, first = max(1, BLOCK // max(1, each)), 0
        for values in self.archive.blocks(HEAT_MAPS, length):
            yield first, 0, values
            first += len(values)


def names_detections(archive: Archive) -> bool:
    """Tell whether an archive holds heat maps or columns of detections, by the names of its arrays."""
    return any(name in archive for name in (HEAT_MAPS, HEADER_KEY, "x", "y"))


def read_npz(path: Path, bounds: IndexBounds, warnings: list[str], decoding: Decoding) -> tuple[Detections, Header]:
    """Read an NPZ of heat maps (array `heatmaps`) or of detection columns; nothing in it is ever unpickled."""
    where = str(path)
    with open_npz(path) as archive:
        of_maps = HEAT_MAPS in archive
        wanted = [name for name in (*(AXES if of_maps else COLUMNS), HEADER_KEY) if name in archive]
        if not of_maps and not wanted:
            raise must(where, f"hold an array '{HEAT_MAPS}' or the columns trajectory, frame, x, y, score", "neither")
        for name in wanted:
            if name != HEADER_KEY and len(shape := archive.header(name).shape) != 1:
                raise must(f"{where}: {name}", "hold one number per row", f"shape {shape}")
        archive.unpacked(wanted)
        arrays = {name: archive.read(name) for name in wanted}
        header = stored_header(arrays.pop(HEADER_KEY, None), where, warnings)
        if of_maps:
            about = archive.header(HEAT_MAPS)
            maps = _PackedMaps(archive, about.shape, about.dtype)
            return from_heat_maps(maps, arrays, where, bounds, decoding, header)
    return detections_from_columns(arrays, where, lambda row, name: f"row {row}", bounds), header


def encode_npz(detections: Detections, header: Header) -> bytes:
    """Return the columns as arrays, with the header as JSON text in one of its own."""
    buffer = io.BytesIO()
    text = np.array(msgspec.json.encode(header.to_table()).decode())
    # The header first: where the end of the list of arrays is damaged, its digest still speaks.
    arrays: dict[str, Any] = {HEADER_KEY: text, **detections.columns()}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
