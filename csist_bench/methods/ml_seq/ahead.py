"""What of `ml-seq` is compiled beside a run (`csist_bench.methods.ahead`): a fit to no frames."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

from csist_bench.jit import compile_for
from csist_bench.methods.fitting.dense_images import dense_workspace
from csist_bench.methods.fitting.levenberg import damped_step
from csist_bench.methods.fitting.noise_model import noise_model_of
from csist_bench.methods.fitting.pixel_model import normal_equations, pixel_terms
from csist_bench.methods.ml_seq._kernels.fit import (
    SequenceWindow,
    fit_sequence,
    sequence_log_evidence,
    sequence_workspace,
)
from csist_bench.methods.ml_seq._kernels.motion import covariances
from csist_bench.methods.ml_seq._kernels.search import Times
from csist_bench.methods.ml_seq.method import SequenceMaximumLikelihood
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT, Camera

SIDE = 3  # px


def steps(camera: Camera) -> Iterator[Callable[[], object]]:
    """Yield the fit, most of what a run compiles, and what it comes to next."""
    noise_model = noise_model_of(camera, False, NOISE_FLOOR_FLOAT)
    model = SequenceMaximumLikelihood().model(1, Times(np.zeros(2), np.zeros((2, 1))), camera)
    dense = dense_workspace(1, SIDE) if noise_model.dense or model.freed else None
    members, time, basis = np.zeros(0, np.int64), np.zeros(0), np.zeros((0, model.degree))
    pixels, origin, centre = np.zeros((0, SIDE, SIDE)), np.zeros((0, 2), np.int64), np.zeros(2)
    window = SequenceWindow(pixels, origin, members, time, basis, centre)

    def fit() -> None:
        work = sequence_workspace(1, SIDE, len(model.mean))
        compile_for(fit_sequence, model.mean.copy(), window, model, noise_model, 1, 1.0, work, dense)

    def state() -> None:
        square = np.zeros((SIDE, SIDE))
        compile_for(sequence_log_evidence, 0.0, 1, sequence_workspace(1, SIDE, len(model.mean)))
        compile_for(covariances, model.mean.copy(), 0.0, centre, model, square, square, square)

    yield fit
    yield state


def own_steps(_: Camera) -> Iterator[Callable[[], object]]:
    """Yield what the run itself compiles first, since it would wait for the fit: the comparison of a frame, a step."""
    image, row = np.zeros((SIDE, SIDE)), np.zeros(SIDE)
    yield functools.partial(compile_for, pixel_terms, image, image, 0.0, 0.0, 0.0, 0.0, image, image)
    yield functools.partial(
        compile_for, normal_equations, image, image, image, image, image, image, image, 0.0, False, row, image, row
    )
    yield functools.partial(compile_for, damped_step, 3, 0.0, image, row, image, row)
