"""A data set as Parquet tables: targets, one row a target of a frame, and frames, one row a frame. Out only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from csist_bench.datasets.metadata.facts import facts_of
from csist_bench.datasets.metadata.writing import write_metadata
from csist_bench.datasets.reading import Dataset, Split
from csist_bench.files import built_beside, require_new_folder
from csist_bench.files.parquet import parquet_modules
from csist_bench.recipes import stored_table

Progress = Callable[[int, int], None]
ABOUT_KEY = "csist-bench"


def export_parquet(source: Dataset, folder: Path, progress: Progress | None = None) -> int:
    """Write `{split}-targets.parquet` and `{split}-frames.parquet` and return the number of frames.

    Targets have the columns trajectory, frame, target, x, y (px) and intensity (grey levels); frames have trajectory,
    frame, scored, and pixels: a list of size * size grey levels, row by row. The recipe and the fingerprint are in the
    metadata of each file.

    Raises
    ------
    InputError
        If the folder exists and is not empty, or pyarrow is not installed.
    """
    pyarrow, parquet = parquet_modules()
    require_new_folder(folder)
    total = sum(split.n_trajectories * split.n_frames for split in source.splits.values())
    about = {"recipe": stored_table(source.recipe), "fingerprint": source.fingerprint}
    done = 0
    with built_beside(folder) as building:
        building.mkdir(exist_ok=True)
        for split in source.splits.values():
            metadata = {ABOUT_KEY: msgspec.json.encode(about | {"split": split.name})}
            targets = pyarrow.table(_targets(split)).replace_schema_metadata(metadata)
            parquet.write_table(targets, building / f"{split.name}-targets.parquet", write_page_checksum=True)
            writer = None
            for first in range(0, split.n_trajectories, split.chunk_trajectories):
                stop = min(first + split.chunk_trajectories, split.n_trajectories)
                rows = pyarrow.table(_frames(split, first, stop, pyarrow)).replace_schema_metadata(metadata)
                path = building / f"{split.name}-frames.parquet"
                writer = writer or parquet.ParquetWriter(path, rows.schema, write_page_checksum=True)
                writer.write_table(rows)
                done += (stop - first) * split.n_frames
                if progress:
                    progress(done, total)
            if writer:
                writer.close()
        write_metadata(building, facts_of(source, "parquet"))
    return done


def _targets(split: Split) -> dict[str, Any]:
    xy, intensity = split.target_xy, split.target_intensity
    n, t, k = np.nonzero(np.isfinite(intensity))
    index = {"trajectory": n, "frame": t, "target": k}
    return index | {"x": xy[n, t, k, 0], "y": xy[n, t, k, 1], "intensity": intensity[n, t, k]}


def _frames(split: Split, first: int, stop: int, pyarrow: Any) -> dict[str, Any]:
    frames = split.read("frames", first, stop)
    n, t = (index.ravel() for index in np.indices(frames.shape[:2]))
    pixels = pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.array(np.ascontiguousarray(frames).reshape(-1)), int(np.prod(frames.shape[2:]))
    )
    scored = np.isin(t, list(split.scored_frames))
    return {"trajectory": n + first, "frame": t, "scored": scored, "pixels": pixels}
