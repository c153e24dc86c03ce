"""The data set on disk: the only package that knows the Zarr v3 layout.

One group per split holds `frames` (trajectory, frame, y, x), `target_xy` (trajectory, frame, target, axis),
`target_intensity` (trajectory, frame, target) and `target_count` (trajectory, frame). One shard is one task and one
unit of resumption: a shard counts as done when its marker in `_progress/` (digest of the decoded arrays + hash of the
recipe, written last, by rename) is there and its contents are what the marker says. Writers that shared a shard would
lose data silently (zarr-python issue 3682), so writes are checked to be shard-aligned. Schema 2 writes every chunk,
with a crc32c checksum; schema 1, of version 0.1.0, left out chunks of fill values and is checked by its markers when
read (`integrity.py`).
"""

from csist_bench.datasets.layout import ARRAYS, PROGRESS, SCHEMA, Task, digest, shard_length, tasks_of
from csist_bench.datasets.reading import Dataset, Split, open_dataset
from csist_bench.datasets.writing import (
    add_metadata,
    compute_fingerprint,
    create_dataset,
    finalise,
    has_attributes,
    is_done,
    is_ours,
    read_marker,
    write_shard,
    write_whole,
)

__all__ = [
    "ARRAYS",
    "PROGRESS",
    "SCHEMA",
    "Dataset",
    "Split",
    "Task",
    "add_metadata",
    "compute_fingerprint",
    "create_dataset",
    "digest",
    "finalise",
    "has_attributes",
    "is_done",
    "is_ours",
    "open_dataset",
    "read_marker",
    "shard_length",
    "tasks_of",
    "write_shard",
    "write_whole",
]
