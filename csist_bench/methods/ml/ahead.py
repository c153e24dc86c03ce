"""What of `ml` is compiled beside a run (`csist_bench.methods.ahead`): calls on no frames, or on no targets."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

from csist_bench.jit import compile_for
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.counts import BrightnessLaw
from csist_bench.methods.fitting.dense_images import dense_workspace
from csist_bench.methods.fitting.levenberg import (
    FrameWindow,
    Prior,
    StoppingRule,
    damped_step,
    fit_frame,
    frame_workspace,
)
from csist_bench.methods.fitting.noise_model import noise_model_of, plain_noise_model
from csist_bench.methods.ml._kernels.decision import choose_positions, sample_spread
from csist_bench.methods.ml._kernels.search import SearchSettings, decide_frames, state_frames
from csist_bench.methods.ml._kernels.workspace import search_workspace
from csist_bench.methods.ml.method import draws
from csist_bench.simulation.camera import Camera

UNSURE_NOISE = 1.5  # grey levels, from which a thousand frames hold one whose posterior is sampled
SIDE = 3  # px


def steps(camera: Camera) -> Iterator[Callable[[], object]]:
    """Yield the fit, which a run comes to after half of its compiling, and what it comes to after it."""
    noise_model = noise_model_of(camera, False)
    stop, law = StoppingRule(1, 1.0), BrightnessLaw(1.0, 2.0, False)
    settings = SearchSettings(1, 1, stop, 0.5)
    dense = dense_workspace(1, SIDE) if noise_model.dense else None
    frames, none, rows = np.zeros((0, SIDE, SIDE)), np.zeros((0, 3)), np.zeros(0, np.int64)
    origin, answers = np.zeros((0, 2), np.int64), FrameAnswers.empty(0, 1)

    def fit() -> None:
        window, prior = FrameWindow(np.zeros((SIDE, SIDE)), 0, 0), Prior(none, none, 0.0)
        compile_for(fit_frame, none, window, noise_model, prior, stop, frame_workspace(1, SIDE), dense)

    def decide() -> None:
        plain, tables, scratch = plain_noise_model(noise_model), draws(0, 1, 1), search_workspace(1, SIDE, 1)
        decide_frames(frames, rows, plain, law, settings, tables, scratch, origin, answers)

    def state() -> None:
        scratch = search_workspace(1, SIDE, 1)
        state_frames(frames, frames, noise_model, law, settings, scratch, origin, answers, np.zeros(0), dense)

    yield fit
    if _samples(camera):
        yield decide
    yield state


def own_steps(camera: Camera) -> Iterator[Callable[[], object]]:
    """Yield what the run itself compiles first, since it would wait for the fit: how samples become answers, or a step.

    Where posteriors are sampled they take the second process longest.
    """
    theta, row = np.zeros((1, 3)), np.zeros(3)
    if _samples(camera):
        samples = np.zeros((3, 1, 1))
        yield functools.partial(compile_for, choose_positions, theta, samples, row)
        yield functools.partial(compile_for, sample_spread, theta, samples, theta)
    else:
        yield functools.partial(compile_for, damped_step, 3, 0.0, theta, row, theta, row)


def _samples(camera: Camera) -> bool:
    return camera.noise_sigma >= UNSURE_NOISE and camera.maps is None and camera.psf is None
