"""Solvers on the label grid, run on tiny sets."""

from __future__ import annotations

from csist_bench.methods.registry import METHODS, build_training_free
from csist_bench.simulation.camera import Camera
from tests.helpers.sets import tiny_recipe

CAMERA = Camera.from_recipe(tiny_recipe())


def solve(name, frames, *overrides, camera=CAMERA):
    """Return the heat maps of a training-free method with `name=value` settings."""
    return build_training_free(METHODS[name], overrides).heat_maps(frames, camera)
