"""Running a method in tests, with everything that a run tells of itself."""

from __future__ import annotations

from csist_bench.methods.inference import unmix_each
from csist_bench.methods.runners import RunOptions
from csist_bench.methods.scope import Scope, Unmixed
from csist_bench.simulation.camera import Camera

SCOPE = ("frames", "first", "workers")


def unmixed(source, method, decoder="grid", **how) -> Unmixed:
    """Return the run of a method with one decoder; `how` holds options, scope, noise_sigma and progress."""
    return unmixed_each(source, method, [decoder], **how)[0]


def unmixed_each(source, method, decoders, noise_sigma=None, progress=None, **how) -> list[Unmixed]:
    scope = Scope(**{name: how.pop(name) for name in SCOPE if name in how})
    camera = Camera.from_recipe(source.recipe, noise_sigma)
    return unmix_each(source, method, decoders, camera, RunOptions(**how), scope, progress)
