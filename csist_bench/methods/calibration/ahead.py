"""What of a calibration is compiled beside it (`csist_bench.methods.ahead`): the fit, and what judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.misfit import explain
from csist_bench.methods.ml_seq import ahead
from csist_bench.simulation.camera import Camera


def steps(camera: Camera) -> Iterator[Callable[[], object]]:
    """Yield the fit of sequences whose background is taken off, and what fits a background to what they leave."""
    yield from ahead.steps(camera)
    nothing = np.zeros((0, 1, camera.optics.size, camera.optics.size))
    lit = replace(camera, background_law="plane")
    yield lambda: explain(nothing, FrameAnswers.empty(0, 1).detections(0, 1), lit)
