"""Small data sets for tests."""

from pathlib import Path

from csist_bench.datasets.generation import generate
from csist_bench.recipes import load_data_recipe

TINY = ("trajectories=40", "frames=4", "scored_frames=1:3")


def tiny_recipe(name="seqcsist", *more):
    return load_data_recipe(name, [*TINY, *more])


def tiny_set(path: Path, name="seqcsist", *more):
    """Generate 40 trajectories of 4 frames (28 / 6 / 6) and return the path."""
    generate(path, tiny_recipe(name, *more))
    return path
