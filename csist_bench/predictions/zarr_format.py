"""The Zarr form: heat maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, show
from csist_bench.predictions.header import Header, stored_header
from csist_bench.predictions.heat_maps import HEAT_MAPS, Decoding, from_heat_maps
from csist_bench.predictions.table import IndexBounds


def read_zarr(path: Path, bounds: IndexBounds, warnings: list[str], decoding: Decoding) -> tuple[Detections, Header]:
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
    header = stored_header(None, str(path), warnings)
    return from_heat_maps(arrays, str(path), bounds, decoding, header)
