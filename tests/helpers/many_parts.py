"""python -m tests.helpers.many_parts DATA FOLDER: a folder of parts that answers every target of the test split, moved
by 0.1 px at random: as many detections as a method would give, in no time. Scores are the targets' brightness, rounded,
so that many are equal."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from csist_bench.datasets import open_dataset
from csist_bench.detections import Detections
from csist_bench.predictions import Header, parts


def write(data: str, folder: Path) -> int:
    """Write the parts and return the number of detections."""
    split = open_dataset(data).test
    manifest = parts.Manifest(parts.FORMAT, {"method": "jittered"}, split.n_trajectories, split.guard.shard_length)
    parts.begin(folder, manifest, resume=False, overwrite=False)
    frames = split.scored_frames
    header = Header(
        {"name": "Jittered truth"}, split.recipe.name, "test", split.fingerprint, split.n_trajectories * len(frames),
        f"{frames.start}:{frames.stop}",
    )  # fmt: skip
    total = 0
    for index in range(manifest.count):
        first, stop = manifest.span(index)
        xy = split.read("target_xy", first, stop)[:, frames.start : frames.stop]
        light = split.read("target_intensity", first, stop)[:, frames.start : frames.stop]
        b, t, k = np.nonzero(np.isfinite(light))
        moved = xy[b, t, k] + np.random.default_rng(index).normal(0, 0.1, (len(b), 2))
        found = Detections(b + first, t + frames.start, moved[:, 0], moved[:, 1], np.rint(light[b, t, k]))
        parts.write_part(folder, index, found, header, {})
        total += len(found)
    parts.finish(folder, manifest)
    return total


if __name__ == "__main__":
    print(f"{write(sys.argv[1], Path(sys.argv[2])):,} detections")
