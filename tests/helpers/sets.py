"""Small data sets for tests."""

import json
import shutil
from pathlib import Path

import numpy as np

from csist_bench import datasets
from csist_bench.datasets.generation import generate
from csist_bench.datasets.layout import SCHEMA_1, attributes_digest
from csist_bench.recipes import load_data_recipe

TINY = ("trajectories=40", "frames=4", "scored_frames=1:3")


def tiny_recipe(name="seqcsist", *more):
    return load_data_recipe(name, [*TINY, *more])


def tiny_set(path: Path | str, name="seqcsist", *more):
    """Generate 40 trajectories of 4 frames (28 / 6 / 6) and return the path."""
    generate(path, tiny_recipe(name, *more))
    return path


def edit_attributes(path: Path, **changes):
    """Change the attributes of a set, their digest with them."""
    text = json.loads((path / "zarr.json").read_text())
    text["attributes"].update(changes)
    if "attributes_sha256" in text["attributes"]:
        text["attributes"]["attributes_sha256"] = attributes_digest(text["attributes"])
    (path / "zarr.json").write_text(json.dumps(text))


def as_schema_1(path: Path) -> Path:
    """Turn a set into one as version 0.1.0 wrote it: no checksums, and no chunks that hold fill values alone."""
    import zarr

    root = zarr.open_group(path, mode="r")
    made = zarr.create_group(path.with_name("made.zarr"), zarr_format=3)
    for split in ("train", "val", "test"):
        if split not in root:
            continue
        group = made.create_group(split)
        for name, array in root[split].arrays():
            blosc = next(codec for codec in array.compressors if type(codec).__name__ == "BloscCodec")
            sharded = {"shards": {"shape": array.shards, "index_location": "start"}} if array.shards else {}
            copy = group.create_array(
                name,
                shape=array.shape,
                dtype=array.dtype,
                chunks=array.chunks,
                compressors=blosc,
                fill_value=array.fill_value,
                dimension_names=array.metadata.dimension_names,
                **sharded,
            )
            copy[:] = array[:]
    attributes = dict(root.attrs) | {"schema": SCHEMA_1, "generator_version": "0.1.0"}
    made.update_attributes({k: v for k, v in attributes.items() if k not in ("fingerprint_v2", "attributes_sha256")})
    shutil.copytree(path / "_progress", path.with_name("made.zarr") / "_progress")
    shutil.rmtree(path)
    return path.with_name("made.zarr").rename(path)


def contents(path, *chosen):
    """Read all arrays of the chosen splits, or of all."""
    splits = datasets.open_dataset(path).splits
    return {
        (split, name): splits[split].read(name)
        for split in ("train", "val", "test")
        if split in (chosen or splits)
        for name in datasets.ARRAYS
    }


def same(one, other):
    """Tell whether two contents are equal; NaN equals NaN."""
    return all(np.array_equal(one[key], other[key], equal_nan=one[key].dtype.kind == "f") for key in one)


def chunk_file(path, name, split="train", shard=1):
    """Return the file of one shard of an array."""
    rest = {"frames": "0/0/0", "target_xy": "0/0/0", "target_intensity": "0/0", "target_count": "0"}[name]
    return path / split / name / "c" / str(shard) / rest
