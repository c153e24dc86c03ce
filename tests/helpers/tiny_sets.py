"""Small data sets for tests: as the shipped `seqcsist`, with few and short trajectories."""

from __future__ import annotations

from pathlib import Path

from csist_bench.datasets import Dataset, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.recipes import DataRecipe, load_data_recipe
from csist_bench.simulation.rendering import Shard, render_shard

FRAMES = 6


def tiny_recipe(trajectories: int = 20, *overrides: str) -> DataRecipe:
    return load_data_recipe(
        "seqcsist", [f"trajectories={trajectories}", f"frames={FRAMES}", "scored_frames=1:5", *overrides]
    )


def tiny_shard(trajectories: int, *overrides: str) -> Shard:
    return render_shard(tiny_recipe(trajectories, *overrides), range(trajectories))


def tiny_store(path: Path, trajectories: int = 20, *overrides: str) -> Dataset:
    generate(path, tiny_recipe(trajectories, *overrides), executor="serial")
    return open_dataset(path)
